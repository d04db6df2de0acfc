"""Excel files as destinations. Needs the extra ``xlsx``.

A workbook cannot be continued, only written as a whole. So an export without a checkpoint writes it when
all payments are read. A table keeps its rows beside the workbook, as compressed JSON lines with a
checkpoint, where commits are durable and rows can be updated; at the end of a run the workbook is written
from them and replaces the former one.

The comment of a workbook's ZIP archive identifies the rows that it was written from. Programs that save a
workbook drop the comment, so manual changes are never overwritten.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import zipfile
import zlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import IO, Any, Generic, TypeVar
from uuid import UUID

import attrs
import msgspec

from paywint_async import HistoryEntry, Payment
from paywint_async.export._atomic_file import partial_path
from paywint_async.export._checkpoint import CheckpointFile, Extent
from paywint_async.export._compression import compression_of
from paywint_async.export._encoding import Encoding
from paywint_async.export._errors import ExportError, translated
from paywint_async.export._files import open_locked, put_in_place, replacement, temporary_path
from paywint_async.export._platform import system
from paywint_async.export._resumable import ResumableFile
from paywint_async.export._sink import Checkpoint
from paywint_async.export._workbook import Value, WorkbookWriter, check_texts

R = TypeVar("R", Payment, HistoryEntry)

_COLUMNS = tuple(field.name for field in attrs.fields(Payment))
_TEXTS = attrgetter(
    *("payer_name", "payee_name", "currency", "description", "payment_method"),
    *("receiving_method", "status", "failure_reason"),
)
_ROWS_AT_ONCE = 1000  # between two turns of the event loop
_MARK = "paywint-async rows {size} {tail}"

_values = attrgetter(*_COLUMNS)
_types: dict[str, Any] = {
    "amount": Decimal,
    "created_at": datetime,
    "payment_date": datetime | None,
}


def rows_path(output: str) -> str:
    """The path of the file that keeps the rows of a workbook."""
    return f"{output}.rows.jsonl.gz"


def sheets_path(output: str) -> str:
    """The folder of a workbook's sheets while it is written."""
    return f"{output}.sheets"


def _columns(direction: str) -> tuple[str, ...]:
    return ("direction", *_COLUMNS) if direction == "both" else _COLUMNS


def _rows_of(records: Sequence[Any]) -> list[tuple[Value, ...]]:
    rows: list[tuple[Value, ...]] = []
    for record in records:
        is_entry = isinstance(record, HistoryEntry)
        values = _values(record.payment if is_entry else record)
        texts = [str(value) if isinstance(value, UUID) else value for value in values]
        rows.append((record.direction, *texts) if is_entry else tuple(texts))
    return rows


def _check(records: Sequence[Any], output: str) -> None:
    for record in records:
        payment = record.payment if isinstance(record, HistoryEntry) else record
        check_texts(payment.payment_id, _TEXTS(payment), output)


def _refuse_special(path: str) -> None:
    if os.path.isdir(path):
        raise ExportError(f"cannot open {path}: Is a directory")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ExportError(f"{path} is not a regular file, as a workbook must be")


