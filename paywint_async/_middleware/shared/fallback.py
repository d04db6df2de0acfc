"""A local rate limit for the time in which Redis is unavailable. Knows nothing of Redis."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from paywint_async._config import RateLimit
from paywint_async._log import fields, logger
from paywint_async._middleware.rate_limit import RateLimiter

PROBE_SECONDS = 1.0
"""Seconds without calls to Redis after a failure; then a single call probes it."""
_DOUBT_SECONDS = 2 * PROBE_SECONDS


class Fallback:
    """This process's share of the limit: ``limit / processes``, evenly spaced, without a burst.

    It starts at a random point of the interval, so that processes which detect an outage at the same
    time do not send at the same time. For two seconds after an outage, and after any sign of a short
    one, a process obeys both its share and Redis: so processes that have reconnected and processes that
    have not never exceed the limit together.

    Args:
        limit: the limit of all processes together.
        processes: the largest number of processes.
        name: the Redis address, for the log.
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
        """Whether a request is waiting for the local share."""
        return bool(self._waiting)

    def begin(self, reason: str) -> None:
        """Switches to the local share, as Redis is unavailable."""
        if self.is_on:
            return
        self._begin_part()
        self.is_on = True
        logger.warning(
            "the shared rate limit at %s is unavailable (%s): this process continues with its share, %s",
            self._name,
            reason,
            f"{1 / self._interval:.4g} requests a second",
            extra=fields(event="shared_limit_lost", limiter=self._name, reason=reason),
        )

    def end(self) -> None:
        """Switches back to Redis; requests that wait for the local share ask Redis again."""
        if not self.is_on:
            return
        self.doubt()
        self.is_on = False
        waiting, self._waiting = self._waiting, {}
        for scope in waiting:
            scope.reschedule(asyncio.get_running_loop().time())
        logger.warning(
            "the shared rate limit at %s is available again",
            self._name,
            extra=fields(event="shared_limit_back", limiter=self._name),
        )

    def doubt(self) -> bool:
        """Also obeys the local share for a while, as other processes may have seen an outage.

        Returns:
            False if the process did so already.
        """
        is_new = self._begin_part()
        self._doubtful_until = asyncio.get_running_loop().time() + _DOUBT_SECONDS
        return is_new

    def _begin_part(self) -> bool:
        """Starts the local share; returns False if it was in use already."""
        if self.is_in_doubt:
            return False
        self._limiter.cool_down(random.random() * self._interval)
        return True

    @property
    def is_in_doubt(self) -> bool:
        """Whether other processes may be using their local shares."""
        return self.is_on or asyncio.get_running_loop().time() < self._doubtful_until

    def cool_down(self, seconds: float) -> None:
        """Stops all requests of the local share for that many seconds."""
        self._limiter.cool_down(seconds)

    async def take_turn(self, deadline: float | None) -> bool:
        """Waits for a turn; returns False if the outage ended first, so that Redis must be asked.

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
        """Also takes a local turn while other processes may be using their local shares."""
        if self.is_in_doubt:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._doubtful_until):
                    await self._limiter.acquire(deadline)
