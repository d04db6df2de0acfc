"""Pages fetched ahead: a bounded queue of requests under way, taken in page order.

The window owns the tasks: they refer neither to the iterator nor to its consumer. Each task only fetches
bytes; the consumer decodes them, so that the next request is sent before the decoding. A consumer that
is cancelled while it waits loses nothing: the page it waited for stays the first of the queue.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from paywint_async._errors import ClientClosedError

T = TypeVar("T")

_BUSY_AT_MOST = 0.002  # seconds, by the real clock
_LONG = 0.001  # seconds: a longer wait for a page is for the network, not for a turn of the loop


class _Entry(Generic[T]):
    """One page of the queue: its request, or (``task`` None) a request that was paused."""

    __slots__ = ("page_no", "task")

    def __init__(self, page_no: int, task: asyncio.Task[T] | None) -> None:
        self.page_no = page_no
        self.task = task


class _PutBack(Generic[T]):
    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


class Window(Generic[T]):
    """Pages that are requested and not yet taken, in order.

    Args:
        fetch: returns one page, in any form; its errors are raised where the page is taken.
        size: how many pages may wait or be under way. May be changed later.
        slots: limits the requests in flight; may be shared with other windows.
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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turned_at = 0.0
        # Number of pages left of the burst after which the consumer last waited for the network.
        self._urgent = 0
        self._is_closed = False
        self._is_paused = False
        self._queue: deque[_Entry[T] | _PutBack[T]] = deque()
        self._tasks: set[asyncio.Task[T]] = set()  # includes dropped tasks that have not ended

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def has_room(self) -> bool:
        """Whether one more page may be requested."""
        return len(self._queue) < self.size

    def ask(self, page_no: int) -> None:
        """Requests a page, to be taken after the others."""
        self._queue.append(_Entry(page_no, self._start(page_no)))

    def ask_first(self, page_no: int) -> None:
        """Requests a page, to be taken before the others."""
        self._queue.appendleft(_Entry(page_no, self._start(page_no)))

    def put_back(self, value: T) -> None:
        """Puts a page back, to be taken next."""
        self._queue.appendleft(_PutBack(value))

    async def take(self) -> T:
        """Waits for the first page, removes it and returns it.

        Raises:
            ClientClosedError: the window was closed.

        Cancellation: removes nothing; the request goes on, and the next call returns its page.
        """
        while True:
            self._check_open()
            if self._is_paused:
                self._resume()
            first = self._queue[0]
            if isinstance(first, _PutBack):
                self._queue.popleft()
                return first.value
            assert first.task is not None
            if not first.task.done():
                await self._wait(first.task)
                continue  # closed, paused or reordered meanwhile, perhaps
            self._queue.popleft()
            if not first.task.cancelled():
                return first.task.result()
            raise ClientClosedError("this listing was closed")

    async def turn(self) -> None:
        """Yields to the event loop if a request should start or other tasks should run.

        While the network is the bottleneck, each request is sent before the received page is decoded.
        Otherwise the loop turns at most 2 ms after its last turn: a turn for each page would also send
        each request by itself, which costs a third of the throughput where there is no latency.
        """
        is_urgent = self._urgent > 0
        self._urgent -= is_urgent
        if is_urgent or time.perf_counter() - self._turned_at > _BUSY_AT_MOST:
            await asyncio.sleep(0)
            self._turned_at = time.perf_counter()

    def drop(self) -> None:
        """Cancels every request under way, and forgets all pages."""
        self._queue.clear()
        self._cancel_tasks()

    def pause(self) -> None:
        """Cancels every request under way; the next `take` starts them again."""
        for entry in self._queue:
            if isinstance(entry, _Entry) and entry.task is not None and not entry.task.done():
                entry.task.cancel()
                entry.task = None
                self._is_paused = True

    def close(self) -> None:
        """Cancels every request for good; a task that waits gets ClientClosedError. Idempotent.

        May be called from any thread, as the garbage collector may run in another one.
        """
        self._is_closed = True
        self._queue.clear()
        if self._tasks and self._loop is not None and not self._loop.is_closed():
            if _running_loop() is self._loop:
                self._cancel_tasks()
            else:
                with suppress(RuntimeError):  # the loop has just ended
                    self._loop.call_soon_threadsafe(self._cancel_tasks)

    async def aclose(self) -> None:
        """Closes the window, and returns when every request has ended."""
        self.close()
        if self._tasks and _running_loop() is self._loop:
            await asyncio.wait(self._tasks)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClientClosedError("this listing was closed")

    async def _wait(self, first: asyncio.Task[T]) -> None:
        # Not `await first`: cancelling this task would cancel the request.
        started = time.perf_counter()
        try:
            await asyncio.wait((first,))
        finally:
            self._turned_at = time.perf_counter()
            self._urgent = self.size if self._turned_at - started > _LONG else 0

    def _start(self, page_no: int) -> asyncio.Task[T]:
        self._loop = asyncio.get_running_loop()
        task = self._loop.create_task(self._fetch_in_slot(page_no))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _resume(self) -> None:
        self._is_paused = False
        for entry in self._queue:
            if isinstance(entry, _Entry) and entry.task is None:
                entry.task = self._start(entry.page_no)

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not report it as never retrieved

    def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _fetch_in_slot(self, page_no: int) -> T:
        slots = self._slots
        await slots.acquire()
        try:
            return await self._fetch(page_no)
        finally:
            slots.release()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
