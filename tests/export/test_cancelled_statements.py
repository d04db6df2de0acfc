"""A cancelled export to SQLite leaves no lock behind, at whatever statement it is cancelled."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from paywint_async import Payment
from paywint_async.export import make_table, transfer


@pytest.fixture
def without_collection() -> Iterator[None]:
    """A cycle of references stays, as it does in a program until the next collection."""
    gc.disable()
    yield
    gc.enable()


class CancelsAt:
    """Cancels the current task when SQLAlchemy executes a statement."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, *_arguments: Any) -> None:
        self._left -= 1
        if self._left == 0:
            (export,) = [task for task in asyncio.all_tasks() if task.get_name() == "export"]
            export.cancel()


@pytest.mark.usefixtures("without_collection")
async def test_no_statement_that_is_cancelled_keeps_the_lock(
    tmp_path: Path, read: Callable[..., Any], payments: list[Payment]
) -> None:
    number, has_ended = 0, False
    while not has_ended:
        number += 1
        path, cancels = tmp_path / f"{number}.db", CancelsAt(number)
        sa.event.listen(sa.Engine, "before_cursor_execute", cancels)
        table = make_table(f"sqlite:///{path}", "sent")
        export = asyncio.create_task(transfer(read(payments[:20]), table), name="export")
        try:
            await export
            has_ended = True
        except asyncio.CancelledError:
            pass
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", cancels)
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
        assert await transfer(read(payments[:20]), make_table(f"sqlite:///{path}", "sent")) in (
            0,
            20,
        )
    assert number > 5
