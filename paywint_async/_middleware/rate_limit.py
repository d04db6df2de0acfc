"""How fast a client asks: its own limit, and what a 429 teaches all of its tasks at once."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from paywint_async._config import RateLimit
from paywint_async._errors import RateLimitedError
from paywint_async._events import CooldownEvent, OnEvent, ignore
from paywint_async._log import fields, logger
from paywint_async._messages import Handler, Request, Response
from paywint_async._protocol import retry_after_seconds

_LONGEST_COOLDOWN = 1e9  # seconds, 31 years: any longer one overflows a limiter's arithmetic


class Limiter(Protocol):
    """What the throttle needs; a limiter shared between processes can take this place.

    Where it has an ``aclose``, too, each client that uses it awaits that when it is closed itself.
    """

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
    Without a limit only cooldowns and a learned `pace` hold anybody back.

    Cancellation: a waiter that is cancelled has taken nothing, and the next one moves up.
    """

    def __init__(self, limit: RateLimit | None = None) -> None:
        self._limit_interval = self._interval = limit.per_seconds / limit.requests if limit else 0.0
        self._tolerance = self._interval * (limit.burst - 1) if limit else 0.0
        self._whole_at = float("-inf")
        self._cool_until = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        rate = f"{1 / self._interval:.4g}/s" if self._interval else "unlimited"
        return f"<RateLimiter {rate}, {len(self._waiting)} waiting>"

    def cool_down(self, seconds: float) -> None:
        """Lets nothing leave for that long; a shorter cooldown never cuts a longer one."""
        until = asyncio.get_running_loop().time() + seconds
        self._cool_until = max(self._cool_until, until)

    def pace(self, per_second: float | None) -> None:
        """Goes no faster than ``per_second``, evenly; None: as fast as the limit says."""
        self._interval = max(self._limit_interval, 1 / per_second if per_second else 0.0)

    async def acquire(self, deadline: float | None = None) -> None:
        """Returns once one request may leave; first come, first served.

        Raises:
            RateLimitedError: that would be after ``deadline`` (event loop clock).
        """
        now = asyncio.get_running_loop().time()
        if self._waiting or self._cool_until > now or self._whole_at - self._tolerance > now:
            await self._wait_in_line(deadline)
        elif self._interval:
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
            return
        except TimeoutError:
            wait = max(0.0, self._free_at() - loop.time())
        finally:
            self._waiting.remove(turn)
            if self._waiting and not self._waiting[0].done():
                self._waiting[0].set_result(None)
        message = (
            f"{self._cause()} leaves no turn before its deadline, the next one is in {wait:.3g} s"
        )
        raise RateLimitedError(429, message, retry_after=wait, is_local=True)

    def _cause(self) -> str:
        if self._cool_until >= self._whole_at - self._tolerance:
            return "the cooldown after an earlier 429"
        return "the client's own limit"

    async def _wait_until_free(self, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        while (free_at := self._free_at()) > loop.time():  # a new cooldown may move it
            if deadline is not None and free_at > deadline:
                raise TimeoutError
            await asyncio.sleep(free_at - loop.time())


class Learner:
    """What a client learns of a limit that nobody published: a pace, from its own 429s.

    The first 429 sets the pace to nine tenths of what was answered in the second before it; each
    later one takes a fifth off, and each success adds a little (5 % a second, or 1 a second if that is
    more). After a minute without a 429 it is forgotten.
    """

    _FORGET_AFTER = 60.0

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._answered: deque[float] = deque()
        self._pace: float | None = None
        self._changed_at = float("-inf")

    def succeed(self, now: float) -> None:
        """An answer came that was no refusal."""
        self._answered.append(now)
        while self._answered[0] <= now - 1:
            self._answered.popleft()
        if self._pace is not None:
            forget = now - self._changed_at > self._FORGET_AFTER
            self._pace = None if forget else self._pace + max(0.05, 1 / self._pace)
            self._limiter.pace(self._pace)

    def refused(self, sent_at: float, now: float) -> None:
        """A 429 came; of those that were under way together only the first one counts."""
        if sent_at <= self._changed_at:
            return
        if self._pace is None:
            recent = sum(1 for time in self._answered if time > now - 1)
            self._pace = max(1.0, 0.9 * recent)
        else:
            self._pace = max(0.5, 0.8 * self._pace)
        self._changed_at = now
        self._limiter.pace(self._pace)


class Throttle:
    """A middleware: each attempt takes a turn at the limiter, each 429 cools everybody down.

    Args:
        limiter: the one of this client.
        default_cooldown: seconds, where a 429 does not say how long.
        on_event: told of cooldowns.
    """

    def __init__(
        self, limiter: Limiter, *, default_cooldown: float = 0.5, on_event: OnEvent = ignore
    ) -> None:
        self._limiter = limiter
        # What one client learns is no pace for a limiter that others share; its owner states a limit.
        self._learner = Learner(limiter) if isinstance(limiter, RateLimiter) else None
        self._default_cooldown = default_cooldown
        self._on_event = on_event

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """The answer, once the request had its turn."""
        clock = asyncio.get_running_loop().time
        try:
            await self._limiter.acquire(request.deadline)
        except RateLimitedError as error:
            error.attempts = request.attempt - 1
            raise
        sent_at = clock()
        response = await handler(request)
        if response.status == 429:
            self._cool_down(request, response)
            if self._learner:
                self._learner.refused(sent_at, clock())
        elif self._learner:
            self._learner.succeed(clock())
        return response

    def _cool_down(self, request: Request, response: Response) -> None:
        seconds = retry_after_seconds(response) or self._default_cooldown
        self._limiter.cool_down(min(seconds, _LONGEST_COOLDOWN))
        self._on_event(CooldownEvent(operation=request.operation, seconds=seconds))
        logger.info(
            "%s: the API answered 429, no request leaves for %.3g s",
            request.operation,
            seconds,
            extra=fields(event="cooldown", operation=request.operation, seconds=seconds),
        )
