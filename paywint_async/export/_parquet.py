"""A directory of Parquet parts, one for each commit. Needs the extra ``parquet``.

A part is written beside the directory and then renamed into it, with the checkpoint in its footer: one
rename commits data and checkpoint, and a reader finds complete files at any time. The directory has no
other files. The next commit replaces a part with few rows by one that begins with its rows, so that
small additions over years do not leave many tiny files.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import pyarrow as pa
import pyarrow.compute

from paywint_async import Direction, HistoryEntry, Payment
from paywint_async._models import FINAL_STATUSES
from paywint_async.export._changes import Known
from paywint_async.export._errors import ExportError, OutputInUseError, translated
from paywint_async.export._parts import (
    PartWriter,
    may_be_unfinished,
    read_batches,
    read_footer,
)
from paywint_async.export._platform import system
from paywint_async.export._sink import Checkpoint

R = TypeVar("R", Payment, HistoryEntry)

pc: Any = pyarrow.compute  # its functions are created at import, so type checkers do not see them
_VERSION = 1
_PART = re.compile(r"part-(\d{6,})\.parquet")
_FEW_ROWS = 10_000  # a part with fewer is continued
_FINAL = pa.array(FINAL_STATUSES, pa.string())


class ParquetTable(Generic[R]):
    """A table in a directory of Parquet files.

    Args:
        path: the directory; created if missing.
        direction: ``sent``, ``received`` or ``both``; rows of both have a column ``direction``.
        to_arrow: `payments_to_arrow`, or `entries_to_arrow` for both directions.
    """

    def __init__(
        self, path: str, *, direction: str, to_arrow: Callable[[Sequence[R]], Any]
    ) -> None:
        self._path = path.rstrip("/") or "/"
        self._direction = direction
        self._to_arrow: Callable[[Sequence[R]], Any] = to_arrow
        self._part = PartWriter(f"{os.path.realpath(self._path)}.tmp", to_arrow([]).schema)
        self._fd = -1
        self._is_opened = False
        self._count = 0  # the number of parts
        self._last_rows = 0  # in the last part
        self._listing: Checkpoint | None = None
        self._known = Known()  # the rows that may change
        self._changed: dict[str, Any] = {}

    async def open(self) -> Checkpoint | None:
        """Locks the directory, and removes the unfinished part of a commit that failed.

        Raises:
            ExportError: another export has locked it, it has other files, or a part is missing.
        """
        with translated(f"cannot open {self._path}"):
            os.makedirs(self._path, exist_ok=True)
            self._fd = self._lock()
            self._count = self._count_parts()
            self._discard_unfinished()
        if self._count:
            self._listing = self._read_checkpoint()
        return self._listing

    def _discard_unfinished(self) -> None:
        if not self._count and not may_be_unfinished(self._part.path):
            raise ExportError(f"{self._part.path} is not of this export: move it away")
        self._part.discard()
        self._is_opened = True

    async def write(self, page: Sequence[R]) -> None:
        """Adds the page; row groups are compressed and written as they fill."""
        batch = self._to_arrow(page)
        with translated(f"cannot write {self._part.path}"):
            self._begin_part(continue_last=self._last_rows < _FEW_ROWS)
            self._part.add([batch])

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Renames the new part into the directory, after the parts with changed rows."""
        with translated(f"cannot write {self._path}"):
            if self._changed:
                await self._rewrite()
            if self._part.is_open or checkpoint != self._listing or not self._count:
                self._begin_part(continue_last=True)
                self._last_rows = self._part.finish(
                    self._name(self._count), self._metadata(checkpoint)
                )
                self._count += 1
        self._listing = checkpoint

    async def pending(
        self, *, recheck_since: datetime | None = None
    ) -> AsyncGenerator[Sequence[UUID], None]:
        """Yields the ids of the payments that are not final; records the rows for `refresh`."""
        for number in range(self._count):
            for batch in read_batches(name := self._name(number)):
                try:
                    rows = batch.filter(_may_change(batch, recheck_since)).to_pylist()
                    ids = [UUID(row["payment_id"]) for row in rows if _is_open(row)]
                except (
                    OverflowError,
                    ValueError,
                ) as error:  # a time, text or id that Python cannot represent
                    raise ExportError(f"cannot read {name}: {error}") from None
                for row in rows:
                    self._known.note(_key(row), tuple(row.values()))
                await asyncio.sleep(0)
                if ids:
                    yield ids
            pa.default_memory_pool().release_unused()  # else it keeps the memory of the largest part

    async def refresh(self, payments: Sequence[Payment]) -> int:
        """Stores the present states of payments; the next commit replaces the parts that have them."""
        records = self._records(payments)
        rows = self._to_arrow(records).to_pylist()
        changed = {
            _key(row): record
            for row, record in zip(rows, records, strict=True)
            if self._known.take(_key(row), tuple(row.values()))
        }
        self._changed |= changed
        return len(changed)

    async def close(self, *, complete: bool) -> None:
        """Unlocks the directory; what is not committed is discarded."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            if self._is_opened:
                self._part.discard()
            system.close(fd)

    def _lock(self) -> int:
        fd = system.lock_directory(self._path)
        if fd is None:
            raise OutputInUseError(f"{self._path} is being written by another export")
        return fd

    def _count_parts(self) -> int:
        names = [name for name in os.listdir(self._path) if not name.startswith((".", "_"))]
        numbers = sorted(int(match[1]) for name in names if (match := _PART.fullmatch(name)))
        if len(numbers) < len(names):
            raise ExportError(
                f"{self._path} has files that are not of an export: choose another directory"
            )
        if numbers != list(range(len(numbers))):
            raise ExportError(
                f"{self._path} has lost a part: restore it, or remove the directory to start again"
            )
        return len(numbers)

    def _read_checkpoint(self) -> Checkpoint | None:
        name = self._name(self._count - 1)
        metadata, self._last_rows = read_footer(name)
        if metadata.get("version") != _VERSION:
            raise ExportError(f"{name} is of another version of this export")
        if metadata["direction"] != self._direction:
            raise ExportError(
                f"{self._path} belongs to a direction of {metadata['direction']!r}, "
                f"not {self._direction!r}"
            )
        listing: Checkpoint | None = metadata["listing"]
        return listing

    def _metadata(self, checkpoint: Checkpoint | None) -> dict[str, Any]:
        return {"version": _VERSION, "direction": self._direction, "listing": checkpoint}

    def _name(self, number: int) -> str:
        return f"{self._path}/part-{number:06}.parquet"

    def _begin_part(self, *, continue_last: bool) -> None:
        if self._part.is_open:
            return
        self._part.begin()
        if self._count and continue_last:
            self._count -= 1
            self._part.add(read_batches(self._name(self._count)))

    async def _rewrite(self) -> None:
        """Replaces each part that has changed rows; each replacement is atomic."""
        ids = pa.array({key[-36:] for key in self._changed})
        for number in range(self._count):
            if await self._has_any(number, ids):
                await self._rewrite_part(number)
        self._changed.clear()

    async def _has_any(self, number: int, ids: Any) -> bool:
        for batch in read_batches(self._name(number), ["payment_id"]):
            await asyncio.sleep(0)
            if pc.any(pc.is_in(batch["payment_id"], ids)).as_py():
                return True
        return False

    async def _rewrite_part(self, number: int) -> None:
        footer, _ = read_footer(self._name(number))
        self._part.begin()
        for batch in read_batches(self._name(number)):
            self._part.add([self._brought_up_to_date(batch)])
            await asyncio.sleep(0)
        self._part.finish(self._name(number), footer)

    def _brought_up_to_date(self, batch: Any) -> Any:
        keys = [_key(row) for row in batch.select(self._key_columns(batch)).to_pylist()]
        changed = [key for key in keys if key in self._changed]
        if not changed:
            return batch
        fresh = self._to_arrow([self._changed[key] for key in changed])
        place = {key: batch.num_rows + index for index, key in enumerate(changed)}
        indices = [place.get(key, index) for index, key in enumerate(keys)]
        both = pa.Table.from_batches([batch, fresh]).take(pa.array(indices))
        return both.combine_chunks().to_batches()[0]

    def _key_columns(self, batch: Any) -> list[str]:
        return [name for name in ("direction", "payment_id") if name in batch.schema.names]

    def _records(self, payments: Sequence[Payment]) -> Any:
        if self._direction != "both":
            return payments
        return [HistoryEntry(direction=d, payment=each) for each in payments for d in Direction]


def _key(row: dict[str, Any]) -> str:
    return f"{row.get('direction', '')}{row['payment_id']}"


def _may_change(batch: Any, recheck_since: datetime | None) -> Any:
    """Of each row, whether it is not final or was created since then."""
    is_open = pc.invert(pc.is_in(batch["status"], _FINAL))
    if recheck_since is None:
        return is_open
    since = pa.scalar(recheck_since, batch["created_at"].type)
    return pc.or_(is_open, pc.greater_equal(batch["created_at"], since))


def _is_open(row: dict[str, Any]) -> bool:
    return row["status"] not in FINAL_STATUSES
