"""Stops an iterator whose consumer was cancelled. Knows nothing of requests.

A cancelled await may be a timeout, after which the iterator is used again, or the end of its consumer;
the two cannot be told apart at that moment. So the iterator stays usable, and its requests end when it
is no longer referenced, or when the cancelled task has ended as cancelled: a task that is kept would
keep the iterator alive through its frames.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from types import CodeType
from typing import Any


class Consumer:
    """Remembers the task in which an await was last cancelled."""

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task: Callable[[], asyncio.Task[Any] | None] = _none

    def when_cancelled(self, step: CodeType, stop: Callable[[], None]) -> None:
        """Calls ``stop`` once the current task has ended as cancelled.

        Args:
            step: the code of ``__anext__``. A task that runs only this step, such as
                `asyncio.wait_for` creates before Python 3.12, is not the consumer.
            stop: must not keep the iterator alive.
        """
        task = asyncio.current_task()
        if task is None or task is self._task():
            return
        if getattr(task.get_coro(), "cr_code", None) is step:
            return
        self._task = weakref.ref(task)
        task.add_done_callback(lambda ended: stop() if ended.cancelled() else None)


def _none() -> None:
    return None
