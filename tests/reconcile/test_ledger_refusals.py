"""A value of a CSV ledger that cannot be read exactly is refused; the message names line and column."""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from ledger_reading import ID, Write, read, refusal

from paywint_async.export import ExportError
from paywint_async.reconcile import Columns

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.mark.parametrize(
    "text",
    ["1e3", "1_000", "NaN", "inf", "٣", "abc", "((5))", "-(5)", "12,34.50", "$$5", "5 5"],
)
def test_an_amount_that_could_be_misread_is_refused(write: Write, text: str) -> None:
    problem = refusal(write(f'payment_id,amount\n,1.50\n,"{text}"\n'))

    assert problem == (
        f", line 3, column 'amount': {text!r} is not an amount such as 1234.50 or 1,234.50"
    )


@pytest.mark.parametrize("text", ["€5", "5 EUR", "£1,000.00"])
def test_an_amount_in_another_currency_is_refused(write: Write, text: str) -> None:
    problem = refusal(write(f'payment_id,amount\n,1.50\n,"{text}"\n'))

    assert problem.endswith(f"{text!r} is not in US dollars, which Paywint's amounts are in")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "amount,date\n,2026-01-01\n",
            ", line 2, column 'amount': '' is not an amount: it is empty",
        ),
        ("amount,date\n1,\n1\n", ", line 3: has 1 values, and the header has 2 columns"),
        ("amount,date\n1,,x\n", ", line 2: has 3 values, and the header has 2 columns"),
        (
            "amount,date\n1,January\n",
            ", line 2, column 'date': 'January' is not a date such as 2026-01-31 or "
            "2026-01-31T09:30:00Z",
        ),
        (
            "amount,date\n1,2026-02-30\n",
            ", line 2, column 'date': '2026-02-30' is not a date such as 2026-01-31 or "
            "2026-01-31T09:30:00Z",
        ),
        (
            "amount,payment_id\n1,INV-1\n",
            ", line 2, column 'payment_id': 'INV-1' is not a payment id, which is a UUID",
        ),
        (
            "amount,date,status\n1,,\n",
            ", line 2, column 'status': '' is empty (--status-column \"\" ignores the column)",
        ),
        (
            "amount,date,direction\n1,,up\n",
            ", line 2, column 'direction': 'up' is neither 'sent' nor 'received'",
        ),
        (
            "amount,date,currency\n1,,usd\n1,,\n1,,EUR\n",
            ", line 4, column 'currency': 'EUR' is not USD, and Paywint's amounts are in US dollars",
        ),
        (
            "amount,date,direction\n-1,,received\n",
            ", line 2, column 'amount': '-1' is negative, though the row is of a received payment",
        ),
        ('amount,date\n1,"2026\n', ", line 2: is not CSV: unexpected end of data"),
        ("", ": is empty: the first line has to name the columns"),
        ("\n\n", ": is empty: the first line has to name the columns"),
        (
            "5.00,2026-01-31\n",
            ": has no column 'amount'; there are '5.00', '2026-01-31'; --amount-column "
            "names it, or --debit-column and --credit-column",
        ),
        (
            "amount,name\n",
            ": has no column of ids, invoices, descriptions or dates; there are 'amount', 'name'; name "
            "one with --date-column, --description-column, --invoice-column or --id-column",
        ),
        ("amount,Amount,date\n", ", column 'amount': has 2 columns of this name"),
    ],
)
def test_a_refusal_names_line_and_column(write: Write, text: str, wanted: str) -> None:
    assert refusal(write(text)) == wanted


def test_a_missing_column_that_an_option_names_is_refused(write: Write) -> None:
    problem = refusal(write("amount,date\n"), Columns(invoice="Ref"))

    assert problem == ", column 'Ref': is not there; there are 'amount', 'date'"


def test_unused_columns_may_have_the_same_name(write: Write) -> None:
    assert len(read(write("amount,date,note,note\n1,,a,b\n"))) == 1


def test_sent_payments_of_both_signs_are_refused(write: Write) -> None:
    problem = refusal(write("amount,date\n5,\n-5,\n"), direction="sent")

    assert problem == (
        ", line 3, column 'amount': '-5' has another sign than the sent payments before it"
    )


def test_a_row_without_a_date_is_refused_with_a_period(write: Write) -> None:
    assert refusal(write("amount,date\n5,\n"), needs_dates=True) == (
        ", line 2, column 'date': has no date, which a period needs"
    )
    assert refusal(write(f"amount,payment_id\n5,{ID}\n"), needs_dates=True) == (
        ", line 2: has no date, which a period needs"
    )


def test_a_day_at_the_end_of_the_calendar_is_refused(write: Write) -> None:
    problem = refusal(write("amount,date\n5,0001-01-01T00:00Z\n"), zone=ZoneInfo("America/Lima"))

    assert problem == ", line 2, column 'date': '0001-01-01T00:00Z' is out of the calendar"


def test_a_long_value_is_shortened_in_the_message(write: Write) -> None:
    assert re.fullmatch(
        r", line 2, column 'amount': '9{39}… has more than 60 digits",
        refusal(write(f"amount,date\n{'9' * 61},\n")),
    )


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        (
            "books.csv",
            b"amount,date\n1,\xff\x81\n",
            ": is not text in UTF-8, UTF-16 or Windows-1252; name its encoding with --encoding, or "
            "save it as 'CSV UTF-8'",
        ),
        (
            "books.csv.gz",
            gzip.compress(b"amount,date\n" + b"1,\n" * 90_000)[:-20],
            " or soon after: the compressed file ends too early",
        ),
        (
            "books.csv.zst",
            zstd.compress(b"amount,date\n1,\n")[:-3],
            " or soon after: the compressed file ends too early",
        ),
    ],
)
def test_a_damaged_file_is_refused(write: Write, name: str, data: bytes, wanted: str) -> None:
    assert refusal(write(data, name)).endswith(wanted)


@pytest.mark.parametrize("name", ["books.csv", "books.csv.gz", "books.parquet"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match=r"cannot read .*No such file or directory"):
        read(f"{tmp_path}/{name}")
