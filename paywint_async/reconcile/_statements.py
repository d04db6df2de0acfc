"""Bank statements of all formats, as tables of entries with fixed column names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

import attrs

from paywint_async.reconcile._columns import find_columns
from paywint_async.reconcile._csv_records import NumberedRecord
from paywint_async.reconcile._layout import Layout
from paywint_async.reconcile._ledger_format import LedgerFormat

_NAMES = (
    *("date", "amount", "description", "currency", "status", "direction"),
    *("transaction id", "bank reference", "name", "entry"),
)


@attrs.frozen(kw_only=True)
class StatementEntry:
    """An entry of a statement.

    ``amount`` is negative if money left the account; ``line`` and ``text`` are its place and its text
    in the file. ``status`` is ``success`` if it is booked.
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
        kind: the name of its format, for messages.
        entries: all entries.
        format: the given format.
    """

    def __init__(
        self, path: str, kind: str, entries: Sequence[StatementEntry], format: LedgerFormat
    ) -> None:
        self._kind = kind
        self._entries = entries
        self.name = path
        self.layout = Layout(places=find_columns(_NAMES, format.columns, path))
        lines = [each.line for each in entries]
        self.unit = "line" if len(set(lines)) == len(lines) else "entry"

    def _place(self, number: int) -> int:
        """Return an entry's line, or its number if several entries share a line."""
        return self._entries[number].line if self.unit == "line" else number + 1

    def records(self) -> Iterator[NumberedRecord]:
        """Yield all entries."""
        for number, each in enumerate(self._entries):
            direction = "sent" if each.amount < 0 else "received"
            values = (
                *(each.date, each.amount, each.description, each.currency, each.status, direction),
                *(each.transaction_id, each.reference, each.name, str(number + 1)),
            )
            yield self._place(number), values

    def sources(self) -> Iterator[tuple[int, str]]:
        """Yield the entries as they are in the file."""
        return ((self._place(number), each.text) for number, each in enumerate(self._entries))

    def found(self) -> list[str]:
        """Return the name of the format."""
        return [self._kind]
