"""Keeps the rows that contain a payment's id in a temporary SQLite database: there may be a million.

SQLite creates the database's file in the system's directory of temporary files, and removes it with
the connection; what fits into its cache is never written.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from paywint_async.reconcile._records import LedgerRow, PaymentFact

_AT_ONCE = 2000  # rows that are inserted together
_IDS_AT_ONCE = 100  # that are looked up together
_CACHE = 64 << 10  # KiB
_COLUMNS = "place, amount, invoice, description, moment, status, fee"


class NamedRows:
    """Rows by the payment that they name, each added before that payment; most of them before any."""

    def __init__(self) -> None:
        # The thread that drops the last reference closes it, so SQLite must not check the thread.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._database.close)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE}"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute(f"CREATE TABLE named (key BLOB, {_COLUMNS})")
        self._waiting: list[tuple[Any, ...]] = []
        self._count = 0
        self._taken = bytearray(1)  # by the number of a row, from 1
        self._is_sealed = False

    def add(self, row: LedgerRow) -> None:
        """Add a row that names a payment."""
        assert row.payment_id is not None
        self._waiting.append(
            (
                _key(row.direction, row.payment_id),
                row.place,
                str(row.amount),
                _bytes(row.invoice),
                _bytes(row.description),
                row.when and row.when.isoformat(),
                _bytes(row.status),
                str(row.fee) if row.fee else None,
            )
        )
        if len(self._waiting) >= _AT_ONCE:
            self._write()

    def take(self, payments: Sequence[PaymentFact]) -> Mapping[bytes, list[LedgerRow]]:
        """Remove and return the rows that name some payments, by `key_of`."""
        self._seal()
        found: defaultdict[bytes, list[LedgerRow]] = defaultdict(list)
        if not self._count:
            return found
        for start in range(0, len(payments), _IDS_AT_ONCE):
            some = {key_of(each): each for each in payments[start : start + _IDS_AT_ONCE]}
            for values in self._named_by(list(some)):
                key, number = values[0], values[1]
                self._taken[number] = 1
                found[key].append(_row(values, some[key].direction, some[key].payment_id))
        return found

    def rest(self) -> Iterator[list[LedgerRow]]:
        """Yield the rows that were not taken, grouped by payment."""
        self._seal()
        numbers = [number for number in range(1, self._count + 1) if not self._taken[number]]
        groups: defaultdict[bytes, list[LedgerRow]] = defaultdict(list)
        for start in range(0, len(numbers), _IDS_AT_ONCE):
            some = numbers[start : start + _IDS_AT_ONCE]
            for values in self._select("rowid", some):
                key = values[0]
                direction = "sent" if key[:1] == b"s" else "received"
                groups[key].append(_row(values, direction, UUID(bytes=key[1:])))
        yield from groups.values()

    def _named_by(self, keys: Sequence[bytes]) -> Iterable[tuple[Any, ...]]:
        return self._select("key", keys)

    def _select(self, column: str, values: Sequence[object]) -> Iterable[tuple[Any, ...]]:
        places = ",".join("?" * len(values))
        query = f"SELECT key, rowid, {_COLUMNS} FROM named WHERE {column} IN ({places})"
        return self._database.execute(query, values)

    def _write(self) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(f"INSERT INTO named VALUES ({'?,' * 7}?)", self._waiting)
        self._database.execute("COMMIT")
        self._count += len(self._waiting)
        self._taken.extend(bytes(len(self._waiting)))
        self._waiting.clear()

    def _seal(self) -> None:
        """Create the index after the rows are inserted, which is many times faster than before."""
        if self._waiting:
            self._write()
        if not self._is_sealed:
            self._is_sealed = True
            self._database.execute("CREATE INDEX by_key ON named (key)")


def key_of(payment: PaymentFact) -> bytes:
    """Return the key by which a payment's rows are found."""
    return _key(payment.direction, payment.payment_id)


def _key(direction: str, payment_id: UUID) -> bytes:
    return (b"s" if direction == "sent" else b"r") + payment_id.bytes


def _row(values: Sequence[Any], direction: str, payment_id: UUID) -> LedgerRow:
    _, _, place, amount, invoice, description, moment, status, fee = values
    return LedgerRow(
        place=place,
        direction=direction,
        amount=Decimal(amount),
        payment_id=payment_id,
        invoice=_text(invoice),
        description=_text(description),
        when=datetime.fromisoformat(moment) if moment is not None else None,
        status=_text(status) or "",
        fee=Decimal(fee) if fee is not None else Decimal(0),
    )


def _bytes(text: str | None) -> bytes | None:
    """Encode a text, which SQLite would refuse if it has lone surrogates."""
    return text.encode("utf-8", "surrogatepass") if text is not None else None


def _text(data: bytes | None) -> str | None:
    return data.decode("utf-8", "surrogatepass") if data is not None else None
