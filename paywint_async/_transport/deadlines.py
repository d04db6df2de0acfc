"""Timeouts of many tasks with one timer. Knows nothing of requests.

`asyncio.timeout` creates, starts and cancels a timer for each request, which takes a twentieth of a
request's time. Requests rarely time out, so one timer for the earliest deadline is enough.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class Deadlines:
    """The deadlines of one event loop's tasks, at most one per task at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running: dict[asyncio.Task[Any], Deadline] = {}
        self._timer: asyncio.TimerHandle | None = None

    def until(self, moment: float) -> Deadline:
        """A context manager that raises TimeoutError when the loop's clock passes ``moment``."""
        return Deadline(self, moment)

    def begin(self, task: asyncio.Task[Any], deadline: Deadline) -> None:
        """Adds a task with its deadline."""
        self._running[task] = deadline
        if self._timer is None or self._timer.when() > deadline.moment:
            self._set_timer(deadline.moment)

    def end(self, task: asyncio.Task[Any]) -> None:
        """Removes a task. The timer stays: other tasks may need it."""
        self._running.pop(task, None)

    def close(self) -> None:
        """Ends all blocks at once, as if their deadlines had passed."""
        if self._timer is not None:
            self._timer.cancel()
        self._let_pass(float("inf"))

    def _set_timer(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(moment, self._look)

    def _look(self) -> None:
        self._timer = None
        self._let_pass(self._loop.time())
        moments = [d.moment for d in self._running.values() if not d.is_past]
        if moments:
            self._set_timer(min(moments))

    def _let_pass(self, now: float) -> None:
        for task, deadline in self._running.items():
            if deadline.moment <= now and not deadline.is_past:
                deadline.is_past = True
                task.cancel()


class Deadline:
    """A block with a deadline; made by `Deadlines.until`."""

    __slots__ = ("_cancelling", "_deadlines", "_task", "is_past", "moment")

    def __init__(self, deadlines: Deadlines, moment: float) -> None:
        self._deadlines = deadlines
        self.moment = moment
        self.is_past = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines.begin(task, self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.end(self._task)
        # As in asyncio.timeout: a timeout, unless the task was also cancelled by somebody else.
        is_ours = self.is_past and self._task.uncancel() <= self._cancelling
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error
