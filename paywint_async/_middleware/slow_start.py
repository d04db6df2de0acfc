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

LONGEST_HOLD = 1.0  # seconds
FIRST_IN_FLIGHT = 16  # enough for a web application that starts, and below any limit to be expected


class SlowStart:
    """A middleware: allows `FIRST_IN_FLIGHT` requests in flight, and more with each success.

    Cancellation: a cancelled waiter gives its slot back.
    """

    def __init__(self) -> None:
        self._room = FIRST_IN_FLIGHT
        self._is_half = False
        self._slots: _Slots | None = None

    def __call__(self, request: Request, handler: Handler) -> Awaitable[Response]:
        """Waits for a slot, sends the request, and returns the answer.

        Raises:
            RequestTimeoutError: there was no slot before the operation's deadline.
        """
        return handler(request) if request.is_bounded else self._send(request, handler)

    async def _send(self, request: Request, handler: Handler) -> Response:
        slots = self._open_slots()
        slot = slots.take() or await slots.wait(request)
        try:
            response = await handler(request)
        finally:
            slots.free(slot)
        if response.status < 400:
            self._is_half = not self._is_half
            if not self._is_half:
                self._room += 1
                slots.give_back()
        return response

    def _open_slots(self) -> _Slots:
        loop = asyncio.get_running_loop()
        if self._slots is None or self._slots.loop is not loop:
            self._slots = _Slots(loop, self._room)
        return self._slots


class _Slots:
    """The slots of one event loop, first come, first served; one timer serves all taken slots."""

    def __init__(self, loop: asyncio.AbstractEventLoop, room: int) -> None:
        self.loop = loop
        self._left = room
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taken: dict[int, float] = {}  # taken slots, in order, with the time at which they end
        self._last = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> int | None:
        """Takes a slot if one is left; returns its number, from 1."""
        if not self._left:
            return None
        self._left -= 1
        return self._hold()

    async def wait(self, request: Request) -> int:
        """Waits for a slot and takes it.

        Raises:
            RequestTimeoutError: no slot became free before the request's deadline.
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
        """Adds a slot: for the request that has waited longest, else for the next one."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._left += 1

    def _leave(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():  # it was given a slot in the same step of the loop
            self.give_back()
        turn.cancel()

    def free(self, slot: int) -> None:
        """Gives a slot back when its request ends, unless it was held for too long before."""
        if self._taken.pop(slot, None) is not None:
            self.give_back()

    def _hold(self) -> int:
        self._last += 1
        until = self._taken[self._last] = self.loop.time() + LONGEST_HOLD
        if self._timer is None:
            self._timer = self.loop.call_at(until, self._free_late_ones)
        return self._last

    def _free_late_ones(self) -> None:
        self._timer, now = None, self.loop.time()
        for slot, until in list(self._taken.items()):
            if until > now:
                self._timer = self.loop.call_at(until, self._free_late_ones)
                return
            self.free(slot)
