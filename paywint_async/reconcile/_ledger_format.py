"""The options of reading a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo

import attrs

from paywint_async.reconcile._columns import Columns


@attrs.frozen(kw_only=True)
class LedgerFormat:
    """The format of a ledger; fields that are None are detected from the ledger itself.

    Args:
        columns: the names of the columns.
        direction: the compared direction: ``sent``, ``received`` or ``both``. If no column gives the
            direction of a row, its sign does: negative amounts were sent. With ``sent`` and a single
            column of amounts, all rows were sent and must have the same sign.
        zone: the time zone of the days, and of times that have none.
        paid_statuses: further words of the status column that mean ``success``.
        encoding: Python's name of a text file's encoding.
        delimiter: the character between the values of a text file.
        header_line: the line or row that names the columns, from 1; 0: there is none, and columns
            are called 1, 2 and so on.
        date_format: ``dmy``, ``mdy``, ``ymd``, or a format of `strptime`.
        decimal_mark: ``.`` or ``,``.
        sheet: the sheet of an Excel file.
        table: the table of a database.
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
