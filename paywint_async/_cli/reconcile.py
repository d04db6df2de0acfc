"""``paywint reconcile``: compares a ledger with the history."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from paywint_async._cli.account import open_account
from paywint_async._cli.ledger_options import ColumnNames, LedgerOptions, TextForm
from paywint_async._cli.ledger_options import save_profile as save_profile_file
from paywint_async._cli.moments import read_zone
from paywint_async._cli.options import (
    Count,
    Day,
    DirectionChoice,
    FileName,
    Number,
    RowsPerPage,
    Seconds,
    UsageError,
    checked_destination,
)
from paywint_async._cli.progress import progress_bar
from paywint_async._cli.report import say
from paywint_async.export import open_stdout
from paywint_async.reconcile import (
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
from paywint_async.reconcile._explain import explain as explain_ledger

BOOKS_DIFFER = 3


def _refuse_option(_type: object, ledger: str) -> None:
    """Refuse a ledger that begins with a hyphen: it is a mistyped option. `-` alone is stdin."""
    if ledger.startswith("-") and ledger != "-":
        raise ValueError(f"there is no option {ledger}")


Ledger: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_refuse_option)]
_NO_NAMES = ColumnNames()
_NO_FORM = TextForm()


async def reconcile(
    ledger: Ledger,
    /,
    *,
    emulator: Number | None = None,
    emulator_latency: Seconds = 0.0,
    direction: DirectionChoice = "received",
    since: Day | None = None,
    until: Day | None = None,
    timezone: str = "UTC",
    date_window: Number = 3,
    json: bool = False,
    html: FileName | None = None,
    limit: Number = 100,
    columns: ColumnNames = _NO_NAMES,
    form: TextForm = _NO_FORM,
    paid_status: tuple[str, ...] = (),
    profile: FileName | None = None,
    save_profile: FileName | None = None,
    explain: bool = False,
    table: str = "paywint_payments",
    concurrency: Count = 8,
    rows_per_page: RowsPerPage = 100,
) -> int:
    """Compare a ledger with the account: exit 0 if the books agree, 3 if they differ.

    A row is matched to a payment by the payment's id; else by an invoice number found in the
    payment's description, or by the whole description; else by amount and date, if only one
    assignment is possible, or if each day has as many rows as payments. Every difference is
    explained: missing at Paywint or in the ledger, amount, status, duplicate, ambiguous. Payments
    count once they are paid (success); if the ledger has no status column, every row counts as paid.

    Parameters
    ----------
    ledger
        A table as text (CSV, TSV, …) or Excel (.xlsx), a bank statement (OFX, QFX, CAMT.053, MT940),
        or JSON lines (NAME.jsonl); text also compressed (.gz, .zst); Parquet: a file or a directory;
        sqlite:///FILE or postgresql://USER@HOST/DATABASE; a pipe, or - for stdin. Everything that
        'paywint export' and 'paywint sync' write can be read.
    emulator
        Compare with this many payments of an emulator in each direction: no account, no network.
    emulator_latency
        Seconds until the emulator answers.
    direction
        Which payments to compare. Rows of the other direction are ignored; with both, a column or the
        sign of the amount (negative: sent) gives the direction.
    since
        The first day to compare, such as 2026-01-01.
    until
        The last day to compare.
    timezone
        Time zone of the days, and of times in the ledger that name none, such as Europe/Berlin.
    date_window
        The largest number of days between a row and a payment that are matched by amount.
    json
        Print the report as JSON, with all differences.
    html
        Write the report as a single HTML file, with plots, too.
    limit
        The largest number of differences printed.
    paid_status
        A word in the status column that means success, such as paid; can be repeated.
    profile
        A TOML file with the options for columns and format, such as date-format = "dmy".
    save_profile
        Write such a file, with the options given and what was detected.
    explain
        Print how the ledger is read, with three rows, and compare nothing.
    table
        The table of a database.
    concurrency
        The largest number of requests in flight.
    rows_per_page
        Payments per request: 10, 20, 50 or 100.
    """
    given = LedgerOptions(columns=columns, form=form, paid_statuses=paid_status)
    given = given.with_profile(profile)
    options = ReconcileOptions(
        ledger=checked_destination(ledger),
        format=LedgerFormat(
            columns=given.columns.as_columns(),
            direction=direction,
            zone=read_zone(timezone),
            paid_statuses=given.paid_statuses,
            table=_checked_table(table),
            needs_dates=bool(since or until),
            **given.checked_form(),
        ),
        period=_period(since, until),
        date_window=date_window,
    )
    _check_written("--html", html, ledger)
    _check_written("--save-profile", save_profile, ledger)
    if explain:
        found = await _explain(ledger, options.format)
        _save(save_profile, given, found)
        return 0
    started = time.monotonic()
    listing = {"max_concurrency": concurrency, "rows_per_page": rows_per_page}
    async with open_account(emulator, emulator_latency) as client:
        with progress_bar(is_wanted=True) as show:
            report = await compare(client.payments, options, on_progress=show, **listing)
    if html is not None:
        write_html(report, html)
    _save(save_profile, given, report.found_options)
    await _print(report, limit, is_json=json)
    say(f"{conclusion(report)}; compared in {time.monotonic() - started:.1f} s")
    return 0 if report.agrees else BOOKS_DIFFER


async def _explain(ledger: str, format: LedgerFormat) -> Mapping[str, str]:
    """Print how the ledger is read; return the options that were detected."""
    reading = await explain_ledger(ledger, format)
    await _send(f"{line}\n" for line in reading.lines)
    return reading.found_options


def _check_written(option: str, path: str | None, ledger: str) -> None:
    """Refuse a file that cannot be written, or would overwrite the ledger, before reading starts."""
    if path is None:
        return
    folder = os.path.dirname(path) or "."
    if path in ("", "-") or os.path.isdir(path) or not os.path.isdir(folder):
        raise UsageError(f"{option} must be the name of a file in an existing directory")
    if os.path.realpath(path) == os.path.realpath(ledger):
        raise UsageError(f"{option} must not be the ledger")


def _save(path: str | None, given: LedgerOptions, found: Mapping[str, str]) -> None:
    if path is not None:
        save_profile_file(path, given, found)


def _period(since: date | None, until: date | None) -> Period:
    if since and until and until < since:
        raise UsageError("--until is before --since")
    return Period(since=since, until=until)


def _checked_table(table: str) -> str:
    if not table:
        raise UsageError("--table must be a table's name")
    return table


async def _print(report: Report, limit: int, *, is_json: bool) -> None:
    if report.notes:
        say("; ".join(report.notes))
    if is_json:
        await _send(json_chunks(report))
    else:
        await _send(f"{line}\n" for line in text_lines(report, limit))


async def _send(chunks: Iterable[bytes | str]) -> None:
    stdout = open_stdout()
    texts: list[str] = []
    for chunk in chunks:
        if isinstance(chunk, bytes):
            await stdout.send(chunk)
        else:
            texts.append(chunk)
    if texts:
        await stdout.send("".join(texts).encode("utf-8", "replace"))
