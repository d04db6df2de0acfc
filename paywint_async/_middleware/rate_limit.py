"""The rate limit of a client: a configured one, cooldowns after a 429, and a learned pace."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import Protocol

from paywint_async._config import RateLimit
from paywint_async._errors import RateLimitedError
from paywint_async._events import CooldownEvent, OnEvent, ignore
from paywint_async._log import fields, logger
from paywint_async._messages import Handler, Request, Response
from paywint_async._protocol import retry_after_seconds

LONGEST_COOLDOWN = 86_400.0  # seconds: a wrong Retry-After must not stop a program for ever


class Limiter(Protocol):
    """The protocol of rate limiters, to write your own, such as one that several processes share.

    If a limiter also has a coroutine function ``aclose``, each client that uses it calls that when the
    client is closed.
    """

    async def acquire(self, deadline: float | None = None) -> None:
        """Returns when one request may be sent.

        Raises:
            RateLimitedError: that would be after ``deadline`` (event loop clock).

        Cancellation: at most one turn may be lost; the limit must not be exceeded.
        """

    def cool_down(self, seconds: float) -> None:
        """Stops all requests for that many seconds; the client passes a day at most."""


class RateLimiter:
    """A rate limiter for one process; requests are sent evenly, in order of arrival.

    In any window of ``w`` seconds at most ``burst + w × requests / per_seconds`` are sent (generic cell
    rate algorithm; its state is one number, the time at which the full burst is available again). Without
    a limit, requests wait only for cooldowns and for the learned `pace`.

    Requests of several event loops, in several threads, wait in one queue.

    Cancellation: a cancelled waiter uses no turn, and the next one moves up.
    """

    def __init__(self, limit: RateLimit | None = None) -> None:
        self._limit_interval = self._interval = limit.per_seconds / limit.requests if limit else 0.0
        self._tolerance = self._interval * (limit.burst - 1) if limit else 0.0
        self._full_at = float("-inf")
        self._cool_until = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lock = threading.Lock()  # of `_full_at`; event loops may run in several threads

    def __repr__(self) -> str:
        rate = f"{1 / self._interval:.4g}/s" if self._interval else "unlimited"
        return f"<RateLimiter {rate}, {len(self._waiting)} waiting>"

    def cool_down(self, seconds: float) -> None:
        """Stops all requests for that many seconds; never shortens an earlier cooldown."""
        until = asyncio.get_running_loop().time() + seconds
        self._cool_until = max(self._cool_until, until)

    def pace(self, per_second: float | None) -> None:
        """Limits the rate to ``per_second`` in addition to the limit; None removes that."""
        self._interval = max(self._limit_interval, 1 / per_second if per_second else 0.0)

    async def acquire(self, deadline: float | None = None) -> None:
        """Returns when one request may be sent; first come, first served.

        Raises:
            RateLimitedError: that would be after ``deadline`` (event loop clock).
        """
        now = asyncio.get_running_loop().time()
        must_wait = self._waiting or self._cool_until > now or self._full_at - self._tolerance > now
        if must_wait or (self._interval and not self._take(now)):
            await self._wait_in_queue(deadline)

    def _free_at(self) -> float:
        return max(self._full_at - self._tolerance, self._cool_until)

    def _take(self, now: float) -> bool:
        """Takes a turn; returns False if another thread has taken it meanwhile."""
        with self._lock:
            if self._full_at - self._tolerance > now:
                return False
            self._full_at = max(self._full_at, now) + self._interval
            return True

    async def _wait_in_queue(self, deadline: float | None) -> None:
        # Only the first in the queue waits for the clock; when it is removed, for whatever reason, it
        # wakes the next one. So a cancellation cannot lose a turn, and none is used twice.
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                if self._first() is not turn:
                    await turn
                await self._wait_until_free(deadline)
                while not self._take(loop.time()):
                    await self._wait_until_free(deadline)
            return
        except TimeoutError:
            wait = max(0.0, self._free_at() - loop.time())
        finally:
            with suppress(ValueError):  # it was removed, as its loop had ended
                self._waiting.remove(turn)
            self._wake_first(loop)
        message = (
            f"{self._cause()} leaves no turn before its deadline,"
            f" the next one is in {in_seconds(wait)}"
        )
        raise RateLimitedError(429, message, retry_after=wait, is_local=True)

    def _first(self) -> asyncio.Future[None] | None:
        """Returns the first in the queue; removes those whose event loop has ended before."""
        # No lock: each step is atomic, and whoever removes one wakes the first of those who remain.
        while True:
            try:
                first = self._waiting[0]
            except IndexError:
                return None
            if not first.get_loop().is_closed():
                return first
            with suppress(ValueError):  # another thread has removed it
                self._waiting.remove(first)

    def _wake_first(self, here: asyncio.AbstractEventLoop) -> None:
        while (first := self._first()) is not None:
            loop = first.get_loop()
            if loop is here:
                _wake(first)
                return
            with suppress(RuntimeError):  # that loop has ended just now
                loop.call_soon_threadsafe(_wake, first)
                return

    def _cause(self) -> str:
        if self._cool_until >= self._full_at - self._tolerance:
            return "the cooldown after an earlier 429"
        return "the client's own limit"

    async def _wait_until_free(self, deadline: float | None) -> None:
        loop = asyncio.get_running_loop()
        while (free_at := self._free_at()) > loop.time():  # a cooldown may begin meanwhile
            if deadline is not None and free_at >= deadline:
                raise TimeoutError
            await asyncio.sleep(free_at - loop.time())


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


class Learner:
    """Learns a pace from the 429s of an API whose limit is not published.

    The first 429 sets the pace to nine tenths of the answers in the second before it; each later one
    reduces it by a fifth, and each success increases it (by 5 % a second, or by 1 a second if that is
    more). After a minute without a 429 the pace is removed.
    """

    _FORGET_AFTER = 60.0

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._answered: deque[float] = deque()
        self._pace: float | None = None
        self._changed_at = float("-inf")

    def succeed(self, now: float) -> None:
        """Notes an answer other than 429."""
        self._answered.append(now)
        while self._answered[0] <= now - 1:
            self._answered.popleft()
        if self._pace is not None:
            forget = now - self._changed_at > self._FORGET_AFTER
            self._pace = None if forget else self._pace + max(0.05, 1 / self._pace)
            self._limiter.pace(self._pace)

    def refused(self, sent_at: float, now: float) -> None:
        """Notes a 429; of requests that were in flight together only the first one counts."""
        if sent_at <= self._changed_at:
            return
        if self._pace is None:
            # A copy, as other threads may add to it.
            recent = sum(1 for time in self._answered.copy() if time > now - 1)
            self._pace = max(1.0, 0.9 * recent)
        else:
            self._pace = max(0.5, 0.8 * self._pace)
        self._changed_at = now
        self._limiter.pace(self._pace)


class Throttle:
    """A middleware: each attempt waits for the limiter, each 429 starts a cooldown for all requests.

    A cooldown is as long as ``Retry-After`` says, and at most a day; then requests are sent again.

    Args:
        limiter: the client's limiter.
        default_cooldown: seconds, for a 429 without ``Retry-After``.
        on_event: called with each `CooldownEvent`.
    """

    def __init__(
        self, limiter: Limiter, *, default_cooldown: float = 0.5, on_event: OnEvent = ignore
    ) -> None:
        self._limiter = limiter
        # A pace is learned by one client; a limiter that others share has a configured limit.
        self._learner = Learner(limiter) if isinstance(limiter, RateLimiter) else None
        self._default_cooldown = default_cooldown
        self._on_event = on_event

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """Waits for the request's turn, sends it, and returns the answer."""
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
        asked = retry_after_seconds(response)
        seconds = min(asked or self._default_cooldown, LONGEST_COOLDOWN)
        self._limiter.cool_down(seconds)
        self._on_event(CooldownEvent(operation=request.operation, seconds=seconds))
        is_shortened = asked is not None and asked > seconds
        logger.info(
            "%s: the API answered 429, no request leaves for %s%s",
            request.operation,
            in_seconds(seconds),
            f" (it asked for {asked:.3g} s)" if is_shortened else "",
            extra=fields(
                event="cooldown",
                operation=request.operation,
                seconds=seconds,
                retry_after=asked,
            ),
        )


def in_seconds(seconds: float) -> str:
    """Formats seconds with three significant digits, or as whole seconds from 100 on."""
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"
