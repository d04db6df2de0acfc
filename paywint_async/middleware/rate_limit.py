"""Layer 2: the client's own rate limit, and the cooldown that one 429 imposes on all its tasks."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from paywint_async.config import RateLimit
from paywint_async.errors import RateLimitedError
from paywint_async.messages import Handler, Request, Response
from paywint_async.protocol import retry_after_seconds


class Limiter(Protocol):
    """What the throttle needs; a limiter shared between processes can take this place."""

    async def acquire(self, deadline: float | None = None) -> None:
        """Returns once one request may leave.

        Raises:
            RateLimitedError: that would be after ``deadline`` (event loop clock).
        """

    def cool_down(self, seconds: float) -> None:
        """Lets nothing leave for that long."""


class RateLimiter:
    """Lets requests leave evenly and in order of arrival, within one process.

    In any window of ``w`` seconds at most ``burst + w × requests / per_seconds`` leave (the generic
    cell rate algorithm: one number, the moment at which the budget is whole again, holds the state).
    Without a limit only cooldowns hold anybody back.

    Cancellation: a waiter that is cancelled has taken nothing, and the next one moves up.
    """

    def __init__(self, limit: RateLimit | None = None) -> None:
        self._interval = limit.per_seconds / limit.requests if limit else 0.0
        self._tolerance = self._interval * (limit.burst - 1) if limit else 0.0
        self._whole_at = float("-inf")
        self._cool_until = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        rate = f"{1 / self._interval:g}/s" if self._interval else "unlimited"
        return f"<RateLimiter {rate}, {len(self._waiting)} waiting>"

    def cool_down(self, seconds: float) -> None:
        """Lets nothing leave for that long; a shorter cooldown never cuts a longer one."""
        until = asyncio.get_running_loop().time() + seconds
        self._cool_until = max(self._cool_until, until)

    async def acquire(self, deadline: float | None = None) -> None:
        """Returns once one request may leave; first come, first served.

        Raises:
            RateLimitedError: that would be after ``deadline`` (event loop clock).
        """
        now = asyncio.get_running_loop().time()
        if self._waiting or self._free_at() > now:
            await self._wait_in_line(deadline)
        else:
            self._take(now)

    def _free_at(self) -> float:
        return max(self._whole_at - self._tolerance, self._cool_until)

    def _take(self, now: float) -> None:
        self._whole_at = max(self._whole_at, now) + self._interval

    async def _wait_in_line(self, deadline: float | None) -> None:
        # Only the head of the line looks at the clock; when it leaves, however it leaves, it wakes
        # the next one. So a turn can neither be lost by a cancellation nor be taken twice.
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                if self._waiting[0] is not turn:
                    await turn
                await self._wait_until_free(deadline)
            self._take(loop.time())
        except TimeoutError:
            raise self._too_late() from None
        finally:
            self._waiting.remove(turn)
            if self._waiting and not self._waiting[0].done():
                self._waiting[0].set_result(None)

    async def _wait_until_free(self, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        while (free_at := self._free_at()) > loop.time():  # a new cooldown may move it
            if deadline is not None and free_at > deadline:
                raise TimeoutError
            await asyncio.sleep(free_at - loop.time())

    def _too_late(self) -> RateLimitedError:
        wait = max(0.0, self._free_at() - asyncio.get_running_loop().time())
        message = "the client's own rate limit leaves no turn before the operation's deadline"
        return RateLimitedError(429, message, retry_after=wait)


class Throttle:
    """A middleware: each attempt takes a turn at the limiter, each 429 cools everybody down."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """The answer, once the request had its turn."""
        await self._limiter.acquire(request.deadline)
        response = await handler(request)
        if response.status == 429 and (seconds := retry_after_seconds(response)):
            self._limiter.cool_down(seconds)
        return response
