"""Encoding pages as bytes: nothing is lost or rounded, and both formats have the same values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paywint_async import Direction, HistoryEntry, Payment, PaymentMethod, PaymentStatus
from paywint_async.export import ENTRIES, PAYMENTS, Format, find_destination

COLUMNS = [field.name for field in attrs.fields(Payment)]

EASTERN = timezone(timedelta(hours=-5, minutes=-30))

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
times = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.sampled_from([UTC, EASTERN]))
payments = st.builds(
    Payment,
    payment_id=st.uuids(),
    payer_id=st.none() | st.uuids(),
    payer_name=texts,
    payee_id=st.none() | st.uuids(),
    payee_name=texts,
    amount=st.decimals(allow_nan=False, allow_infinity=False),
    currency=texts,
    description=texts,
    payment_method=st.none()
    | st.builds(PaymentMethod, st.sampled_from(["CARD", "CARRIER PIGEON"])),
    receiving_method=st.none() | st.sampled_from(PaymentMethod),
    created_at=times,
    payment_date=st.none() | times,
    status=st.sampled_from(PaymentStatus),
    failure_reason=texts,
)
entries = st.builds(HistoryEntry, direction=st.sampled_from(Direction), payment=payments)


def json_rows(data: bytes) -> list[dict[str, Any]]:
    """Read numbers as the text with which they are written."""
    return [json.loads(line, parse_float=str, parse_int=str) for line in data.splitlines()]


def csv_rows(data: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def without_nulls(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value or "" for name, value in row.items()} for row in rows]


@pytest.mark.slow
@given(st.lists(payments))
def test_csv_has_the_same_values_as_json_lines(page: list[Payment]) -> None:
    written = PAYMENTS[Format.CSV].header + PAYMENTS[Format.CSV].encode(page)

    as_json = json_rows(PAYMENTS[Format.JSONL].encode(page))

    assert csv_rows(written) == without_nulls(as_json)


@pytest.mark.parametrize("encodings", [PAYMENTS, ENTRIES])
@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2025, 6, 16, 10, 4, 45, tzinfo=UTC), "2025-06-16T10:04:45.000000Z"),
        (datetime(2025, 6, 16, 10, 4, 45, 482778, UTC), "2025-06-16T10:04:45.482778Z"),
        (datetime(2025, 6, 16, 10, 4, 45, tzinfo=EASTERN), "2025-06-16T15:34:45.000000Z"),
        (datetime(2025, 6, 16, 10, 4, 45, 120000, EASTERN), "2025-06-16T15:34:45.120000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
        # In UTC it would be beyond the calendar, so its own zone is kept.
        (
            datetime(9999, 12, 31, 23, tzinfo=EASTERN),
            "9999-12-31T23:00:00.000000-05:30",
        ),
    ],
)
def test_times_have_six_decimals_and_are_in_utc(
    payment: Callable[..., Payment], encodings: Any, format: Format, moment: datetime, written: str
) -> None:
    record: Any = payment(1, created_at=moment, payment_date=moment)
    if encodings is ENTRIES:
        record = HistoryEntry(direction=Direction.SENT, payment=record)

    data = encodings[format].header + encodings[format].encode([record])

    (row,) = json_rows(data) if format is Format.JSONL else csv_rows(data)
    assert (row["created_at"], row["payment_date"]) == (written, written)


@pytest.mark.slow
@given(st.lists(payments))
def test_lines_of_json_are_lines_to_every_reader(page: list[Payment]) -> None:
    data = PAYMENTS[Format.JSONL].encode(page)

    assert data.decode().splitlines() == data.decode().split("\n")[:-1]
    assert [json.loads(line)["description"] for line in data.decode().splitlines()] == [
        each.description for each in page
    ]


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\v", "\f", "\x1c", "\r"])
def test_a_line_of_json_contains_no_line_separator(
    payment: Callable[..., Payment], separator: str
) -> None:
    odd = payment(1, payer_name=f"a{separator}b", description=f"{separator}\\{separator}")

    (line,) = PAYMENTS[Format.JSONL].encode([odd]).decode().splitlines()

    read = json.loads(line)
    assert (read["payer_name"], read["description"]) == (odd.payer_name, odd.description)


@pytest.mark.slow
@given(st.lists(entries))
def test_both_directions_keep_the_entries_order_in_each_format(page: list[HistoryEntry]) -> None:
    as_json = json_rows(ENTRIES[Format.JSONL].encode(page))
    as_csv = csv_rows(ENTRIES[Format.CSV].header + ENTRIES[Format.CSV].encode(page))

    assert as_csv == without_nulls(as_json)
    assert [(row["direction"], row["payment_id"]) for row in as_json] == [
        (entry.direction, str(entry.payment.payment_id)) for entry in page
    ]


def test_the_columns_are_the_apis_fields_in_its_order(payment: Callable[..., Payment]) -> None:
    (row,) = json_rows(PAYMENTS[Format.JSONL].encode([payment(1)]))

    assert list(row) == COLUMNS
    assert PAYMENTS[Format.CSV].header == (",".join(COLUMNS) + "\n").encode()
    assert ENTRIES[Format.CSV].header == b"direction," + PAYMENTS[Format.CSV].header


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("9007199254740993.37", "9007199254740993.37"),
        ("0.10", "0.10"),
        ("7017", "7017"),
        ("0.0000001", "0.0000001"),
        ("-1.50E-9", "-0.00000000150"),
        ("0.0000000", "0.0000000"),
        ("1E+3", "1000"),
        ("1E+999999", "1E+999999"),  # without an exponent it would have a million digits
    ],
)
def test_amounts_are_written_plainly_with_all_their_digits(
    payment: Callable[..., Payment], amount: str, written: str
) -> None:
    odd = payment(2, amount=Decimal(amount), description='"amount":1E-7,E')
    page = [payment(1), odd]
    both = [HistoryEntry(direction=each, payment=odd) for each in Direction]

    as_json = PAYMENTS[Format.JSONL].encode(page), ENTRIES[Format.JSONL].encode(both)
    as_csv = [
        each[Format.CSV].header + each[Format.CSV].encode(rows)
        for each, rows in ((PAYMENTS, page), (ENTRIES, both))
    ]

    rows = [json_rows(each) for each in as_json] + [csv_rows(each) for each in as_csv]
    assert [row[1]["amount"] for row in rows] == [written] * 4
    assert [row[1]["description"] for row in rows] == ['"amount":1E-7,E'] * 4


def test_a_value_that_a_spreadsheet_would_evaluate_is_unchanged(
    payment: Callable[..., Payment],
) -> None:
    page = [payment(1, description="=HYPERLINK(1)", payer_name="a\rb")]

    line = PAYMENTS[Format.CSV].encode(page)

    assert b",=HYPERLINK(1)," in line
    assert b',"a\rb",' in line
    assert line.endswith(b",success,\n")


@pytest.mark.parametrize("format", Format)
def test_a_row_is_identified_by_its_id_however_long_its_texts_are(
    payment: Callable[..., Payment], format: Format
) -> None:
    long = payment(1, description='"x\n' * 100_000, status=PaymentStatus.PENDING)
    limit = csv.field_size_limit()

    (row,) = PAYMENTS[format].rows_of(long).values()

    key, status, created_at = PAYMENTS[format].identify(row)
    assert (key, status) == (str(long.payment_id), "pending")
    assert datetime.fromisoformat(created_at) == long.created_at
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("encodings", [PAYMENTS, ENTRIES])
def test_for_a_spreadsheet_a_text_that_would_be_a_formula_has_an_apostrophe(
    payment: Callable[..., Payment], encodings: Any, text: str, written: str
) -> None:
    names = ("payer_name", "payee_name", "currency", "description", "failure_reason")
    record: Any = payment(1, amount=Decimal("-1.50"), **dict.fromkeys(names, text))
    if encodings is ENTRIES:
        record = HistoryEntry(direction=Direction.SENT, payment=record)
    encoding = encodings[Format.SPREADSHEET]

    data = encoding.header + encoding.encode([record])

    assert data.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert [row[name] for name in names] == [written] * 5
    assert row["amount"] == "-1.50"


@pytest.mark.slow
@given(st.lists(payments))
def test_for_a_spreadsheet_everything_else_is_csv(page: list[Payment]) -> None:
    plain, spreadsheet = (
        csv_rows(PAYMENTS[each].header.lstrip(b"\xef\xbb\xbf") + PAYMENTS[each].encode(page))
        for each in (Format.CSV, Format.SPREADSHEET)
    )
    for name in ("payment_id", "payer_id", "amount", "created_at", "payment_date"):
        assert [row[name] for row in plain] == [row[name] for row in spreadsheet]


def test_an_invalid_row_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="new-line character seen in unquoted field"):
        PAYMENTS[Format.CSV].identify(b"a\rb,c\n")


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ("payments.csv", Format.CSV),
        ("PAYMENTS.CSV", Format.CSV),
        ("payments.jsonl", Format.JSONL),
        ("payments", Format.JSONL),
        ("./a.b/payments", Format.JSONL),
        ("-", Format.JSONL),
    ],
)
def test_the_ending_selects_the_format(output: str, wanted: Format) -> None:
    assert find_destination(output).format(None) is wanted
