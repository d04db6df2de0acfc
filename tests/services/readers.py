"""DuckDB, pandas and polars read the output exactly: `nox -s tables`, as they are large to install."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow
import pytest

from paywint_async import PaywintClient
from paywint_async.emulator import Emulator
from paywint_async.export import make_table, reader, transfer

Table = tuple[list[str], list[Decimal], list[Any]]
COLUMNS = ["payment_id", "amount", "created_at"]


def by_duckdb(output: Path) -> Table:
    assert duckdb.sql(f"DESCRIBE SELECT amount FROM '{output}/*.parquet'").fetchall()[0][1] == (
        "DECIMAL(38,10)"
    )
    rows = duckdb.sql(f"SELECT {', '.join(COLUMNS)} FROM '{output}/*.parquet'").fetchall()
    ids, amounts, times = map(list, zip(*rows, strict=True))
    return ids, amounts, times


def by_pandas(output: Path) -> Table:
    frame = pandas.read_parquet(output, columns=COLUMNS)
    ids, amounts, times = (frame[name].tolist() for name in COLUMNS)
    return ids, amounts, [each.to_pydatetime() for each in times]


def by_polars(output: Path) -> Table:
    frame = polars.read_parquet(output, columns=COLUMNS)
    ids, amounts, times = (frame[name].to_list() for name in COLUMNS)
    return ids, amounts, times


def frame_of_duckdb(received: pyarrow.Table) -> Decimal:
    ((total,),) = duckdb.sql("SELECT sum(amount) FROM received").fetchall()
    return Decimal(total)


def frame_of_pandas(table: pyarrow.Table) -> Decimal:
    return Decimal(table.to_pandas()["amount"].sum())


def frame_of_polars(table: pyarrow.Table) -> Decimal:
    frame = polars.from_arrow(table)
    assert isinstance(frame, polars.DataFrame)
    return Decimal(frame["amount"].sum())


@pytest.mark.parametrize("read", [by_duckdb, by_pandas, by_polars])
async def test_a_parquet_directory_is_read_exactly(
    tmp_path: Path, read: Callable[[Path], Table]
) -> None:
    output = tmp_path / "payments.parquet"
    async with (
        Emulator(hostile=True, payments=2500) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        table = make_table(str(output), "received")
        await transfer(reader(client.payments, "received"), table, commit_every=0)
        payments = await client.payments.received().collect()

    ids, amounts, times = read(output)

    assert ids == [str(each.payment_id) for each in payments]
    assert amounts == [each.amount for each in payments]
    assert times == [each.created_at for each in payments]


@pytest.mark.parametrize("add_up", [frame_of_duckdb, frame_of_pandas, frame_of_polars])
async def test_arrow_batches_are_read_exactly(add_up: Callable[[pyarrow.Table], Decimal]) -> None:
    async with (
        Emulator(hostile=True, payments=500) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        batches = [each async for each in client.payments.received().arrow_batches()]
        payments = await client.payments.received().collect()

    assert add_up(pyarrow.Table.from_batches(batches)) == sum(each.amount for each in payments)
