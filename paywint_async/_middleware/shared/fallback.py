"""How requests go on while the shared limit cannot be asked. Knows no Redis."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from paywint_async._config import RateLimit
from paywint_async._events import logger
from paywint_async._middleware.rate_limit import RateLimiter

PROBE_SECONDS = 1.0
"""How long nobody asks after a failure; then one call finds out for all."""
_DOUBT_SECONDS = 2 * PROBE_SECONDS


class Fallback:
    """This process's part of the limit: one of ``processes``, evenly, without a burst.

    It begins at a random point of the interval, so that processes which notice an outage together do
    not send together. For two seconds after it, and after any sign of one that passed, a process
    keeps to its part while it asks: those who are back and those who are not yet share one limit.

    Args:
        limit: of all together.
        processes: how many they are at most.
        name: of what is away, for the log.
    """

    def __init__(self, limit: RateLimit, processes: int, name: str) -> None:
        part = RateLimit(limit.requests / processes, limit.per_seconds)
        self._limiter = RateLimiter(part)
        self._interval = part.per_seconds / part.requests
        self._name = name
        self._waiting: dict[asyncio.Timeout, None] = {}
        self._doubtful_until = float("-inf")
        self.is_on = False

    @property
    def is_needed(self) -> bool:
        """Whether somebody waits here."""
        return bool(self._waiting)

    def begin(self, reason: str) -> None:
        """The shared limit cannot be asked."""
        if self.is_on:
            return
        self._begin_part()
        self.is_on = True
        logger.warning(
            "the shared rate limit at %s is away (%s): this process goes on with its part, %s",
            self._name,
            reason,
            f"{1 / self._interval:.4g} requests a second",
        )

    def end(self) -> None:
        """It can be asked again: whoever waits here is to do that."""
        if not self.is_on:
            return
        self.doubt()
        self.is_on = False
        waiting, self._waiting = self._waiting, {}
        for scope in waiting:
            scope.reschedule(asyncio.get_running_loop().time())
        logger.warning("the shared rate limit at %s is back", self._name)

    def doubt(self) -> bool:
        """Something failed, though it went on: others may think that it did not.

        Returns:
            Whether that is news.
        """
        is_news = self._begin_part()
        self._doubtful_until = asyncio.get_running_loop().time() + _DOUBT_SECONDS
        return is_news

    def _begin_part(self) -> bool:
        """Whether this process did not keep to its part before."""
        if self.is_in_doubt:
            return False
        self._limiter.cool_down(random.random() * self._interval)
        return True

    @property
    def is_in_doubt(self) -> bool:
        """Whether others may go on by their part alone."""
        return self.is_on or asyncio.get_running_loop().time() < self._doubtful_until

    def cool_down(self, seconds: float) -> None:
        """Lets nothing leave for that long."""
        self._limiter.cool_down(seconds)

    async def take_turn(self, deadline: float | None) -> bool:
        """Whether it was a turn; if not, the outage is over and the shared limit is to be asked.

        Raises:
            RateLimitedError: it would be after ``deadline``.
        """
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._waiting[scope] = None
                await self._limiter.acquire(deadline)
            return True
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(scope, None)

    async def hold_back(self, deadline: float | None) -> None:
        """Takes a turn, too, as long as others may go on by their part alone."""
        if self.is_in_doubt:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._doubtful_until):
                    await self._limiter.acquire(deadline)
