"""The progress bar: payments, rate and time left, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

_BETWEEN_UPDATES = 0.1  # seconds: nobody reads faster

OnProgress = Callable[[int, int | None], None]


@contextmanager
def progress_bar(*, is_wanted: bool) -> Iterator[OnProgress]:
    """What to call with the payments done and the total; shows them where stderr is a terminal.

    Args:
        is_wanted: False where results go to the same terminal.
    """
    if not is_wanted or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = (_Done(), BarColumn(), _Rate(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        yield _throttled(progress)


def _throttled(progress: Progress) -> OnProgress:
    task = progress.add_task("", total=None)
    next_update = 0.0

    def update(done: int, total: int | None) -> None:
        nonlocal next_update
        now = time.monotonic()
        if not next_update:  # what an earlier run did must not count as this one's speed
            progress.reset(task, completed=done, total=total)
        elif now >= next_update:
            progress.update(task, completed=done, total=total)
        next_update = max(next_update, now + _BETWEEN_UPDATES)

    return update


class _Done(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f" of {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{total} payments")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")
