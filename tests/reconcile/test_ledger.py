"""Ledgers from files: read exactly, or refused with the line and the column; nothing is passed over."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paywint_async.export import ExportError
from paywint_async.reconcile import Columns, LedgerError, LedgerFormat, LedgerRow, read_ledger

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ID = UUID("d4211545-cfc9-4aa0-8fcc-e4c2639e8052")
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(text)`: the path of a CSV file with this text."""

    def write(text: str | bytes, name: str = "books.csv") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return write


def read(path: str, columns: Columns | None = None, **told: Any) -> list[LedgerRow]:
    return list(read_ledger(path, LedgerFormat(columns=columns or Columns(), **told)))


def refusal(path: str, columns: Columns | None = None, **told: Any) -> str:
    with pytest.raises(LedgerError) as error:
        read(path, columns, **told)
    return str(error.value).removeprefix(path)


# -- what is read ----------------------------------------------------------------------------------


def test_a_row_has_what_its_columns_say(write: Write) -> None:
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


def test_columns_have_the_names_that_are_told(write: Write) -> None:
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


def test_of_the_exporters_dates_the_payments_counts_else_the_creations(write: Write) -> None:
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
def test_times_without_a_zone_are_of_the_ledgers(write: Write, text: str, moment: datetime) -> None:
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
def test_a_column_or_the_sign_tells_the_direction(
    write: Write, direction: str, text: str, wanted: list[tuple[str, int]]
) -> None:
    rows = read(write(text), direction=direction)

    assert [(row.direction, row.amount) for row in rows] == wanted


def test_other_words_may_mean_paid(write: Write) -> None:
    path = write("amount,date,status\n1,,PAID\n1,,settled\n1,,Open\n")

    rows = read(path, paid_statuses=("paid", "Settled"))

    assert [row.status for row in rows] == ["success", "success", "open"]


def test_line_ends_in_quotes_a_bom_and_empty_lines_are_understood(write: Write) -> None:
    path = write('\ufeff"amount",description,date\r\n1,"a\r\nb",\r\n\r\n2,"c ""d""",\r\n')

    rows = read(path)

    assert [(row.place, row.description) for row in rows] == [(2, "a\r\nb"), (5, 'c "d"')]


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".zst", zstd.compress), ("", bytes)]
)
def test_it_may_be_compressed(write: Write, ending: str, compress: Any) -> None:
    assert len(read(write(compress(b"amount,date\n1,\n"), f"books.csv{ending}"))) == 1


def test_a_header_alone_is_a_ledger_without_rows(write: Write) -> None:
    assert read(write("amount,date\n")) == []


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["1,234.50", "1.234,50", "$5", "5 USD", "(5)", "5-", "1e3", "1_000", "NaN", "inf", "٣", "abc"],
)
def test_an_amount_that_could_be_misread_is_refused(write: Write, text: str) -> None:
    told = refusal(write(f'payment_id,amount\n,1\n,"{text}"\n'))

    assert told == (
        f", line 3, column 'amount': {text!r} is not an amount such as 1234.50: without currency "
        "signs, separators of thousands or exponents"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("amount,date\n,\n", ", line 2, column 'amount': '' is not an amount: it is empty"),
        ("amount,date\n1,\n1\n", ", line 3: has 1 values, and the header has 2 columns"),
        ("amount,date\n1,,\n", ", line 2: has 3 values, and the header has 2 columns"),
        (
            "amount,date\n1,31.01.2026\n",
            ", line 2, column 'date': '31.01.2026' is not a date such as 2026-01-31 or "
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
            ", line 2, column 'status': '' is empty; where no row has a status, name no status column",
        ),
        (
            "amount,date,direction\n1,,out\n",
            ", line 2, column 'direction': 'out' is neither 'sent' nor 'received'",
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
        ("\namount\n", ": is empty: the first line has to name the columns"),
        (
            "5.00,2026-01-31\n",
            ": has no column 'amount', tell its name; there are '5.00', '2026-01-31'",
        ),
        (
            "amount,name\n",
            ": has no column of ids, invoices, descriptions or dates; there are 'amount', 'name'",
        ),
        ("amount,Amount,date\n", ", column 'amount': has 2 columns of this name"),
    ],
)
def test_a_refusal_names_line_and_column(write: Write, text: str, wanted: str) -> None:
    assert refusal(write(text)) == wanted


def test_a_column_that_was_told_has_to_be_there(write: Write) -> None:
    told = refusal(write("amount,date\n"), Columns(invoice="Ref"))

    assert told == ", column 'Ref': is not there; there are 'amount', 'date'"


def test_columns_of_the_same_name_that_nobody_needs_are_let_be(write: Write) -> None:
    assert len(read(write("amount,date,note,note\n1,,a,b\n"))) == 1


def test_sent_payments_of_both_signs_are_refused(write: Write) -> None:
    told = refusal(write("amount,date\n5,\n-5,\n"), direction="sent")

    assert told == (
        ", line 3, column 'amount': '-5' has another sign than the sent payments before it"
    )


def test_a_row_without_a_date_is_in_no_period(write: Write) -> None:
    assert refusal(write("amount,date\n5,\n"), needs_dates=True) == (
        ", line 2, column 'date': has no date, and so is in no period"
    )
    assert refusal(write(f"amount,payment_id\n5,{ID}\n"), needs_dates=True) == (
        ", line 2: has no date, and so is in no period"
    )


def test_a_day_at_the_end_of_the_calendar_is_refused(write: Write) -> None:
    told = refusal(write("amount,date\n5,0001-01-01T00:00Z\n"), zone=ZoneInfo("America/Lima"))

    assert told == ", line 2, column 'date': '0001-01-01T00:00Z' is out of the calendar"


