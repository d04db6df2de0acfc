"""A ledger from a pipe is copied to a temporary file: private, limited in size, always removed."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paywint_async.reconcile import LedgerError
from paywint_async.reconcile._pipes import readable

DATA = b"Date,Amount\n2015-01-31,5\n"


@contextmanager
def fifo_with(path: Path, data: bytes) -> Iterator[str]:
    os.mkfifo(path)
    thread = threading.Thread(target=_write, args=(path, data))
    thread.start()
    yield str(path)
    thread.join()


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except BrokenPipeError:
        return


async def test_the_copy_is_readable_by_its_owner_only_and_is_removed(tmp_path: Path) -> None:
    with fifo_with(tmp_path / "fifo", DATA) as ledger:
        async with readable(ledger) as path:
            assert Path(path).read_bytes() == DATA
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert not os.path.exists(path)


async def test_a_pipe_with_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    with (
        fifo_with(tmp_path / "fifo", DATA * 100_000) as ledger,
        pytest.raises(LedgerError, match="the pipe has more than 1,000,000 bytes"),
    ):
        async with readable(ledger, most=1_000_000):
            pass


async def test_a_file_is_not_copied(tmp_path: Path) -> None:
    ledger = tmp_path / "books.csv"
    ledger.write_bytes(DATA)

    async with readable(str(ledger)) as path:
        assert path == str(ledger)
