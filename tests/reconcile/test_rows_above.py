"""No payment above the header is left out silently."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ledger_reading import Write, read, refusal
from ledger_shapes import workbook

from paywint_async.reconcile import Columns, LedgerFormat
from paywint_async.reconcile._ledger import OpenedLedger

ID = "11111111-1111-1111-1111-111111111111"
NARROW = "Date,Amount,Description\n"
WIDE = "Date,Amount,Description,Currency\n"
OUT = "make one file for each header, or leave them out with --header-line"


def notes(path: str, **settings: int) -> list[str]:
    return [
        each
        for each in OpenedLedger(path, LedgerFormat(**settings)).notes()  # type: ignore[arg-type]
        if each.startswith("left out")
    ]


def test_two_exports_of_which_the_second_has_more_columns_are_refused(write: Write) -> None:
    path = write(f"{NARROW}2026-01-05,99999.00,a\n{WIDE}2026-02-01,5.00,b,USD\n")

    assert refusal(path) == (
        ": line 1 and line 3 both name the columns, and the rows between them (from line 2 on) would "
        f"be left out; {OUT} 3"
    )


@pytest.mark.parametrize(
    "rows",
    [
        "05.01.2026,99999.00,a",
        "2026-01-05T10:00:00Z,$5,",
        '"Jan 5, 2026","1.234,50",Total Wine\n2026-01-05,5,b',
        "2026-01-05,(5.00),a",
    ],
)
def test_every_usual_form_of_a_row_counts(write: Write, rows: str) -> None:
    assert "would be left out" in refusal(write(f"{NARROW}{rows}\n{WIDE}2026-02-01,5.00,b,USD\n"))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Payment ID,Amount", f"{ID},5.00"),
        ("Reference,Amount", f"{ID},5.00"),
        ("Invoice,Amount", "7,5.00"),
        ("Date,Debit,Credit,Description", "2026-01-05,,5.00,a"),
    ],
)
def test_a_row_that_names_a_payment_counts(write: Write, header: str, row: str) -> None:
    text = f"{header}\n{row}\nDate,Amount,Description,Payment ID,Status\n2026-02-01,5.00,b,,paid\n"

    assert "line 1 and line 3 both name the columns" in refusal(write(text))


def test_rows_without_dates_count_in_a_ledger_without_dates(write: Write) -> None:
    path = write("Description,Amount\na,5.00\nDescription,Amount,Currency\nb,6.00,USD\n")

    assert "would be left out" in refusal(path)


def test_a_header_that_was_sorted_to_the_end_is_refused(write: Write) -> None:
    path = write(f"2026-01-05,99999.00,a\n2026-01-06,5.00,b\n{NARROW}2026-01-07,5.00,c\n")

    assert refusal(path) == (f": line 1 has a payment, but is above the header in line 3; {OUT} 3")


def test_a_given_date_format_is_used(write: Write) -> None:
    path = write(f"{NARROW}2026/5/Jan,7.00,a\n{WIDE}2026/1/Feb,5.00,b,USD\n")

    assert "would be left out" in refusal(path, date_format="%Y/%d/%b")


def test_given_columns_are_used(write: Write) -> None:
    path = write("Day,Sum,Text\n2026-01-05,7.00,a\nDay,Sum,Text,Currency\n2026-02-01,5.00,b,USD\n")

    assert "line 1 and line 3" in refusal(path, Columns(date="Day", amount="Sum"))


def test_rows_above_a_given_header_are_left_out_and_counted(write: Write) -> None:
    rows = "".join(f"2026-01-{day:02},5.00,a\n" for day in range(1, 8))
    path = write(f"{NARROW}{rows}{WIDE}2026-02-01,6.00,b,USD\n")

    assert [row.amount for row in read(path, header_line=9)] == [Decimal("6.00")]
    assert notes(path, header_line=9) == [
        "left out 7 rows with an amount above the header (lines 2, 3, 4, 5, 6, …)"
    ]


@pytest.mark.parametrize(
    "above",
    [
        "Account,12345\nPeriod,2026-01-01,2026-01-31\n\n",
        "Date of export,2026-02-01\nBalance,500.00\n",
        "2026-01-01,500.00,Opening balance\n",
        "Date,Amount,Description\n",
        "Description,Amount\nTotal credits,500.00\n",
        "Total,500.00,2026-01-31\n",
    ],
)
def test_what_banks_write_above_the_header_is_no_payment(write: Write, above: str) -> None:
    path = write(f"{above}{WIDE}2026-02-01,6.00,b,USD\n")

    assert [row.amount for row in read(path)] == [Decimal("6.00")]
    assert notes(path) == []


def test_a_table_of_sums_above_the_header_is_left_out_and_counted(write: Write) -> None:
    path = write(f"Description,Amount\nFees,5\n\n{WIDE}2026-01-01,1.50,a,USD\n")

    assert [row.amount for row in read(path)] == [Decimal("1.50")]
    assert notes(path) == ["left out 1 row with an amount above the header (line 2)"]


def test_a_sheet_with_two_tables_is_refused(write: Write) -> None:
    header = ["Date", "Amount", "Description"]
    book = workbook(
        header, ["2026-01-01", 1, "a"], [], [*header, "Status"], ["2026-01-02", 2, "b", "paid"]
    )

    assert refusal(write(book, "a.xlsx")).startswith(": row 1 and row 4 both name the columns")


@pytest.mark.parametrize(
    "second",
    ["Date,Amount,Description", "Date,Amount,Currency,Description", "Date,Description,Amount"],
)
def test_a_later_header_of_other_columns_is_refused(write: Write, second: str) -> None:
    path = write(f"{WIDE}2026-01-01,5.00,a,USD\n{second}\n2026-02-01,6.00,b\n")

    assert ", line 3" in refusal(path)


def test_a_later_header_of_the_same_columns_is_skipped(write: Write) -> None:
    path = write(f"{WIDE}2026-01-01,5.00,a,USD\n{WIDE}2026-02-01,6.00,b,USD\n")

    assert [row.amount for row in read(path)] == [Decimal("5.00"), Decimal("6.00")]
