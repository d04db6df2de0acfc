"""Pages fetched ahead: a bounded queue of requests under way, taken in page order.

Tasks belong to the window and to nobody else: they hold neither the iterator nor its consumer, and
the window's end is theirs. Each fetches bytes only; the consumer decodes, so that the next request
leaves before the decoding.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

from paywint_async._errors import ClientClosedError

T = TypeVar("T")

_BUSY_AT_MOST = 0.002  # seconds, by the real clock
_LONG = 0.001  # seconds: who waits so long for a page waits for the network, not for its own turn


class _PutBack(Generic[T]):
    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


class Window(Generic[T]):
    """Pages that are asked for and not yet taken, in order.

    Args:
        fetch: brings one page, in whatever form; its errors are raised where the page is taken.
        size: how many pages may wait or be under way. May be changed later.
        slots: bounds the requests in flight, also together with those of other windows.
    """

    def __init__(
        self,
        fetch: Callable[[int], Coroutine[Any, Any, T]],
        size: int,
        slots: asyncio.Semaphore | None = None,
    ) -> None:
        self.size = size
        self._fetch = fetch
        self._slots = slots or asyncio.Semaphore(size)
        self._turned_at = 0.0
        self._urgent = (
            0  # so many pages are still of one burst, for which the network was waited for
        )
        self._awaited: asyncio.Task[T] | None = None
        self._is_closed = False
        self._queue: deque[asyncio.Task[T] | _PutBack[T]] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def has_room(self) -> bool:
        """Whether one more page may be asked for."""
        return len(self._queue) < self.size

    def ask(self, page_no: int) -> None:
        """Asks for a page, to be taken after the others."""
        self._queue.append(asyncio.create_task(self._fetch_in_slot(page_no)))

    def ask_first(self, page_no: int) -> None:
        """Asks for a page, to be taken before the others."""
        self._queue.appendleft(asyncio.create_task(self._fetch_in_slot(page_no)))

    def put_back(self, value: T) -> None:
        """Makes a page that was taken the next one again."""
        self._queue.appendleft(_PutBack(value))

    async def take(self) -> T:
        """The first page, once it is there.

        Cancellation: that page's request ends too.
        """
        first = self._queue.popleft()
        if isinstance(first, _PutBack):
            return first.value
        if first.done():
            return first.result()
        started = time.perf_counter()
        page = await self._wait(first)
        self._urgent = self.size if self._turned_at - started > _LONG else 0
        return page

    async def turn(self) -> None:
        """Lets the event loop turn, where something should leave or somebody else should run.

        While the network is what is waited for, each request leaves before the page in hand is
        decoded. Otherwise the loop turns at the latest 2 ms after it last did: to turn for each page
        would also wake the server for each, which costs a third of the throughput without latency.
        """
        is_urgent = self._urgent > 0
        self._urgent -= is_urgent
        if is_urgent or time.perf_counter() - self._turned_at > _BUSY_AT_MOST:
            await asyncio.sleep(0)
            self._turned_at = time.perf_counter()

    async def _wait(self, first: asyncio.Task[T]) -> T:
        # When the consumer is cancelled here, asyncio cancels the task and waits for its end.
        self._awaited = first
        try:
            return await first
        except asyncio.CancelledError:
            if not self._is_closed or _is_cancelled():
                raise
        finally:
            self._awaited = None
            self._turned_at = time.perf_counter()
        raise ClientClosedError("this listing was closed")

    async def drop(self) -> None:
        """Ends every request under way, and returns when they have ended."""
        tasks = [entry for entry in self._queue if not isinstance(entry, _PutBack)]
        self._queue.clear()
        await _end(tasks)

    async def aclose(self) -> None:
        """As `drop`, and for good: whoever waits for a page gets ClientClosedError."""
        self._is_closed = True
        if self._awaited is not None:
            await _end([self._awaited])
        await self.drop()

    async def _fetch_in_slot(self, page_no: int) -> T:
        slots = self._slots
        await slots.acquire()
        try:
            return await self._fetch(page_no)
        finally:
            slots.release()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    running = [task for task in tasks if not _is_over(task)]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
        for task in running:
            _is_over(task)


def _is_over(task: asyncio.Task[Any]) -> bool:
    if task.done() and not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it as never retrieved
    return task.done()
