"""`paywint reconcile`: weak evidence is reported before the differences, in every format."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparison_samples import kinds

Command = Callable[..., Any]
Row = dict[str, str]

EMULATED = ("--emulator", 200)


@pytest.fixture
def paid(tmp_path: Path, paywint: Command) -> list[Row]:
    """All successful received payments of the emulator, as rows of an export."""
    path = tmp_path / "right.csv"
    assert paywint("export", *EMULATED, "--output", path).code == 0
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["status"] == "success"]


@pytest.fixture
def write(tmp_path: Path) -> Command:
    """`write(header, rows)`: writes a ledger with these; its path."""

    def write_rows(header: list[str], rows: list[list[str]], delimiter: str = ",") -> Path:
        path = tmp_path / "books.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([header, *rows])
        return path

    return write_rows


def test_a_ledger_with_only_descriptions_and_amounts_is_compared(
    paywint: Command, write: Command, paid: list[Row]
) -> None:
    times = Counter((row["description"].casefold(), row["amount"]) for row in paid)
    own = [row for row in paid if times[row["description"].casefold(), row["amount"]] == 1]
    own = [row for row in own if row["description"].strip()]
    path = write(["description", "amount"], [[row["description"], row["amount"]] for row in own])

    outcome = paywint("reconcile", path, *EMULATED, "--json")

    told = json.loads(outcome.out)
    assert kinds(told) == {"missing_in_ledger": len(paid) - len(own)}
    assert told["matched_by"]["description"] == len(own) > 40


def test_a_known_date_column_is_used_and_others_are_reported(
    paywint: Command, write: Command, paid: list[Row]
) -> None:
    header = ["id", "Amount", "Fee", "Created (UTC)", "Available On (UTC)", "Description"]
    rows = [
        [f"txn_{number}", row["amount"], "0.30", row["payment_date"][:16].replace("T", " "), "", ""]
        for number, row in enumerate(paid)
    ]

    outcome = paywint("reconcile", write(header, rows), *EMULATED, "--json")

    told = json.loads(outcome.out)
    assert (outcome.code, kinds(told)) == (0, {})
    assert "date 'Created (UTC)'" in outcome.err
    assert "not used: 'Fee', 'Available On (UTC)'" in outcome.err


def test_weak_evidence_is_one_line_before_the_differences_and_in_every_report(
    paywint: Command, tmp_path: Path, write: Command, paid: list[Row]
) -> None:
    kept = [*paid[:40], *paid[41:]]
    path = write(["date", "amount"], [[row["payment_date"], row["amount"]] for row in kept])
    note = "no row names a payment by its id: rows are matched by amount and day"
    page = tmp_path / "a.html"

    command = ("reconcile", path, *EMULATED, "--date-window", 0)
    text = paywint(*command, "--html", page)
    document = json.loads(paywint(*command, "--json").out)

    first, last = text.err.splitlines()
    assert first == f"paywint: {note}"
    assert last.startswith("paywint: the books differ")
    assert text.out.startswith(f"note: {note}\n")
    assert document["notes"] == [note]
    assert note.capitalize() in page.read_text().split("Differences")[0]


def test_too_little_evidence_is_refused_before_anything_is_requested(
    paywint: Command, serve: Command, use: Command, write: Command
) -> None:
    account = serve(payments=5)
    use(account.environment)

    outcome = paywint("reconcile", write(["date", "amount"], [["", "1"], ["", "2"]]))

    assert (outcome.code, outcome.out, account.request_count) == (1, "", 0)
    assert "so nothing can be compared" in outcome.err


def test_a_tab_can_be_typed_in_a_shell(paywint: Command, write: Command) -> None:
    path = write(["date", "amount"], [["2015-01-01", "1.00"]], delimiter="\t")

    for typed in ("\\t", "tab", "TAB", "\t"):
        assert paywint("reconcile", path, *EMULATED, "--delimiter", typed).code == 3


def test_a_long_text_of_an_export_is_read_back(
    paywint: Command, write: Command, paid: list[Row]
) -> None:
    long = [row | {"description": row["description"] + "x" * 140_000} for row in paid[:2]]
    path = write(list(paid[0]), [list(row.values()) for row in [*long, *paid[2:]]])

    assert paywint("reconcile", path, *EMULATED).code == 0


def test_missing_time_zone_data_is_reported_with_what_to_install(
    tmp_path: Path, start: Command, end: Command
) -> None:
    hidden = tmp_path / "hidden" / "tzdata"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError('no tzdata', name='tzdata')\n")
    environment = os.environ | {"PYTHONPATH": str(hidden.parent), "PYTHONTZPATH": ""}
    command = ("reconcile", "a.csv", *EMULATED, "--timezone", "Europe/Berlin")

    outcome = end(start(*command, env=environment))

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(
        "paywint: --timezone: 'Europe/Berlin' is not known, because this system has no time zone "
        "data: 'pip install tzdata' installs it"
    )
