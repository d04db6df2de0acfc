"""A SQLite file that another program has locked: the wait is reported, and ends in one clear error."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paywint_async import Payment
from paywint_async.export import ExportError, make_table
from paywint_async.export import _database as database

Make = Callable[..., Payment]
LOCKS = {
    "reader": "SELECT count(*) FROM paywint_payments",
    "writer": "UPDATE paywint_checkpoints SET revision = revision",
}
EACH_LOCK = pytest.mark.parametrize("lock", LOCKS)


class Locker(logging.Handler):
    """Another program that holds a transaction until the log reports a wait for it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.messages: list[str] = []
        self.is_patient = False  # whether it ignores the log and keeps the lock

    def begin(self, lock: str) -> None:
        self._connection.execute("BEGIN")
        self._connection.execute(LOCKS[lock]).fetchall()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        if not self.is_patient:
            self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()
        super().close()


@pytest.fixture
async def locker(
    tmp_path: Path, payment: Make, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Locker]:
    """A file with one payment, and a program that can lock it; SQLite itself waits for 50 ms."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    table = make_table(f"sqlite:///{tmp_path}/payments.db", "sent")
    await table.open()
    await table.write([payment(1)])
    await table.commit({"delivered": 1})
    await table.close(complete=True)
    with closing(Locker(tmp_path / "payments.db")) as found:
        logger = logging.getLogger("paywint_async.export")
        logger.addHandler(found)
        yield found
        logger.removeHandler(found)


def rows_in(folder: Path) -> list[Any]:
    with closing(sqlite3.connect(folder / "payments.db")) as connection:
        return connection.execute("SELECT payment_id FROM paywint_payments").fetchall()


@EACH_LOCK
@pytest.mark.parametrize("moment", ["open", "write", "commit"])
async def test_a_lock_is_waited_for_and_reported_once(
    tmp_path: Path, payment: Make, locker: Locker, lock: str, moment: str
) -> None:
    if (lock, moment) == ("writer", "commit"):
        moment = "write"  # two writers: the second one already waits at its write
    url = f"sqlite:///{tmp_path}/payments.db"
    table = make_table(url, "sent")
    if moment == "open":
        locker.begin(lock)
    assert await table.open() == {"delivered": 1}
    if moment == "write":
        locker.begin(lock)
    await table.write([payment(number) for number in range(2, 2000)])
    if moment == "commit":
        locker.begin(lock)
    await table.commit({"delivered": 2})
    await table.close(complete=True)

    assert locker.messages == [f"{url} is locked by another program; waiting for it, 60 s at most"]
    assert len(rows_in(tmp_path)) == 1999


@EACH_LOCK
async def test_a_permanent_lock_is_one_error_and_nothing_is_partly_written(
    tmp_path: Path,
    payment: Make,
    locker: Locker,
    monkeypatch: pytest.MonkeyPatch,
    lock: str,
) -> None:
    monkeypatch.setattr(database, "LOCKED_AT_MOST", 0.1)
    url = f"sqlite:///{tmp_path}/payments.db"
    locker.is_patient = True
    table = make_table(url, "sent")
    await table.open()
    locker.begin(lock)

    with pytest.raises(ExportError) as caught:
        await table.write([payment(2)])
        await table.commit({"delivered": 2})
    await table.close(complete=False)

    assert str(caught.value) == (
        f"cannot write {url}: another program has had it locked for 0.1 s; end that one and run "
        "this again"
    )
    locker.close()
    assert len(rows_in(tmp_path)) == 1
