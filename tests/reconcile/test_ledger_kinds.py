"""Ledgers in JSON lines and Parquet are read exactly, or refused with a clear error, like CSV."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ledger_reading import ID, Write, read, refusal


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
        ('{"sum": 1}\n', ": has no column 'amount'; there are 'sum'"),
        (
            '{"amount": "44,300", "date": ""}\n',
            ", line 1, column 'amount': '44,300' is not an amount such as 1234.50",
        ),
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
def test_an_invalid_line_of_json_is_refused(write: Write, text: str, wanted: str) -> None:
    assert refusal(write(text, "books.jsonl")).startswith(wanted)


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

    problem = refusal(parquet(tmp_path / "a.parquet", amount=["1"], date=far))

    assert problem == ": cannot be read as Parquet: date value out of range"


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.bool_()])
def test_amounts_as_floats_are_refused(tmp_path: Path, kind: pa.DataType) -> None:
    path = parquet(tmp_path / "a.parquet", amount=pa.array([1], pa.int8()).cast(kind), date=[""])

    assert refusal(path) == (
        f", column 'amount': is {kind}, in which cents are not exact: write it as decimal, integer "
        "or text"
    )


def test_an_error_names_the_number_of_a_parquet_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", amount=["1", "$1"], date=["", ""])

    assert refusal(path).startswith(", row 2, column 'amount': '$1' is not an amount")


def test_the_files_of_a_directory_are_one_ledger(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    parquet(folder / "b.parquet", amount=["3"], date=[""])
    parquet(folder / "a.parquet", amount=["1", "2"], date=["", ""])
    parquet(folder / "_hidden.parquet", amount=["9"], date=[""])

    assert [(row.place, row.amount) for row in read(str(folder))] == [(1, 1), (2, 2), (3, 3)]


def test_a_directory_without_parquet_and_an_invalid_file_are_refused(
    tmp_path: Path, write: Write
) -> None:
    assert refusal(str(tmp_path)) == ": holds no Parquet files"
    assert ": cannot be read as Parquet: " in refusal(write("amount\n", "a.parquet"))
