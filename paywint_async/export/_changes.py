"""Updates rows of a written file. Knows bytes and rows, no file names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Iterator, Sequence
from datetime import datetime
from typing import IO, Any
from uuid import UUID

from paywint_async import Payment
from paywint_async._models import FINAL_STATUSES
from paywint_async.export._encoding import Encoding

_ROWS_AT_ONCE = 1000  # between two turns of the event loop


class Known:
    """Digests of rows as they were read; a hundred thousand of them take 15 MB."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}  # hashes: of a key, and of its row

    def note(self, key: str, row: Hashable) -> None:
        """Records the row of a key."""
        self._rows[hash(key)] = hash(row)

    def take(self, key: str, row: Hashable) -> bool:
        """Records the row of a known key; returns whether it differs from the recorded one."""
        former = self._rows.get(hash(key))
        if former is None or former == hash(row):
            return False
        self.note(key, row)
        return True


class Changes:
    """Finds the rows that may change, and stores those that have changed since they were written.

    Args:
        encoding: of the rows.
    """

    def __init__(self, encoding: Encoding[Any]) -> None:
        self._encoding = encoding
        self._known = Known()  # the rows that may change
        self._changed: dict[str, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._changed)

    async def pending(
        self, file: IO[bytes], recheck_since: datetime | None
    ) -> AsyncGenerator[Sequence[UUID], None]:
        """Yields the ids of the rows of a file that are not final.

        These rows, and those created since `recheck_since`, are recorded for `take`.
        """
        rows = self._rows(file)
        while batch := [row for _, row in zip(range(_ROWS_AT_ONCE), rows, strict=False)]:
            ids = []
            for row in batch:
                key, status, created_at = self._encoding.identify(row)
                is_open = status not in FINAL_STATUSES
                if is_open:
                    ids.append(UUID(key[-36:]))
                if is_open or _is_since(recheck_since, created_at):
                    self._known.note(key, row)
            await asyncio.sleep(0)
            if ids:
                yield ids

    def take(self, payments: Sequence[Payment]) -> int:
        """Stores the rows of these payments that differ; returns their number."""
        changed = {
            key: row
            for payment in payments
            for key, row in self._encoding.rows_of(payment).items()
            if self._known.take(key, row)
        }
        self._changed |= changed
        return len(changed)

    async def copy(self, file: IO[bytes], write: Callable[[bytes], None]) -> None:
        """Copies header and rows, with changed rows instead of the former; clears the changes."""
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


def _is_since(since: datetime | None, created_at: str) -> bool:
    if since is None:
        return False
    moment = datetime.fromisoformat(created_at)
    if moment.tzinfo is None:
        raise ValueError(f"{created_at!r} has no time zone")
    return moment >= since
