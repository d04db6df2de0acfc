"""Shows the progress (payments, rate and time left) on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paywint_async.export._transfer import OnProgress


@contextmanager
def progress_bar(*, is_wanted: bool) -> Iterator[OnProgress]:
    """Yields a function that takes the payments done and the total, and shows them on a terminal.

    Args:
        is_wanted: False where results go to the same terminal.
    """
    if not is_wanted or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from paywint_async._cli.bar import shown_bar

    with shown_bar() as update:
        yield update
