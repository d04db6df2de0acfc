"""Every kind of destination: where a test's goes, and its rows, read by other means than ours.

PostgreSQL takes part where PAYWINT_TEST_POSTGRES has the URL of a server (`nox -s services`).
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import os
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SERVER = os.environ.get("PAYWINT_TEST_POSTGRES")
FILES = ("jsonl", "csv", "jsonl.gz", "csv.gz", "jsonl.zst", "csv.zst")
KINDS = (*FILES, "parquet", "sqlite", *(["postgresql"] if SERVER else []))

Row = dict[str, Any]


def output_in(folder: Path, kind: str) -> str:
    """A destination of a kind in a folder; the same one each time."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/payments.db"
    if kind == "postgresql":
        return _postgres_database(folder)
    return f"{folder}/payments.{kind}"


def rows_in(output: str) -> list[Row]:
    """The rows in their order (in a database: newest first), each value as text or None."""
    if output.startswith("postgresql:"):
        return [_as_text(row) for row in asyncio.run(_postgres_rows(output))]
    if output.startswith("sqlite:"):
        return _sqlite_rows(output.removeprefix("sqlite:///"))
    if output.endswith(".parquet"):
        return [_as_text(row) for row in pq.read_table(output).to_pylist()]
    data = _decompressed(Path(output))
    if ".csv" in output:
        with io.StringIO(data.decode(), newline="") as file:
            return [_without_empty(row) for row in csv.DictReader(file)]
    numbers = {"parse_float": str, "parse_int": str}
    return [json.loads(line, **numbers) for line in data.decode().split("\n")[:-1]]


def _decompressed(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data) if data else b""
    return zstd.decompress(data) if path.suffix == ".zst" and data else data


def _without_empty(row: Row) -> Row:
    return {name: value or None for name, value in row.items()}


def _as_text(row: Row) -> Row:
    return {name: None if value is None else str(value) for name, value in row.items()}


def _sqlite_rows(path: str) -> list[Row]:
    if not os.path.exists(path):
        return []
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT * FROM paywint_payments ORDER BY created_at DESC, direction DESC"
        return [dict(row) for row in connection.execute(query)]


def _postgres_database(folder: Path) -> str:
    """The folder remembers which database is its own."""
    assert SERVER is not None
    remembered = folder / "database"
    if not remembered.exists():
        name = f"test_{uuid4().hex}"
        asyncio.run(_execute(SERVER, f"CREATE DATABASE {name}"))
        remembered.write_text(f"{SERVER.rpartition('/')[0]}/{name}")
    return remembered.read_text()


async def _execute(url: str, query: str) -> Iterable[Any]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def _postgres_rows(url: str) -> list[Row]:
    query = "SELECT * FROM paywint_payments ORDER BY created_at DESC, direction DESC"
    return [dict(row) for row in await _execute(url, query)]
