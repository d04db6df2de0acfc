"""Every kind of destination: an output for a test, and its rows, read without the package.

PostgreSQL and MySQL are included if PAYWINT_TEST_POSTGRES and PAYWINT_TEST_MYSQL have the URL of a
server (`nox -s services`).
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
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pyarrow.parquet as pq

from paywint_async.export import DESTINATIONS
from paywint_async.export._compression import COMPRESSED_ENDINGS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SERVERS = {
    "postgresql": os.environ.get("PAYWINT_TEST_POSTGRES"),
    "mysql": os.environ.get("PAYWINT_TEST_MYSQL"),
}
SERVED = tuple(kind for kind, url in SERVERS.items() if url)
# jsonl, csv, jsonl.gz and so on: of each destination that is a file of text, each ending.
FILES = tuple(
    f"{ending.removeprefix('.')}{compressed}"
    for compressed in ("", *COMPRESSED_ENDINGS)
    for destination in DESTINATIONS
    if destination.formats and (destination.is_compressible or not compressed)
    for ending in destination.endings
)
KINDS = (*FILES, "parquet", "sqlite", *SERVED)

Row = dict[str, Any]


def output_in(folder: Path, kind: str) -> str:
    """The destination of a kind in a folder, always the same one."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/payments.db"
    if kind in SERVERS:
        return _database_of(folder, kind)
    return f"{folder}/payments.{kind}"


def rows_in(output: str) -> list[Row]:
    """The rows in their order (in a database: newest first), each value as text or None."""
    if is_on_a_server(output):
        query = "SELECT * FROM paywint_payments ORDER BY created_at DESC, direction DESC"
        return [_as_text(row) for row in asyncio.run(_execute(output, query))]
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


def is_on_a_server(output: str) -> bool:
    """Whether the output is a database on a server."""
    return output.partition(":")[0] in SERVERS


def _database_of(folder: Path, kind: str) -> str:
    """The folder's own database, whose URL is stored in the folder."""
    server = SERVERS[kind]
    assert server is not None
    remembered = folder / "database"
    if not remembered.exists():
        name = f"test_{uuid4().hex}"
        asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
        remembered.write_text(f"{server.rpartition('/')[0]}/{name}")
    return remembered.read_text()


async def _execute(url: str, query: str) -> list[Row]:
    if url.startswith("mysql:"):
        return await _execute_mysql(url, query)
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def _execute_mysql(url: str, query: str) -> list[Row]:
    import aiomysql

    parts = urlsplit(url)
    connection = await aiomysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        db=parts.path.strip("/"),
    )
    try:
        async with connection.cursor(aiomysql.DictCursor) as cursor:
            await cursor.execute(query)
            return list(await cursor.fetchall())
    finally:
        connection.close()
