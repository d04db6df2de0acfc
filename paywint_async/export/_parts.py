"""Reads and writes the files of a Parquet directory.

Needs the extra ``parquet``. Knows no payments, and not what is in the checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from paywint_async.export._errors import ExportError, translated
from paywint_async.export._files import sync_directory

_KEY = b"paywint"  # of the footer's metadata
ROW_GROUP = 10_000


def may_be_unfinished(name: str) -> bool:
    """Whether a file is absent, or may be a part that a killed process has not finished."""
    try:
        with open(name, "rb") as file:
            return b"PAR1".startswith(file.read(4))
    except FileNotFoundError:
        return True


def read_footer(name: str) -> tuple[dict[str, Any], int]:
    """Reads the state of the export that a part records, and its number of rows.

    Raises:
        ExportError: it cannot be read, or is not a part of an export.
    """
    try:
        with _opened(name) as file:
            facts: dict[str, Any] = json.loads((file.metadata.metadata or {})[_KEY])
            return facts, file.metadata.num_rows
    except (pa.ArrowException, KeyError, ValueError):
        raise ExportError(f"{name} is not a part of an export") from None


def read_batches(name: str, columns: list[str] | None = None) -> Iterator[Any]:
    """Yields the rows of a part, a row group at a time.

    Raises:
        ExportError: it cannot be read.
    """
    try:  # without threads and prefetching, which would use more memory
        with _opened(name) as file:
            if file.num_row_groups:  # without any, pyarrow 18 fails
                yield from file.iter_batches(ROW_GROUP, columns=columns, use_threads=False)
    except pa.ArrowException as error:
        raise ExportError(f"cannot read {name}: {error}") from None


@contextlib.contextmanager
def _opened(name: str) -> Iterator[Any]:
    # Opened here, since pyarrow requires names in UTF-8, and interprets them as URIs.
    with (
        translated(f"cannot read {name}"),
        open(name, "rb") as file,
        pq.ParquetFile(file, pre_buffer=False, page_checksum_verification=True) as part,
    ):
        yield part


class PartWriter:
    """Writes a part.

    Args:
        path: of the file until it is complete.
        schema: of its rows.
    """

    def __init__(self, path: str, schema: Any) -> None:
        self.path = path
        self._schema = schema
        self._writer: Any = None
        self._batches: list[Any] = []
        self._rows = 0

    @property
    def is_open(self) -> bool:
        """Whether a part has been begun and not finished."""
        return self._writer is not None

    def begin(self) -> None:
        """Begins a part, in an empty file."""
        self._file = open(self.path, "wb")  # noqa: SIM115  (closed by `finish` or `discard`)
        self._writer = pq.ParquetWriter(self._file, self._schema, write_page_checksum=True)
        self._rows = 0

    def add(self, batches: Iterable[Any]) -> None:
        """Adds rows; they are compressed and written a row group at a time."""
        for batch in batches:
            self._batches.append(batch)
            self._rows += batch.num_rows
            if sum(each.num_rows for each in self._batches) >= ROW_GROUP:
                self._write_group()

    def finish(self, name: str, facts: dict[str, Any]) -> int:
        """Fsyncs the part and renames it; returns its number of rows.

        Args:
            name: the path of the complete part.
            facts: the state of the export, for the footer.
        """
        self._write_group()
        self._writer.add_key_value_metadata({_KEY: json.dumps(facts)})
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._writer = None
        os.replace(self.path, name)
        sync_directory(name)
        return self._rows

    def discard(self) -> None:
        """Removes the unfinished part, also one that a killed process has left."""
        writer, self._writer = self._writer, None
        self._batches.clear()
        if writer is not None:
            for each in (writer, self._file):
                with contextlib.suppress(OSError):  # a full disk takes no footer either
                    each.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _write_group(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches))
            self._batches.clear()
