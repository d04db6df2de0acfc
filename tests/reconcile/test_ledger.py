"""CSV ledgers are read exactly, with any column names."""

from __future__ import annotations

import csv
import gzip
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ledger_reading import ID, Write, read

from paywint_async.reconcile import Columns, LedgerRow

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def test_a_row_has_the_values_of_its_columns(write: Write) -> None:
    path = write(
        "date,payment_id,Invoice_Number , amount,description,status\n"
        f'2026-01-31T09:30:00+01:00,{ID},INV-1,"150.75",June,Success\n'
    )

    assert read(path) == [
        LedgerRow(
            place=2,
            direction="received",
            amount=Decimal("150.75"),
            payment_id=ID,
            invoice="INV-1",
            description="June",
            when=datetime(2026, 1, 31, 8, 30, tzinfo=UTC),
            status="success",
        )
    ]


def test_columns_are_found_by_the_given_names(write: Write) -> None:
    path = write("Datum;Ref;Betrag;amount\n2026-01-31;INV-1;5;7\n")
    columns = Columns(date="Datum", invoice="ref", amount="BETRAG")

    (row,) = read(path, columns, delimiter=";", zone=ZoneInfo("Europe/Berlin"))

    assert (row.invoice, row.amount, row.day) == ("INV-1", 5, date(2026, 1, 31))
    assert row.when is not None
    assert row.when.utcoffset() == timedelta(hours=1)


def test_a_column_can_be_left_out(write: Write) -> None:
    path = write("payment_id,amount,status\nnone of Paywint's,5,?\n".replace("none", "no id"))

    (row,) = read(path, Columns(id="", status="", date="", invoice="amount"))

    assert (row.payment_id, row.status) == (None, "success")


def test_the_payment_date_is_used_or_else_the_creation_date(write: Write) -> None:
    path = write("amount,created_at,payment_date\n1,2026-01-01,2026-01-03\n1,2026-01-02,\n")

    assert [row.day for row in read(path)] == [date(2026, 1, 3), date(2026, 1, 2)]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("150.75", "150.75"),
        ("+7", "7"),
        (" 7.10 ", "7.10"),
        (".5", "0.5"),
        ("007.", "7"),
    ],
)
def test_amounts_are_read_digit_for_digit(write: Write, text: str, amount: str) -> None:
    (row,) = read(write(f"payment_id,amount\n{ID},{text}\n"))

    assert row.amount == Decimal(amount)


def test_an_amount_of_any_length_keeps_its_digits(write: Write) -> None:
    digits = f"{'123456789' * 5}.99"

    rows = read(write(f"date,amount\n,{digits}\n,-{digits}\n"))

    assert [row.amount for row in rows] == [Decimal(digits)] * 2


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-01-31 09:30", datetime(2026, 1, 31, 8, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:15Z", datetime(2026, 1, 31, 9, 30, 15, tzinfo=UTC)),
        ("2026-01-31T09:30:15.5-0500", datetime(2026, 1, 31, 14, 30, 15, 500_000, tzinfo=UTC)),
    ],
)
def test_times_without_a_zone_are_in_the_ledgers_zone(
    write: Write, text: str, moment: datetime
) -> None:
    (row,) = read(write(f"amount,date\n1,{text}\n"), zone=ZoneInfo("Europe/Berlin"))

    assert row.when == moment


def test_days_are_counted_in_the_zone(write: Write) -> None:
    (row,) = read(write("amount,date\n1,2026-01-31T23:30Z\n"), zone=ZoneInfo("Asia/Tokyo"))

    assert row.day == date(2026, 2, 1)


@pytest.mark.parametrize(
    ("direction", "text", "wanted"),
    [
        ("received", "amount,date\n5,\n-7,\n", [("received", 5), ("sent", 7)]),
        ("both", "amount,date\n5,\n-7,\n", [("received", 5), ("sent", 7)]),
        ("sent", "amount,date\n5,\n7,\n", [("sent", 5), ("sent", 7)]),
        ("sent", "amount,date\n-5,\n-7,\n", [("sent", 5), ("sent", 7)]),
        ("both", "direction,amount,date\nsent,5,\nReceived,7,\n", [("sent", 5), ("received", 7)]),
        ("both", "direction,amount,date\nsent,-5,\nreceived,7,\n", [("sent", 5), ("received", 7)]),
    ],
)
def test_a_column_or_the_sign_gives_the_direction(
    write: Write, direction: str, text: str, wanted: list[tuple[str, int]]
) -> None:
    rows = read(write(text), direction=direction)

    assert [(row.direction, row.amount) for row in rows] == wanted


def test_other_words_may_mean_paid(write: Write) -> None:
    path = write("amount,date,status\n1,,PAID\n1,,settled\n1,,Open\n")

    rows = read(path, paid_statuses=("paid", "Settled"))

    assert [row.status for row in rows] == ["success", "success", "open"]


def test_line_breaks_in_quotes_a_bom_and_empty_lines_are_read(write: Write) -> None:
    path = write('\ufeff"amount",description,date\r\n1,"a\r\nb",\r\n\r\n2,"c ""d""",\r\n')

    rows = read(path)

    assert [(row.place, row.description) for row in rows] == [(2, "a\r\nb"), (5, 'c "d"')]


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".zst", zstd.compress), ("", bytes)]
)
def test_it_may_be_compressed(write: Write, ending: str, compress: Any) -> None:
    assert len(read(write(compress(b"amount,date\n1,\n"), f"books.csv{ending}"))) == 1


def test_a_text_of_any_length_is_read(write: Write) -> None:
    text = "x" * 200_000

    (row,) = read(write(f'description,amount,date\n"{text}",1,\n'))

    assert row.description == text


def test_reading_a_ledger_restores_the_limit_of_the_csv_module(write: Write) -> None:
    before = csv.field_size_limit()

    read(write("description,amount\na,1\nb,2\n"))

    assert csv.field_size_limit() == before


def test_a_header_alone_is_a_ledger_without_rows(write: Write) -> None:
    assert read(write("amount,date\n")) == []
