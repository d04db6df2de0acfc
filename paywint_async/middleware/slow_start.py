"""Layer 2: how many requests a client dares to have in flight before it knows the server's limit.

No limit is published. A thousand tasks that start at once would learn it by a thousand refusals, so
the first few go alone, and each two successes make room for one more: when the first 429 comes, less
than the limit plus a handful is under way. The listings bound themselves and pass freely; and a
request that hangs frees its place after a second, so that it cannot keep healthy ones waiting.
"""

from __future__ import annotations

import asyncio

from paywint_async.errors import RequestTimeoutError
from paywint_async.messages import Handler, Request, Response

HELD_AT_MOST = 1.0  # seconds
FIRST_IN_FLIGHT = 16  # more than a web app needs at its start, less than any limit worth the name


class SlowStart:
    """A middleware: lets `FIRST_IN_FLIGHT` requests leave at once, and more with each success.

    Cancellation: a waiter that is cancelled gives its place back.
    """

    def __init__(self) -> None:
        self._room = FIRST_IN_FLIGHT
        self._is_half = False
        self._places: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """The answer, once there was a place.

        Raises:
            RequestTimeoutError: no place before the operation's deadline.
        """
        if request.is_bounded:
            return await handler(request)
        places = self._open_places()
        await _take(places, request)
        place = _Place(places)
        hold = asyncio.get_running_loop().call_later(HELD_AT_MOST, place.free)
        try:
            response = await handler(request)
        finally:
            hold.cancel()
            place.free()
        if response.status < 400:
            self._grow(places)
        return response

    def _open_places(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._places is None or self._loop is not loop:
            self._places, self._loop = asyncio.Semaphore(self._room), loop
        return self._places

    def _grow(self, places: asyncio.Semaphore) -> None:
        self._is_half = not self._is_half
        if not self._is_half:
            self._room += 1
            places.release()


class _Place:
    """One place, which is freed once: by its request's end, or when it was held too long."""

    __slots__ = ("_places",)

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places: asyncio.Semaphore | None = places

    def free(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.release()


async def _take(places: asyncio.Semaphore, request: Request) -> None:
    if not places.locked():
        await places.acquire()  # does not wait
        return
    try:
        async with asyncio.timeout_at(request.deadline):
            await places.acquire()
            return
    except TimeoutError:
        pass
    raise RequestTimeoutError(f"{request.operation}: no turn before its deadline", sent=False)
