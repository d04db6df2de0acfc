"""The progress bar; a separate module, because importing rich takes a tenth of the start-up time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

_BETWEEN_UPDATES = 0.1  # seconds


@contextmanager
def shown_bar() -> Iterator[Callable[[int, int | None], None]]:
    """Shows a bar on stderr; yields a function that takes the payments done and the total."""
    columns = (_Done(), BarColumn(), _Rate(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        yield _throttled(progress)


def _throttled(progress: Progress) -> Callable[[int, int | None], None]:
    task = progress.add_task("", total=None)
    next_update = 0.0

    def update(done: int, total: int | None) -> None:
        nonlocal next_update
        now = time.monotonic()
        if not next_update:  # payments of an earlier run must not count into the speed of this one
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
