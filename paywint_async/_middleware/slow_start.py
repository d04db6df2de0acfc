"""Slow start: limits the requests in flight while the server's rate limit is unknown.

No limit is published. A thousand tasks that start at once would get a thousand refusals, so few requests
are in flight at first, and every two successes allow one more: at the first 429 hardly more are in flight
than the limit allows. Listings limit their own requests and are exempt. A request that takes longer
than a second is no longer counted, so that one that hangs does not block the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable

from paywint_async._errors import RequestTimeoutError
from paywint_async._messages import Handler, Request, Response

HELD_AT_MOST = 1.0  # seconds
FIRST_IN_FLIGHT = 16  # enough for a web application that starts, and below any limit to be expected


class SlowStart:
    """A middleware: allows `FIRST_IN_FLIGHT` requests in flight, and more with each success.

    Cancellation: a cancelled waiter gives its place back.
    """

    def __init__(self) -> None:
        self._room = FIRST_IN_FLIGHT
        self._is_half = False
        self._places: _Places | None = None

    def __call__(self, request: Request, handler: Handler) -> Awaitable[Response]:
        """Waits for a place, sends the request, and returns the answer.

        Raises:
            RequestTimeoutError: there was no place before the operation's deadline.
        """
        return handler(request) if request.is_bounded else self._send(request, handler)

    async def _send(self, request: Request, handler: Handler) -> Response:
        places = self._open_places()
        place = places.take() or await places.wait(request)
        try:
            response = await handler(request)
        finally:
            places.free(place)
        if response.status < 400:
            self._is_half = not self._is_half
            if not self._is_half:
                self._room += 1
                places.give_back()
        return response

    def _open_places(self) -> _Places:
        loop = asyncio.get_running_loop()
        if self._places is None or self._places.loop is not loop:
            self._places = _Places(loop, self._room)
        return self._places


class _Places:
    """The places of one event loop, first come, first served; one timer serves all taken places."""

    def __init__(self, loop: asyncio.AbstractEventLoop, room: int) -> None:
        self.loop = loop
        self._left = room
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._held: dict[int, float] = {}  # taken places, in order, with the time at which they end
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> int | None:
        """Takes a place if one is left; returns its number, from 1."""
        if not self._left:
            return None
        self._left -= 1
        return self._hold()

    async def wait(self, request: Request) -> int:
        """Waits for a place and takes it.

        Raises:
            RequestTimeoutError: no place became free before the request's deadline.
        """
        turn = self.loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(request.deadline):
                await turn
            return self._hold()
        except TimeoutError:
            self._leave(turn)
        except asyncio.CancelledError:
            self._leave(turn)
            raise
        message = f"{request.operation}: no turn before its deadline"
        error = RequestTimeoutError(message, sent=False)
        error.attempts = request.attempt - 1
        raise error

    def give_back(self) -> None:
        """Adds a place: for the request that has waited longest, else for the next one."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._left += 1

    def _leave(self, turn: asyncio.Future[None]) -> None:
        if (
            turn.done() and not turn.cancelled()
        ):  # it was given a place in the same step of the loop
            self.give_back()
        turn.cancel()

    def free(self, place: int) -> None:
        """Gives a place back when its request ends, unless it was held for too long before."""
        if self._held.pop(place, None) is not None:
            self.give_back()

    def _hold(self) -> int:
        self._last += 1
        until = self._held[self._last] = self.loop.time() + HELD_AT_MOST
        if self._timer is None:
            self._timer = self.loop.call_at(until, self._free_late_ones)
        return self._last

    def _free_late_ones(self) -> None:
        self._timer, now = None, self.loop.time()
        for place, until in list(self._held.items()):
            if until > now:
                self._timer = self.loop.call_at(until, self._free_late_ones)
                return
            self.free(place)
