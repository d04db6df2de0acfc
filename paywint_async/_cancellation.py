"""What becomes of an iterator whose await was cancelled. Knows nothing of requests.

A cancelled await may be a timeout, after which the iterator is used again, or the end of its consumer;
at that moment nobody can tell which. So the iterator stays usable, and its requests end when it is no
longer referred to, or when the task that was cancelled has ended as cancelled: its frames can keep the
iterator alive for as long as somebody keeps the task.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from types import CodeType
from typing import Any


class Consumer:
    """The task in which an await was cancelled last."""

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task: Callable[[], asyncio.Task[Any] | None] = _none

    def when_cancelled(self, step: CodeType, stop: Callable[[], None]) -> None:
        """Calls ``stop`` once the current task has ended as cancelled.

        Args:
            step: the code of ``__anext__``. A task that is nothing but one such step, as
                `asyncio.wait_for` makes it before Python 3.12, says nothing of the consumer.
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
