"""`paywint reconcile`: what the books are compared with, what is found, and what a script is told."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from destinations import KINDS, output_in

Command = Callable[..., Any]
Row = dict[str, str]

FINAL = {"success", "failed", "rejected", "expired", "retried"}
EMULATED = ("--emulator", 200)


@pytest.fixture
def books(tmp_path: Path, paywint: Command) -> list[Row]:
    """The ledger that is right: all received payments of the emulator."""
    path = tmp_path / "right.csv"
    assert paywint("export", *EMULATED, "--output", path).code == 0
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def compare(tmp_path: Path, paywint: Command) -> Command:
    """`compare(rows, *options)`: exit code and document for a ledger of these rows."""

    def run(rows: list[Row], *options: object) -> tuple[int, Any]:
        path = tmp_path / "books.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        outcome = paywint("reconcile", path, *EMULATED, "--json", *options)
        return outcome.code, json.loads(outcome.out)

    return run


def of_status(rows: list[Row], status: str) -> Row:
    return next(row for row in rows if row["status"] == status)


def kinds(document: Any) -> dict[str, int]:
    return {kind: count for kind, count in document["kinds"].items() if count}


# -- one kind of difference at a time --------------------------------------------------------------


def test_an_export_agrees_with_where_it_came_from(compare: Command, books: list[Row]) -> None:
    code, told = compare(books)

    assert (code, told["agrees"], kinds(told), told["differences"]) == (0, True, {}, [])


def test_a_row_that_is_taken_out_is_missing_in_the_ledger(
    compare: Command, books: list[Row]
) -> None:
    gone = of_status(books, "success")
    books.remove(gone)
    books.remove(of_status(books, "failed"))

    code, told = compare(books)

    assert (code, kinds(told)) == (3, {"missing_in_ledger": 1})
    (payment,) = told["differences"][0]["payments"]
    assert (payment["payment_id"], payment["amount"]) == (gone["payment_id"], gone["amount"])


def test_a_row_that_is_made_up_is_missing_at_paywint(compare: Command, books: list[Row]) -> None:
    made_up = books[7] | {"payment_id": "00000000-0000-4000-8000-000000000000"}

    code, told = compare([*books, made_up])

    assert (code, kinds(told)) == (3, {"missing_at_paywint": 1})
    (row,) = told["differences"][0]["rows"]
    lines = sum(1 + "".join(map(str, each.values())).count("\n") for each in books)
    assert (row["line"], row["payment_id"]) == (lines + 2, made_up["payment_id"])


def test_a_changed_amount_is_told_with_both(compare: Command, books: list[Row]) -> None:
    row = of_status(books, "success")
    before = row["amount"]
    row["amount"] = str(Decimal(before) + Decimal("0.01"))

    code, told = compare(books)

    assert (code, kinds(told)) == (3, {"amount": 1})
    (difference,) = told["differences"]
    assert difference["rows"][0]["amount"] == row["amount"]
    assert difference["payments"][0]["amount"] == before
    assert told["statements"][0]["steps"][-1]["amount"] == "-0.01"


def test_a_failed_payment_that_is_booked_as_paid_differs_in_status(
    compare: Command, books: list[Row]
) -> None:
    row = of_status(books, "failed")
    row["status"] = "success"

    code, told = compare(books)

    assert (code, kinds(told)) == (3, {"status": 1})
    assert told["differences"][0]["payments"][0]["payment_id"] == row["payment_id"]


def test_a_doubled_row_is_a_duplicate(compare: Command, books: list[Row]) -> None:
    code, told = compare([*books, books[3]])

    assert (code, kinds(told)) == (3, {"duplicate": 1})
    assert len(told["differences"][0]["rows"]) == 2


def test_without_ids_twins_are_ambiguous(compare: Command, books: list[Row]) -> None:
    columns = ("amount", "payment_date", "status")
    rows = [{name: row[name] for name in columns} for row in books if row["status"] == "success"]

    code, told = compare(rows)

    assert code == 3
    assert set(kinds(told)) == {"ambiguous"}
    matched = told["statements"][0]["steps"][0]["ledger"]["count"]
    assert matched > 100
    assert {each["evidence"] for each in told["differences"]} == {"amount_and_date"}


# -- what was written by other commands ------------------------------------------------------------


def without_password(output: str, use: Command) -> str:
    """A password is not for the command line."""
    match = re.fullmatch(r"(postgresql://[^:]+):([^@]+)(@.*)", output)
    if match is None:
        return output
    use({"PGPASSWORD": match[2]})
    return match[1] + match[3]


@pytest.mark.parametrize("kind", KINDS)
def test_what_sync_keeps_agrees_and_what_is_spoiled_in_it_is_found(
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
def test_a_sync_that_was_killed_and_run_again_agrees(
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
def test_a_ledger_of_one_direction_agrees_with_that(
    paywint: Command, tmp_path: Path, direction: str, ending: str
) -> None:
    path, account = tmp_path / f"a.{ending}", ("--emulator", 100, "--direction", direction)
    assert paywint("sync", path, *account).code == 0

    assert paywint("reconcile", path, *account).code == 0


def test_a_database_that_is_not_there_is_not_made(paywint: Command, tmp_path: Path) -> None:
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


def test_what_comes_after_the_ledger_is_missing_in_it(
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


# -- what a script is told -------------------------------------------------------------------------


def test_results_go_to_stdout_and_a_line_to_stderr(paywint: Command, tmp_path: Path) -> None:
    ledger = tmp_path / "a.csv"
    ledger.write_text("payment_id,amount\n")

    outcome = paywint("reconcile", ledger, "--emulator", 20, "--limit", 2)

    assert outcome.code == 3
    assert outcome.out.startswith("RECEIVED")
    assert outcome.out.count("\nmissing in the ledger  ") == 3  # one of them is the sum's
    assert outcome.err.startswith("paywint: the books differ: ")
    assert outcome.err.count("\n") == 1


def test_a_ledger_that_cannot_be_read_is_no_difference(
    paywint: Command, tmp_path: Path, serve: Command, use: Command
) -> None:
    account = serve(payments=5)
    use(account.environment)
    (tmp_path / "a.csv").write_text('payment_id,amount\n,"1,5"\n')

    outcome = paywint("reconcile", tmp_path / "a.csv", "--html", tmp_path / "a.html")

    assert (outcome.code, outcome.out) == (1, "")
    assert f"{tmp_path}/a.csv, line 2, column 'amount': '1,5' is not an amount" in outcome.err
    assert account.request_count == 0
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_history_that_cannot_be_proved_complete_claims_nothing(
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
        (("--timezone", "Mars/Olympus"), "is no time zone"),
        (("--timezone", "../etc/passwd"), "is no time zone"),
        (("--delimiter", ";;"), "--delimiter must be"),
        (("--html", "-"), "--html must be"),
        (("--html", "nowhere/a.html"), "--html must be"),
        (("--html", "."), "--html must be"),
        (("--html", "./no.csv"), "--html must not be the ledger"),
        (("--date-window", "-1"), "is not a whole number"),
        (("--direction", "up"), "direction"),
        (("--table", ""), "--table must be"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_read(
    paywint: Command, options: tuple[str, ...], word: str
) -> None:
    outcome = paywint("reconcile", "no.csv", *EMULATED, *options)

    assert (outcome.code, outcome.out) == (2, "")
    assert word in outcome.err


def test_without_credentials_it_is_wrong_usage(paywint: Command, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("payment_id,amount\n")

    assert paywint("reconcile", tmp_path / "a.csv").code == 2


def test_all_options_reach_the_ledger(paywint: Command, tmp_path: Path, books: list[Row]) -> None:
    names = {
        "id": "payment_id",
        "invoice": "payer_id",
        "description": "description",
        "amount": "amount",
        "date": "created_at",
        "status": "status",
        "currency": "currency",
    }
    ledger = tmp_path / "other.csv"
    with ledger.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow([f"the {role}" for role in names])
        for row in books:
            told = [row[name] for name in names.values()]
            writer.writerow(["Paid" if value == "success" else value for value in told])
    options = [each for role in names for each in (f"--{role}-column", f"the {role}")]

    outcome = paywint(
        *("reconcile", ledger, *EMULATED, *options, "--delimiter", ";", "--paid-status", "paid"),
        *("--timezone", "Europe/Berlin", "--json"),
    )

    assert (outcome.code, json.loads(outcome.out)["timezone"]) == (0, "Europe/Berlin")


def test_the_page_is_written_whatever_comes_to_stdout(paywint: Command, tmp_path: Path) -> None:
    ledger, page = tmp_path / "a.csv", tmp_path / "a.html"
    ledger.write_text("payment_id,amount\n")

    outcome = paywint("reconcile", ledger, *EMULATED, "--html", page, "--json")

    assert (outcome.code, json.loads(outcome.out)["agrees"]) == (3, False)
    assert page.read_bytes().startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_an_interrupted_comparison_leaves_the_former_report(
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


def test_without_the_extra_parquet_that_is_said(
    tmp_path: Path, start: Command, end: Command
) -> None:
    hidden = tmp_path / "hidden" / "pyarrow"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError('no pyarrow', name='pyarrow')\n")
    environment = os.environ | {"PYTHONPATH": str(hidden.parent)}

    outcome = end(start("reconcile", "a.parquet", *EMULATED, env=environment))

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "paywint: Parquet ledgers need an extra: pip install 'paywint-async[parquet]'\n"
    )
