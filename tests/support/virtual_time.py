"""The suite's event loop: real sockets, and a virtual clock that jumps.

A test never waits for a timer. When nothing is ready to run and no socket has data, the loop
moves its clock to the next timer instead of sleeping until then, so an hour of backoff costs about
a millisecond, and traffic on loopback costs no virtual time at all.

The clock cannot see work outside the loop. Jobs handed to an executor are counted, and while one
is running the clock keeps pace with real time. Other threads and subprocesses are invisible: mark
a test that talks to one with `@pytest.mark.real_time`.

It knows nothing of the package under test.
"""

from __future__ import annotations

import asyncio
import math
import select
import selectors
import time
from collections.abc import Callable
from typing import Any

# How long an idle loop listens before it jumps, so that bytes in transit between two loopback
# sockets arrive before the timeout that waits for them.
GRACE_SECONDS = 0.001
# Nine of ten jumps are shorter than this. Before those it listens a tenth as long; otherwise the
# suite would spend a fifth of its time listening. Such jumps cannot end a timeout of seconds too
# early: the clock runs at most a thousand times too fast.
SHORT_JUMP = 0.1
_NANOSECOND = 1e-9


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 1000.0 and moves only when all tasks wait.

    The start is a whole number because aiohttp rounds long timeouts up to whole loop seconds.
    """

    def __init__(self) -> None:
        self._now = 1000.0
        self._threads_at_work = 0
        super().__init__(self._make_selector())

    def _make_selector(self) -> selectors.BaseSelector:
        return _JumpingSelector(self)

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock; timers that are due run in the loop's next turn."""
        self._now += seconds
        # asyncio runs timers that are due before now plus this. After 194 days a nanosecond more is the
        # same float, and a timer that is due now would never run while the clock stands still.
        self._clock_resolution = max(_NANOSECOND, math.ulp(self._now))

    @property
    def has_threads_at_work(self) -> bool:
        """Whether an executor job is running, so that the clock may not jump."""
        return self._threads_at_work > 0

    def run_in_executor(
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Like the base class; the clock keeps pace with real time until the job is done."""
        future = super().run_in_executor(executor, func, *args)
        self._threads_at_work += 1
        future.add_done_callback(self._thread_is_done)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Like the base class; waiting for the threads is real work, not a timer to skip."""
        self._threads_at_work += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._threads_at_work -= 1

    def _thread_is_done(self, _future: asyncio.Future[Any]) -> None:
        self._threads_at_work -= 1


class SocketlessLoop(VirtualTimeLoop):
    """For programs that use no socket: the clock jumps at once, and stands still while a thread works.

    So each run of a program has the same history, and takes a thousandth of the time.
    """

    def hold(
        self, function: Callable[[], Any], future: asyncio.Future[Any] | None
    ) -> Callable[[], Any]:
        """Wraps a function that is called in a thread outside executors.

        The clock stands still until it has returned and its future, if there is one, is done.
        """
        self._threads_at_work += 1
        if future is not None:
            self._threads_at_work += 1
            future.add_done_callback(self._thread_is_done)

        def call() -> Any:
            try:
                return function()
            finally:
                self.call_soon_threadsafe(self._thread_is_done, None)

        return call

    def _thread_is_done(self, _future: Any) -> None:
        self._threads_at_work -= 1

    def _make_selector(self) -> selectors.BaseSelector:
        return _ImpatientSelector(self)


async def pass_time(seconds: float) -> None:
    """Let virtual time pass. It fails on a real loop, so that no test sleeps by mistake."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualTimeLoop):
        raise TypeError("pass_time needs the virtual clock, but this test has the real one")
    passed = loop.create_future()
    timer = loop.call_later(seconds, passed.set_result, None)
    try:
        await passed
    finally:
        timer.cancel()


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that moves the loop's clock instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            return super().select(None)
        if self._loop.has_threads_at_work:
            return self._select_in_real_time(timeout)
        if timeout > SHORT_JUMP or not hasattr(self, "fileno"):  # Windows' selector has no fileno
            ready = super().select(GRACE_SECONDS)
        else:
            # The selector itself would round that up to a millisecond.
            select.select([self], [], [], GRACE_SECONDS / 10)
            ready = super().select(0)
        if not ready:
            self._loop.advance(timeout)
        return ready

    def _select_in_real_time(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        started = time.monotonic()
        ready = super().select(timeout)
        self._loop.advance(min(timeout, time.monotonic() - started))
        return ready


class _ImpatientSelector(selectors.DefaultSelector):
    """A selector that moves the loop's clock instead of waiting, without listening first."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (timeout > 0 and self._loop.has_threads_at_work):
            return super().select(None)  # until the thread is done
        if timeout > 0:
            self._loop.advance(timeout)
        # Without sockets and threads nothing can arrive, and a check would cost a system call.
        return super().select(0) if self._loop.has_threads_at_work else []