class XlsxFile(Generic[R]):
    """A sink that replaces a workbook once everything is written.

    An export that fails leaves the former workbook unchanged, and the payments written so far, as a
    workbook, in `partial_path`. Without any payments, no file is left.
    """

    def __init__(self, path: str, direction: str) -> None:
        _refuse_special(path)
        self._path = path
        self._real_path = os.path.realpath(path)
        self._part = partial_path(path)
        self._direction = direction
        self._file: IO[bytes] | None = None
        self._writer: WorkbookWriter | None = None
        self._is_empty = True

    async def open(self) -> Checkpoint | None:
        """Begins an empty workbook; returns None, since such an export cannot be continued."""
        self._fd = open_locked(self._part)
        self._file = os.fdopen(self._fd, "r+b", closefd=False)
        self._file.truncate(0)
        self._writer = WorkbookWriter(
            self._file, sheets_path(self._real_path), _columns(self._direction), self._path
        )
        return None

    async def write(self, page: Sequence[R]) -> None:
        """Adds the page."""
        assert self._writer is not None
        _check(page, self._path)
        self._is_empty = False
        self._writer.add(_rows_of(page))

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Does nothing: the file appears only when complete."""

    async def close(self, *, complete: bool) -> None:
        """Writes the workbook, and renames it to its target if it is complete."""
        file, self._file = self._file, None
        writer, self._writer = self._writer, None
        if file is None:
            return
        try:
            with translated(f"cannot write {self._path}"):
                if writer is None or (self._is_empty and not complete):
                    system.remove(self._part)
                    return
                await asyncio.to_thread(writer.finish)
                file.flush()
                if complete:
                    put_in_place(self._fd, self._part, self._real_path)
        finally:
            if writer is not None:
                writer.discard()
            file.close()
            system.close(self._fd)


class XlsxTable(Generic[R]):
    """A workbook with its rows and their checkpoint beside it.

    Args:
        path: of the workbook.
        direction: ``sent``, ``received`` or ``both``.
        encoding: of the rows: JSON lines.
        checkpoint: of the rows.
    """

    def __init__(
        self, path: str, direction: str, encoding: Encoding[R], checkpoint: CheckpointFile
    ) -> None:
        _refuse_special(path)
        self._path = path
        self._real_path = os.path.realpath(path)
        self._columns = _columns(direction)
        self._rows_path = rows_path(path)
        self._rows: ResumableFile[R] = ResumableFile(
            self._rows_path, encoding, checkpoint, compression_of(self._rows_path)
        )
        self._is_open = False
        fields = [(name, _types.get(name, str | None)) for name in self._columns]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("_Row", fields)).decode

    async def open(self) -> Checkpoint | None:
        """Opens the rows.

        Raises:
            ExportError: also if the workbook was changed, or was not written by an export.
        """
        self._read_mark()
        checkpoint = await self._rows.open()
        self._is_open = True
        return checkpoint

    async def write(self, page: Sequence[R]) -> None:
        """Appends the page to the rows."""
        _check(page, self._path)
        await self._rows.write(page)

    def pending(
        self, *, recheck_since: datetime | None = None
    ) -> AsyncGenerator[Sequence[UUID], None]:
        """Yields the ids of the payments that are not final; records the rows for `refresh`."""
        return self._rows.pending(recheck_since=recheck_since)

    async def refresh(self, payments: Sequence[Payment]) -> int:
        """Stores the present states of payments; the next commit rewrites the rows with them."""
        _check(payments, self._path)
        return await self._rows.refresh(payments)

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Fsyncs the rows, then replaces their checkpoint."""
        await self._rows.commit(checkpoint)

    async def close(self, *, complete: bool) -> None:
        """Rewrites the workbook if the reading is complete and the rows have changed.

        Cancellation: the former workbook stays; the next run writes the new one.
        """
        is_open, self._is_open = self._is_open, False
        try:
            if is_open and complete:
                await self._write_workbook()
        finally:
            await self._rows.close(complete=complete)

    async def _write_workbook(self) -> None:
        mark = _mark(self._rows.extent)
        if self._read_mark() == mark:
            return
        with (
            translated(f"cannot write {self._path}"),
            replacement(self._real_path) as fd,
            os.fdopen(fd, "r+b", closefd=False) as file,
        ):
            folder = sheets_path(self._real_path)
            writer = WorkbookWriter(file, folder, self._columns, self._path)
            try:
                for rows in self._read_rows():
                    writer.add(rows)
                    await asyncio.sleep(0)
                await asyncio.to_thread(writer.finish)
            finally:
                writer.discard()
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = mark
            file.flush()
            put_in_place(fd, temporary_path(self._real_path), self._real_path)
        system.close(fd)

    def _read_rows(self) -> Iterator[list[Any]]:
        damages = (EOFError, ValueError, zlib.error)
        try:
            with translated(f"cannot read {self._rows_path}"), gzip.open(self._rows_path) as lines:
                while batch := list(islice(lines, _ROWS_AT_ONCE)):
                    yield [msgspec.structs.astuple(self._decode(line)) for line in batch]
        except damages as error:
            raise ExportError(f"cannot read {self._rows_path}: it is damaged ({error})") from None

    def _read_mark(self) -> bytes:
        """Reads which rows the workbook was written from; empty if there is no workbook.

        Raises:
            ExportError: it was changed, or was not written by an export.
        """
        if not os.path.exists(self._path):
            return b""
        mark = b""
        with (
            contextlib.suppress(zipfile.BadZipFile),
            translated(f"cannot read {self._path}"),
            zipfile.ZipFile(self._path) as archive,
        ):
            mark = archive.comment
        if not mark.startswith(_MARK.partition("{")[0].encode()):
            raise ExportError(
                f"{self._path} was changed by another program, or was not written by a sync or an "
                "export with a checkpoint: move it away, and the next run writes it anew"
            )
        return mark


def _mark(extent: Extent) -> bytes:
    return _MARK.format(size=extent.size, tail=extent.tail).encode()
