"""What statements of banks have in common, whatever their format: entries under fixed names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

import attrs

from paywint_async.reconcile._columns import find_columns
from paywint_async.reconcile._layout import Layout, Record
from paywint_async.reconcile._ledger_format import LedgerFormat

_NAMES = (
    *("date", "amount", "description", "currency", "status", "direction"),
    *("transaction id", "bank reference", "name", "entry"),
)


@attrs.frozen(kw_only=True)
class Entry:
    """An entry of a statement.

    ``amount`` is negative where money left the account; ``line`` and ``text`` are where it stands in
    the file, and as it stands there. ``status`` is ``success`` for what is booked.
    """

    line: int
    text: str
    date: date | datetime | None
    amount: Decimal
    description: str | None = None
    currency: str | None = None
    status: str = "success"
    transaction_id: str | None = None
    reference: str | None = None
    name: str | None = None


class StatementTable:
    """The entries of a file as a table.

    Args:
        path: of the file.
        kind: of it, as people call it.
        entries: all of them.
        format: as told.
    """

    def __init__(
        self, path: str, kind: str, entries: Sequence[Entry], format: LedgerFormat
    ) -> None:
        self._kind = kind
        self._entries = entries
        self.name = path
        self.layout = Layout(places=find_columns(_NAMES, format.columns, path))
        lines = [each.line for each in entries]
        self.unit = "line" if len(set(lines)) == len(lines) else "entry"

    def _place(self, number: int) -> int:
        """Its line; where several entries share a line, its number."""
        return self._entries[number].line if self.unit == "line" else number + 1

    def records(self) -> Iterator[Record]:
        """All entries."""
        for number, each in enumerate(self._entries):
            direction = "sent" if each.amount < 0 else "received"
            values = (
                *(each.date, each.amount, each.description, each.currency, each.status, direction),
                *(each.transaction_id, each.reference, each.name, str(number + 1)),
            )
            yield self._place(number), values

    def sources(self) -> Iterator[tuple[int, str]]:
        """The same as they stand in the file."""
        return ((self._place(number), each.text) for number, each in enumerate(self._entries))

    def found(self) -> list[str]:
        """The format."""
        return [self._kind]
