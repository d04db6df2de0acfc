"""``paywint reconcile``: a ledger against the history."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import attrs
from cyclopts import Parameter

from paywint_async._cli.account import open_account
from paywint_async._cli.options import (
    Count,
    Day,
    FileName,
    Number,
    Rows,
    Seconds,
    Selection,
    UsageError,
    checked_destination,
)
from paywint_async._cli.progress import progress_bar
from paywint_async._cli.report import say
from paywint_async.export import open_stdout
from paywint_async.reconcile import (
    Columns,
    LedgerFormat,
    Period,
    ReconcileOptions,
    Report,
    conclusion,
    json_chunks,
    text_lines,
    write_html,
)
from paywint_async.reconcile import reconcile as compare

BOOKS_DIFFER = 3


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ColumnNames:
    """The options that name a ledger's columns.

    Parameters
    ----------
    id_column
        With the payment's id; default: payment_id. Of this and the next, an empty name is none.
    invoice_column
        With the invoice number; default: invoice_number or invoice.
    description_column
        Default: description.
    amount_column
        Default: amount.
    date_column
        Default: payment_date, where that is empty created_at, else date.
    status_column
        Default: status, where there is one.
    direction_column
        With 'sent' or 'received'; default: direction, where there is one.
    currency_column
        Which must be USD; default: currency, where there is one.
    """

    id_column: str | None = None
    invoice_column: str | None = None
    description_column: str | None = None
    amount_column: str | None = None
    date_column: str | None = None
    status_column: str | None = None
    direction_column: str | None = None
    currency_column: str | None = None

    def as_told(self) -> Columns:
        """The same without the options' ending."""
        told = attrs.asdict(self)
        return Columns(**{option.removesuffix("_column"): name for option, name in told.items()})


_USUAL = ColumnNames()


async def reconcile(
    ledger: str,
    /,
    *,
    emulator: Number | None = None,
    emulator_latency: Seconds = 0.0,
    direction: Selection = "received",
    since: Day | None = None,
    until: Day | None = None,
    timezone: str = "UTC",
    date_window: Number = 3,
    json: Annotated[bool, Parameter(negative=())] = False,
    html: FileName | None = None,
    limit: Number = 100,
    columns: ColumnNames = _USUAL,
    paid_status: tuple[str, ...] = (),
    delimiter: str | None = None,
    table: str = "paywint_payments",
    concurrency: Count = 8,
    rows_per_page: Rows = 100,
) -> int:
    """Compare a ledger with the account: exit 0 where the books agree, 3 where they differ.

    A row and a payment belong together by the payment's id; else by an invoice number that stands in
    the payment's description, or by the whole description; else by amount and date, where only one
    assignment is possible. Every difference is explained: missing at Paywint or in the ledger, amount,
    status, duplicate, ambiguous. Payments count once they are paid (success); a row counts as paid
    where the ledger has no status column.

    Parameters
    ----------
    ledger
        A CSV file whose first line names the columns, or JSON lines (NAME.jsonl), also ending in .gz
        or .zst; Parquet: a file or a directory; sqlite:///FILE or postgresql://USER@HOST/DATABASE.
        Whatever 'paywint export' and 'paywint sync' write will do.
    emulator
        Compare with this many made-up payments in each direction: no account, no network.
    emulator_latency
        Seconds until the emulator answers.
    direction
        Which payments. Rows of the other direction are set aside; for both, a column or the sign of
        the amount (negative: sent) tells the direction.
    since
        The first day that is compared, such as 2026-01-01.
    until
        The last day that is compared.
    timezone
        In which days are counted, and of the ledger's times without a zone, such as Europe/Berlin.
    date_window
        Days between a row and a payment that are matched by their amount, at most.
    json
        Print the report as JSON, with all differences.
    html
        Write the report as a single HTML file, with plots, too.
    limit
        Differences printed at most.
    paid_status
        A word in the status column that means success, such as paid; may come several times.
    delimiter
        Between the values of a file of text: a character, or tab.
    table
        Of a database.
    concurrency
        Requests in flight at most.
    rows_per_page
        Payments asked for at once.
    """
    options = ReconcileOptions(
        ledger=checked_destination(ledger),
        format=LedgerFormat(
            columns=columns.as_told(),
            direction=direction,
            zone=_zone(timezone),
            paid_statuses=paid_status,
            delimiter=_checked_delimiter(delimiter),
            table=_checked_table(table),
            needs_dates=bool(since or until),
        ),
        period=_period(since, until),
        date_window=date_window,
    )
    _check_html(html, ledger)
    started = time.monotonic()
    listing = {"max_concurrency": concurrency, "rows_per_page": rows_per_page}
    async with open_account(emulator, emulator_latency) as client:
        with progress_bar(is_wanted=True) as show:
            report = await compare(client.payments, options, on_progress=show, **listing)
    if html is not None:
        write_html(report, html)
    if report.notes:
        say("; ".join(report.notes))
    await _print(report, limit, is_json=json)
    say(f"{conclusion(report)}; compared in {time.monotonic() - started:.1f} s")
    return 0 if report.agrees else BOOKS_DIFFER


def _check_html(html: str | None, ledger: str) -> None:
    """What could not be written, or would be lost, is told before minutes of reading."""
    if html is None:
        return
    folder = os.path.dirname(html) or "."
    if html in ("", "-") or os.path.isdir(html) or not os.path.isdir(folder):
        raise UsageError("--html must be a file's name, in a directory that is there")
    if os.path.realpath(html) == os.path.realpath(ledger):
        raise UsageError("--html must not be the ledger")


def _period(since: date | None, until: date | None) -> Period:
    if since and until and until < since:
        raise UsageError("--until is before --since")
    return Period(since=since, until=until)


def _checked_table(table: str) -> str:
    if not table:
        raise UsageError("--table must be a table's name")
    return table


_TAB = ("tab", "\\t")  # what can be typed


def _checked_delimiter(delimiter: str | None) -> str | None:
    if delimiter is None:
        return None
    if delimiter.lower() in _TAB:
        return "\t"
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError("--delimiter must be a single character, or tab")
    return delimiter


def _zone(name: str) -> tzinfo:
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        if not available_timezones():
            raise UsageError(
                f"--timezone: {name!r} is not known, because this system has no time zone data: "
                "'pip install tzdata' installs it"
            ) from None
        raise UsageError(f"--timezone: {name!r} is no time zone, such as Europe/Berlin") from None


async def _print(report: Report, limit: int, *, is_json: bool) -> None:
    stdout = open_stdout()
    if is_json:
        for chunk in json_chunks(report):
            await stdout.send(chunk)
    else:
        lines = (f"{line}\n" for line in text_lines(report, limit))
        await stdout.send("".join(lines).encode())
