"""`paywint reconcile`: a correct ledger agrees, and each kind of difference is found."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from comparison_samples import kinds

Command = Callable[..., Any]
Row = dict[str, str]

EMULATED = ("--emulator", 200)


@pytest.fixture
def books(tmp_path: Path, paywint: Command) -> list[Row]:
    """A correct ledger: all received payments of the emulator."""
    path = tmp_path / "right.csv"
    assert paywint("export", *EMULATED, "--output", path).code == 0
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def compare(tmp_path: Path, paywint: Command) -> Command:
    """`compare(rows, *options)`: exit code and JSON report for a ledger of these rows."""

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


def test_an_export_agrees_with_its_account(compare: Command, books: list[Row]) -> None:
    code, told = compare(books)

    assert (code, told["agrees"], kinds(told), told["differences"]) == (0, True, {}, [])


def test_a_removed_row_is_missing_in_the_ledger(compare: Command, books: list[Row]) -> None:
    gone = of_status(books, "success")
    books.remove(gone)
    books.remove(of_status(books, "failed"))

    code, told = compare(books)

    assert (code, kinds(told)) == (3, {"missing_in_ledger": 1})
    (payment,) = told["differences"][0]["payments"]
    assert (payment["payment_id"], payment["amount"]) == (gone["payment_id"], gone["amount"])


def test_an_invented_row_is_missing_at_paywint(compare: Command, books: list[Row]) -> None:
    made_up = books[7] | {"payment_id": "00000000-0000-4000-8000-000000000000"}

    code, told = compare([*books, made_up])

    assert (code, kinds(told)) == (3, {"missing_at_paywint": 1})
    (row,) = told["differences"][0]["rows"]
    lines = sum(1 + "".join(map(str, each.values())).count("\n") for each in books)
    assert (row["line"], row["payment_id"]) == (lines + 2, made_up["payment_id"])


def test_a_changed_amount_is_reported_with_both_amounts(compare: Command, books: list[Row]) -> None:
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


def test_without_ids_equal_rows_agree_day_by_day(compare: Command, books: list[Row]) -> None:
    columns = ("amount", "payment_date", "status")
    rows = [{name: row[name] for name in columns} for row in books if row["status"] == "success"]

    code, told = compare(rows)

    assert (code, kinds(told)) == (0, {})
    assert told["matched_by"]["amount_and_date"] + told["matched_by"]["amount_and_day"] == len(rows)
    assert told["matched_by"]["amount_and_day"] > 0


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
