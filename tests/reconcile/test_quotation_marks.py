"""Delimiters and quotation marks that are not where a program would write them lose no money."""

from __future__ import annotations

from pathlib import Path

import pytest
from account_server import account
from ledger_reading import ID, Write, read, refusal

from paywint_async.reconcile import (
    Columns,
    LedgerError,
    LedgerFormat,
    ReconcileOptions,
    reconcile,
)


@pytest.mark.parametrize(
    ("header", "row", "parts"),
    [
        ("Date,Amount,Description", "2026-01-01,5,50,", "'5' and '50'"),
        ("Date,Amount,Description", "2026-01-01,1234,56,", "'1234' and '56'"),
        ("Date,Amount,Description", "2026-01-01,1,234.50,", "'1' and '234.50'"),
        ("Date,Amount,Description", "2026-01-01,-1,234,", "'-1' and '234'"),
        ("Date,Amount,Description", "2026-01-01,$5,50 USD,", "'$5' and '50 USD'"),
        ("Date,Amount,Description", "2026-01-01,(5,50),", "'(5' and '50)'"),
        ("Date,Amount,Description,", "2026-01-01,5,50,,", "'5' and '50'"),
        ("Date,Debit,Credit,Description", "2026-01-01,0,50,,", "'0' and '50'"),
        ("Date,Description,Amount", "2026-01-01,a,5,50", "'5' and '50'"),
    ],
)
def test_an_amount_split_at_its_comma_is_refused(
    write: Write, header: str, row: str, parts: str
) -> None:
    problem = refusal(write(f"{header}\n{row}\n"), direction="both")

    assert problem.startswith(", line 2: has ")
    assert problem.endswith(f"; {parts} may be one amount, which needs quotation marks then")


def test_an_amount_of_a_fee_split_at_its_comma_is_refused(write: Write) -> None:
    path = write("Date,Amount,Fee,Description\n2026-01-01,5.00,1,50,\n")

    assert "'1' and '50' may be one amount" in refusal(path, Columns(fee="Fee"))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Date,Amount,Description,", "2026-01-01,5,50,"),
        ("Date,Amount,Description", "2026-01-01,5,a,"),
        ("Date,Amount,Description,Balance", "2026-01-01,5.00,a,100,"),
        ("Date,Amount,Balance", "2026-01-01,5.00,100,"),
        ("Date,Amount,Balance", "2026-01-01,5,1000,,"),
        ("Date,Amount,Description", '"2026-01-01","5,00","",'),
    ],
)
def test_delimiters_at_the_end_say_nothing(write: Write, header: str, row: str) -> None:
    (found,) = read(write(f"{header}\n{row}\n"))

    assert found.amount == 5


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (['2026-01-01,5.50,"5 inch', "2026-01-02,7.00,mid", '2026-01-03,9.00,7"'], 3),
        (['2026-01-01,5.50,"5 inch', '2026-01-03,9.00,7"'], 3),
        (['2026-01-01,5.50,"', "x", '2026-01-03,9.00,7"'], 4),
        (['2026-01-01,5.50,"5 inch', "2026-01-02,7.00,mid,", '7"'], 3),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_inside_a_quoted_value_is_refused(
    write: Write, rows: list[str], line: int, end: str
) -> None:
    path = write(end.join(["Date,Amount,Description", *rows, ""]))

    assert refusal(path) == (
        f", line 2: has a quoted value that contains line {line}, which is a row by itself; "
        'a quotation mark inside a value has to be doubled: ""'
    )


async def test_a_row_inside_a_quoted_value_is_refused_among_plain_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f'{ID},2026-01-01,5.50,"5 inch', f'{ID},2026-01-02,7.00,7"', f"{ID},2026-01-03,9.00,c"]
    path.write_text("\n".join(["payment_id,date,amount,description", *rows]))
    options = ReconcileOptions(ledger=str(path), format=LedgerFormat())

    async with account(1) as (_, client):
        with pytest.raises(LedgerError, match="line 2: has a quoted value that contains line 3"):
            await reconcile(client.payments, options)


def test_a_row_inside_a_quoted_value_in_the_middle_is_refused(write: Write) -> None:
    path = write('Date,Memo,Amount\n2026-01-01,"5 inch,5.50\n2026-01-02,7"" nail",9.00\n')

    assert ", line 2: has a quoted value that contains line 3" in refusal(path)


@pytest.mark.parametrize(
    "text", ["Main Street 5\nTown, 12345, Country", "a,b,c\nd,e,f", "x\n,,\ny"]
)
def test_a_quoted_value_of_several_lines_is_a_text(write: Write, text: str) -> None:
    (row,) = read(write(f'Date,Amount,Description\n2026-01-01,5.50,"{text}"\n'))

    assert row.description == text
