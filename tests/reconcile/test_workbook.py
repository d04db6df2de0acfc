"""Numbers of an Excel file are read as typed, or refused if a float has too few digits for cents."""

from __future__ import annotations

import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from ledger_reading import read, refusal


def book(folder: Path, amount: object) -> str:
    made = openpyxl.Workbook()
    made.active.append(["date", "amount"])
    made.active.append(["2026-01-31", amount])
    made.save(folder / "a.xlsx")
    return str(folder / "a.xlsx")


@pytest.mark.parametrize(
    ("amount", "wanted"),
    [
        (44300.21, "44300.21"),
        (1000.0, "1000"),
        (7, "7"),
        (0.1 + 0.2, "0.3"),
        (9999999999999.99, "9999999999999.99"),
        ("70368744177664.13", "70368744177664.13"),
    ],
)
def test_an_amount_is_what_was_typed(tmp_path: Path, amount: object, wanted: str) -> None:
    (row,) = read(book(tmp_path, amount))

    assert row.amount == Decimal(wanted)


@pytest.mark.parametrize("amount", [70368744177664.13, 18014398509481984.0])
def test_an_amount_of_more_digits_than_excel_keeps_is_refused(
    tmp_path: Path, amount: float
) -> None:
    problem = refusal(book(tmp_path, amount))

    assert "row 2, column 'amount'" in problem
    assert "is a float, in which cents are not exact" in problem


@pytest.mark.parametrize("written", ["18014398509481.984", "70368744177664.125"])
def test_a_number_that_another_program_wrote_with_more_digits_is_refused(
    tmp_path: Path, written: str
) -> None:
    plain = book(tmp_path, 12345)
    other = tmp_path / "other.xlsx"
    with zipfile.ZipFile(plain) as given, zipfile.ZipFile(other, "w") as made:
        for name in given.namelist():
            data = given.read(name)
            made.writestr(name, data.replace(b"<v>12345</v>", f"<v>{written}</v>".encode()))

    assert "is a float, in which cents are not exact" in refusal(str(other))