def test_a_long_value_is_not_shown_whole(write: Write) -> None:
    assert re.fullmatch(
        r", line 2, column 'amount': '9{39}… has more than 60 digits",
        refusal(write(f"amount,date\n{'9' * 61},\n")),
    )


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("books.csv", b"amount,date\n1,\xff\n", ", line 1 or soon after: is not text in UTF-8"),
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
def test_a_damaged_file_is_told(write: Write, name: str, data: bytes, wanted: str) -> None:
    assert refusal(write(data, name)).endswith(wanted)


@pytest.mark.parametrize("name", ["books.csv", "books.csv.gz", "books.parquet"])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match=r"cannot read .*No such file or directory"):
        read(f"{tmp_path}/{name}")


# -- JSON lines ------------------------------------------------------------------------------------


def test_numbers_of_json_lines_keep_their_digits(write: Write) -> None:
    path = write(
        '{"amount": 70368744177664.1300000001, "date": "2026-01-31"}\n'
        '{"note": [1], "amount": 7, "date": null}\n'
        '{"amount": "7.10", "date": ""}\n',
        "books.jsonl",
    )

    rows = read(path)

    assert [str(row.amount) for row in rows] == ["70368744177664.1300000001", "7", "7.10"]
    assert [row.place for row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"amount": 1, "date": ""}\n{"date": ""}\n', ", line 2, column 'amount': None is not an"),
        ('{"amount": 1, "date": ""}\n[]\n', ", line 2: is not a JSON object"),
        ('{"amount": 1, "date": ""}\n{"amount"\n', ", line 2: is not JSON: "),
        ('{"amount": NaN, "date": ""}\n', ", line 1: is not JSON: "),
        ('{"amount": true, "date": ""}\n', ", line 1, column 'amount': True is not an amount"),
        ('{"sum": 1}\n', ": has no column 'amount', tell its name; there are 'sum'"),
        (
            '{"amount": 1, "date": ""}\n{"amount": 2, "date": "", "status": "failed"}\n',
            ", line 2, column 'status': is not in the first line, which has to name all columns",
        ),
        (
            '{"amount": 1, "date": ""}\n{"amount": 2, "date": "", "Amount": 3}\n',
            ", line 2, column 'amount': has 2 columns of this name",
        ),
        ('{"amount":1,"date":"","amount":2}\n', ", line 1, column 'amount': is there twice"),
        ('{"amount":1,"date":"","amount" :2}\n', ", line 1, column 'amount': is there twice"),
    ],
)
def test_what_is_no_row_of_json_is_refused(write: Write, text: str, wanted: str) -> None:
    assert refusal(write(text, "books.jsonl")).startswith(wanted)


# -- Parquet ---------------------------------------------------------------------------------------


def parquet(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_parquet_of_any_exact_type_is_read(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    exact = pa.decimal128(38, 10)
    wanted = [("INV-1", Decimal("7.10"), date(2026, 1, 31))]
    tables: list[dict[str, Any]] = [
        {"amount": pa.array([Decimal("7.10")], exact), "date": pa.array([moment])},
        {"amount": ["7.10"], "date": ["2026-01-31"]},
        {"amount": pa.array(["7.10"]).dictionary_encode(), "date": pa.array([date(2026, 1, 31)])},
        {"amount": [Decimal("7.1")], "date": pa.array([moment], pa.timestamp("ns"))},
    ]
    for number, table in enumerate(tables):
        path = parquet(tmp_path / f"{number}.parquet", invoice=["INV-1"], **table)
        assert [(row.invoice, row.amount, row.day) for row in read(path)] == wanted


def test_integers_are_whole_dollars_and_ids_may_be_bytes(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet", amount=[7], payment_id=pa.array([ID.bytes], pa.binary(16))
    )

    (row,) = read(path)

    assert (row.amount, row.payment_id, row.when) == (7, ID, None)


def test_a_time_of_parquet_beyond_the_calendar_is_refused(tmp_path: Path) -> None:
    far = pa.array([2**62], pa.timestamp("us", tz="UTC"))

    told = refusal(parquet(tmp_path / "a.parquet", amount=["1"], date=far))

    assert told == ": is not a Parquet file that can be read: date value out of range"


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.bool_()])
def test_floats_have_lost_their_cents_and_are_refused(tmp_path: Path, kind: pa.DataType) -> None:
    path = parquet(tmp_path / "a.parquet", amount=pa.array([1], pa.int8()).cast(kind), date=[""])

    assert refusal(path) == (
        f", column 'amount': is {kind}, in which cents are not exact: write it as decimal, integer "
        "or text"
    )


def test_a_row_of_parquet_is_named_by_its_number(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", amount=["1", "$1"], date=["", ""])

    assert refusal(path).startswith(", row 2, column 'amount': '$1' is not an amount")


def test_the_parts_of_a_directory_are_one_ledger(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    parquet(folder / "b.parquet", amount=["3"], date=[""])
    parquet(folder / "a.parquet", amount=["1", "2"], date=["", ""])
    parquet(folder / "_hidden.parquet", amount=["9"], date=[""])

    assert [(row.place, row.amount) for row in read(str(folder))] == [(1, 1), (2, 2), (3, 3)]


def test_a_directory_without_parquet_and_a_file_that_is_none_are_told(
    tmp_path: Path, write: Write
) -> None:
    assert refusal(str(tmp_path)) == ": holds no Parquet files"
    assert ": is not a Parquet file that can be read: " in refusal(write("amount\n", "a.parquet"))
