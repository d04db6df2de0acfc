"""`paywint reconcile`: the output of other commands as a ledger; exit codes and JSON."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from comparison_samples import kinds
from effort import slow_but
from export_destinations import KINDS, output_in

Command = Callable[..., Any]

FINAL = {"success", "failed", "rejected", "expired", "retried"}
EMULATED = ("--emulator", 200)


# -- the output of other commands as a ledger ------------------------------------------------------


def without_password(output: str, use: Command) -> str:
    """Moves a password from the URL to the environment, since the command line refuses it."""
    match = re.fullmatch(r"((?:postgresql|mysql)://[^:]+):([^@]+)(@.*)", output)
    if match is None:
        return output
    use({"PGPASSWORD": match[2], "MYSQL_PWD": match[2]})
    return match[1] + match[3]


@pytest.mark.parametrize("kind", slow_but(KINDS, "csv", "sqlite"))
def test_a_synced_destination_agrees_and_a_stale_status_is_found(
    paywint: Command, serve: Command, use: Command, tmp_path: Path, kind: str
) -> None:
    account = serve(payments=120)
    use(account.environment)
    ledger = without_password(output_in(tmp_path, kind), use)
    assert paywint("sync", ledger, "--direction", "both").code == 0

    outcome = paywint("reconcile", ledger, "--direction", "both")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "the books agree")

    open_payment = next(e for e, s in account.truth().items() if s not in FINAL)
    account.let("pay", open_payment)
    stale = paywint("reconcile", ledger, "--direction", "both", "--json")
    assert (stale.code, kinds(json.loads(stale.out))) == (3, {"status": 1})
    assert paywint("sync", ledger, "--direction", "both").code == 0
    assert paywint("reconcile", ledger, "--direction", "both").code == 0


@pytest.mark.parametrize("kind", ["csv.gz", *KINDS[KINDS.index("sqlite") + 1 :]])
def test_a_destination_agrees_after_a_killed_and_repeated_sync(
    paywint: Command,
    serve: Command,
    use: Command,
    start: Command,
    wait_until: Command,
    tmp_path: Path,
    kind: str,
) -> None:
    account = serve(payments=200, latency=0.02)
    use(account.environment)
    ledger = without_password(output_in(tmp_path, kind), use)
    process = start("sync", ledger, "--rows-per-page", 10, "--concurrency", 2)
    wait_until(process, lambda: account.request_count > 8)
    process.kill()
    process.wait()

    assert paywint("sync", ledger).code == 0
    assert paywint("reconcile", ledger).code == 0


@pytest.mark.parametrize(("direction", "ending"), [("sent", "csv"), ("received", "parquet")])
def test_a_ledger_of_one_direction_agrees_with_that_direction(
    paywint: Command, tmp_path: Path, direction: str, ending: str
) -> None:
    path, account = tmp_path / f"a.{ending}", ("--emulator", 100, "--direction", direction)
    assert paywint("sync", path, *account).code == 0

    assert paywint("reconcile", path, *account).code == 0


def test_a_missing_database_is_not_created(paywint: Command, tmp_path: Path) -> None:
    outcome = paywint("reconcile", f"sqlite:///{tmp_path}/no.db", *EMULATED)

    assert (outcome.code, outcome.out, os.listdir(tmp_path)) == (1, "", [])
    assert "there is no such file" in outcome.err


def test_another_table_of_a_database_may_be_the_ledger(paywint: Command, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "books.db")) as database:
        database.execute('CREATE TABLE "the books" (ref TEXT, amount REAL)')
        database.execute("INSERT INTO \"the books\" VALUES ('INV-1', 1.1)")
        database.commit()
    ledger = f"sqlite:///{tmp_path}/books.db"

    missing = paywint("reconcile", ledger, *EMULATED)
    outcome = paywint(
        *("reconcile", ledger, *EMULATED, "--table", "the books", "--invoice-column", "ref")
    )

    assert (missing.code, outcome.code) == (1, 1)
    assert "no such table: paywint_payments" in missing.err
    assert "row 1, column 'amount': 1.1 is a float, in which cents are not exact" in outcome.err


def test_payments_newer_than_the_ledger_are_missing_in_it(
    paywint: Command, serve: Command, use: Command, tmp_path: Path
) -> None:
    account = serve(payments=100)
    use(account.environment)
    ledger = tmp_path / "a.csv"
    paywint("sync", ledger)
    account.let("pay", next(e for e, s in account.truth().items() if s not in FINAL))
    account.arrive(20)

    outcome = paywint("reconcile", ledger, "--json")

    told = json.loads(outcome.out)
    new = list(account.truth().values())[:20]
    assert outcome.code == 3
    assert kinds(told) == {"missing_in_ledger": new.count("success"), "status": 1}


def test_a_month_is_compared_with_a_long_history(paywint: Command, tmp_path: Path) -> None:
    whole, month = tmp_path / "whole.csv", tmp_path / "month.csv"
    account = ("--emulator", 2000)
    paywint("export", *account, "--output", whole)
    with whole.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    days = [row for row in rows if "2015-01-04" <= (row["payment_date"] or "")[:10] <= "2015-01-05"]
    with month.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(days)

    period = ("--since", "2015-01-04", "--until", "2015-01-05")
    assert paywint("reconcile", month, *account, *period).code == 0
    assert paywint("reconcile", month, *account).code == 3


# -- output and exit codes -------------------------------------------------------------------------


def test_results_go_to_stdout_and_a_line_to_stderr(paywint: Command, tmp_path: Path) -> None:
    ledger = tmp_path / "a.csv"
    ledger.write_text("payment_id,amount\n")

    outcome = paywint("reconcile", ledger, "--emulator", 20, "--limit", 2)

    assert outcome.code == 3
    assert outcome.out.startswith("RECEIVED")
    assert outcome.out.count("\nmissing in the ledger  ") == 3  # --limit 2, and the sum
    assert outcome.err.startswith("paywint: the books differ: ")
    assert outcome.err.count("\n") == 1


def test_a_ledger_that_cannot_be_read_is_not_a_difference(
    paywint: Command, tmp_path: Path, serve: Command, use: Command
) -> None:
    account = serve(payments=5)
    use(account.environment)
    (tmp_path / "a.csv").write_text('payment_id,amount\n,"1_5"\n')

    outcome = paywint("reconcile", tmp_path / "a.csv", "--html", tmp_path / "a.html")

    assert (outcome.code, outcome.out) == (1, "")
    assert f"{tmp_path}/a.csv, line 2, column 'amount': '1_5' is not an amount" in outcome.err
    assert account.request_count == 0
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_history_that_cannot_be_proved_complete_gives_no_report(
    paywint: Command, tmp_path: Path, serve: Command, use: Command
) -> None:
    account = serve(payments=300, latency=0.01)
    use(account.environment)
    (tmp_path / "a.csv").write_text("payment_id,amount\n")
    account.after_requests(3, lambda emulator: emulator.delete("received", 100))

    outcome = paywint(
        *("reconcile", tmp_path / "a.csv", "--html", tmp_path / "a.html"),
        *("--concurrency", 1, "--rows-per-page", 10),
    )

    assert (outcome.code, outcome.out) == (1, "")
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--since", "2026-02-30"), "is not a day"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "--until is before --since"),
        (("--timezone", "Mars/Olympus"), "is not a known time zone"),
        (("--timezone", "../etc/passwd"), "is not a known time zone"),
        (("--delimiter", ";;"), "--delimiter must be"),
        (("--delimiter", "\\n"), "--delimiter must be"),
        (("--html", "-"), "--html must be"),
        (("--html", "nowhere/a.html"), "--html must be"),
        (("--html", "."), "--html must be"),
        (("--html", "./no.csv"), "--html must not be the ledger"),
        (("--date-window", "-1"), "is not a whole number"),
        (("--direction", "up"), "direction"),
        (("--table", ""), "--table must be"),
    ],
)
def test_wrong_usage_is_reported_before_anything_is_read(
    paywint: Command, options: tuple[str, ...], word: str
) -> None:
    outcome = paywint("reconcile", "no.csv", *EMULATED, *options)

    assert (outcome.code, outcome.out) == (2, "")
    assert word in outcome.err


def test_missing_credentials_are_wrong_usage(paywint: Command, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("payment_id,amount\n")

    assert paywint("reconcile", tmp_path / "a.csv").code == 2


def test_the_html_report_is_written_in_addition_to_json(paywint: Command, tmp_path: Path) -> None:
    ledger, page = tmp_path / "a.csv", tmp_path / "a.html"
    ledger.write_text("payment_id,amount\n")

    outcome = paywint("reconcile", ledger, *EMULATED, "--html", page, "--json")

    assert (outcome.code, json.loads(outcome.out)["agrees"]) == (3, False)
    assert page.read_bytes().startswith(b"<!doctype html>")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_interrupted_comparison_leaves_the_existing_report(
    tmp_path: Path,
    serve: Command,
    use: Command,
    start: Command,
    end: Command,
    wait_until: Command,
    number: signal.Signals,
    code: int,
) -> None:
    account = serve(payments=2000, latency=0.1)
    use(account.environment)
    ledger, page = tmp_path / "a.csv", tmp_path / "a.html"
    ledger.write_text("payment_id,amount\n")
    page.write_text("last month's")

    process = start("reconcile", ledger, "--html", page, "--concurrency", 1)
    wait_until(process, lambda: account.request_count > 2)
    process.send_signal(number)
    outcome = end(process)

    assert (outcome.code, outcome.out) == (code, "")
    assert page.read_text() == "last month's"


def test_a_missing_parquet_extra_is_reported(tmp_path: Path, start: Command, end: Command) -> None:
    hidden = tmp_path / "hidden" / "pyarrow"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError('no pyarrow', name='pyarrow')\n")
    environment = os.environ | {"PYTHONPATH": str(hidden.parent)}

    outcome = end(start("reconcile", "a.parquet", *EMULATED, env=environment))

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "paywint: Parquet ledgers need an extra: pip install 'paywint-async[parquet]'\n"
    )


@pytest.mark.parametrize(
    "columns", slow_but([(), ("--id-column", ""), ("--id-column", "", "--date-column", "")], ())
)
@pytest.mark.parametrize("direction", ["received", "both"])
def test_an_export_for_a_spreadsheet_agrees(
    paywint: Command,
    serve: Command,
    use: Command,
    tmp_path: Path,
    direction: str,
    columns: tuple[str, ...],
) -> None:
    use(serve(payments=200).environment)  # some texts would be formulas
    plain, guarded = tmp_path / "plain.csv", tmp_path / "guarded.csv"
    account = ("--direction", direction)
    assert paywint("export", "--output", plain, *account).code == 0
    assert paywint("export", "--output", guarded, "--spreadsheet", *account).code == 0
    assert guarded.read_text("utf-8-sig") != plain.read_text()

    reports = [
        json.loads(paywint("reconcile", each, *account, *columns, "--json").out)
        for each in (plain, guarded)
    ]

    assert kinds(reports[1]) == kinds(reports[0])
    assert columns or kinds(reports[1]) == {}
