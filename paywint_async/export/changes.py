"""Rows of a written file that are brought up to date. Knows bytes and rows, no files' names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import IO, Any
from uuid import UUID

from paywint_async import Payment, PaymentStatus
from paywint_async.export.encoding import Encoding

_ROWS_AT_ONCE = 1000  # between two turns of the event loop


class Changes:
    """Which rows are not final, and which of them have changed since they were written.

    Args:
        encoding: of the rows.
    """

    def __init__(self, encoding: Encoding[Any]) -> None:
        self._encoding = encoding
        self._known: dict[str, int] = {}  # the hash of each row that is not final, by its key
        self._changed: dict[str, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._changed)

    async def pending(self, file: IO[bytes]) -> AsyncGenerator[Sequence[UUID], None]:
        """The ids in a file's rows that are not final; they are remembered for `take`."""
        rows = self._rows(file)
        while batch := [row for _, row in zip(range(_ROWS_AT_ONCE), rows, strict=False)]:
            ids = []
            for row in batch:
                key, status = self._encoding.identify(row)
                if not PaymentStatus(status).is_final:
                    self._known[key] = hash(row)
                    ids.append(UUID(key[-36:]))
            await asyncio.sleep(0)
            if ids:
                yield ids

    def take(self, payments: Sequence[Payment]) -> int:
        """Remembers the rows of these payments that differ; returns how many."""
        changed = [
            (key, row)
            for payment in payments
            for key, row in self._encoding.rows_of(payment).items()
            if self._known.get(key, hash(row)) != hash(row)
        ]
        for key, row in changed:
            self._known[key] = hash(row)
            self._changed[key] = row
        return len(changed)

    async def copy(self, file: IO[bytes], write: Callable[[bytes], None]) -> None:
        """Copies header and rows, changed rows in the place of the former; forgets the changes."""
        write(self._encoding.header)
        rows = self._rows(file)
        while batch := [row for _, row in zip(range(_ROWS_AT_ONCE), rows, strict=False)]:
            write(b"".join(map(self._now, batch)))
            await asyncio.sleep(0)
        self._changed.clear()

    def _now(self, row: bytes) -> bytes:
        return self._changed.get(self._encoding.identify(row)[0], row)

    def _rows(self, file: IO[bytes]) -> Iterator[bytes]:
        header = self._encoding.header
        if file.read(len(header)) != header:
            raise ValueError("it begins with other columns")
        return self._encoding.split(file)
