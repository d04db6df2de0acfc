"""How a ledger is read: what the options say, or None where the ledger itself shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo

import attrs

from paywint_async.reconcile._columns import Columns


@attrs.frozen(kw_only=True)
class LedgerFormat:
    """How a ledger is to be read; None: as the ledger itself shows.

    Args:
        columns: what they are called.
        direction: ``sent``, ``received`` or ``both``: what is compared. Where no column tells a
            row's direction, its sign does: what is negative was sent. Only in a ledger of ``sent``
            payments all rows are, and must have one sign, unless debits and credits have columns.
        zone: of times without one; and in which days are counted.
        paid_statuses: further words of the status column that mean ``success``.
        encoding: of a file of text, as Python calls it.
        delimiter: between the values of a file of text.
        header_line: the line or row that names the columns, from 1; 0: there is none, and columns
            are called 1, 2 and so on.
        date_format: ``dmy``, ``mdy``, ``ymd``, or a form of `strptime`.
        decimal_mark: ``.`` or ``,``.
        sheet: of an Excel file.
        table: of a database.
        needs_dates: whether a row without a date is refused.
    """

    columns: Columns = attrs.field(factory=Columns)
    direction: str = "received"
    zone: tzinfo = UTC
    paid_statuses: Sequence[str] = ()
    encoding: str | None = None
    delimiter: str | None = None
    header_line: int | None = None
    date_format: str | None = None
    decimal_mark: str | None = None
    sheet: str | None = None
    table: str = "paywint_payments"
    needs_dates: bool = False
