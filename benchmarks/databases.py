"""How fast do payments go into a database, against the loop that a good engineer writes by hand?

Both write the same table, key and upsert, commit once a second, and run in separate processes, which
take turns. For SQLite the loop uses `sqlite3.executemany`; for PostgreSQL it collects rows for a
second, copies them into a temporary table and upserts them from there. PostgreSQL is included if
PAYWINT_TEST_POSTGRES has the URL of a server:
`python tests/services/postgres.py python benchmarks/databases.py`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterable
from functools import partial
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import _ours
import _peers
import _server
from _measure import Rounds, Row, Work, in_a_process, interleave, report

RECORDS = 100_000
RUNS = 5
IN_FLIGHT = 16
OURS, HAND = "paywint_async", "hand-written loop"
AT_LEAST = {"SQLite": 0.90, "PostgreSQL": 0.85}

COLUMNS = (
    *("direction", "payment_id", "payer_id", "payer_name", "payee_id", "payee_name", "amount"),
    *("currency", "description", "payment_method", "receiving_method", "created_at"),
    *("payment_date", "status", "failure_reason"),
)
NAMES = ", ".join(COLUMNS)
UPDATES = ", ".join(
    f"{name} = excluded.{name}" for name in COLUMNS if name not in ("payment_id", "direction")
)
UPSERT = f"ON CONFLICT (payment_id, direction) DO UPDATE SET {UPDATES}"
_fields = attrgetter(*COLUMNS[1:])


def as_text(payment: Any) -> tuple[Any, ...]:
    """A payment as a row for SQLite."""
    values = ["received", *_fields(payment)]
    for place in (1, 2, 4, 6, 9, 10, 13):
        values[place] = None if values[place] is None else str(values[place])
    for place in (11, 12):
        moment = values[place]
        values[place] = moment and moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return tuple(values)


async def pages(url: str) -> Any:
    """The payments of each page."""
    async with _peers.aiohttp_session() as session:
        async for body in _peers.bodies(session, url, IN_FLIGHT):
            yield _peers.decode_ordered_page(body).records


async def into_sqlite(url: str, output: str) -> None:
    """The hand-written loop."""
    types = ", ".join(f"{name} TEXT" for name in COLUMNS)
    marks = ", ".join("?" for _ in COLUMNS)
    with sqlite3.connect(output.removeprefix("sqlite:///")) as connection:
        connection.execute(
            f"CREATE TABLE paywint_payments ({types}, PRIMARY KEY (payment_id, direction))"
        )
        insert = f"INSERT INTO paywint_payments ({NAMES}) VALUES ({marks}) {UPSERT}"
        committed = time.monotonic()
        async for payments in pages(url):
            connection.executemany(insert, map(as_text, payments))
            if time.monotonic() - committed >= 1:
                connection.commit()
                committed = time.monotonic()
    connection.close()


async def into_postgres(url: str, output: str) -> None:
    """The hand-written loop."""
    import asyncpg

    types = {
        **dict.fromkeys(("payment_id", "payer_id", "payee_id"), "UUID"),
        **dict.fromkeys(("created_at", "payment_date"), "TIMESTAMPTZ"),
        "amount": "NUMERIC",
    }
    columns = ", ".join(f"{name} {types.get(name, 'TEXT')}" for name in COLUMNS)
    connection = await asyncpg.connect(output)
    await connection.execute(
        f"CREATE TABLE paywint_payments ({columns}, PRIMARY KEY (payment_id, direction)); "
        "CREATE TEMPORARY TABLE incoming (LIKE paywint_payments)"
    )

    async def commit(rows: Iterable[Any]) -> None:
        async with connection.transaction():
            await connection.copy_records_to_table("incoming", records=rows, columns=COLUMNS)
            await connection.execute(
                f"INSERT INTO paywint_payments ({NAMES}) SELECT DISTINCT ON (payment_id, direction) "
                f"{NAMES} FROM incoming {UPSERT}"
            )
            await connection.execute("TRUNCATE incoming")

    rows: list[Any] = []
    committed = time.monotonic()
    async for payments in pages(url):
        rows += [("received", *_fields(each)) for each in payments]
        if time.monotonic() - committed >= 1:
            await commit(rows)
            rows = []
            committed = time.monotonic()
    await commit(rows)
    await connection.close()


HAND_WRITTEN = {"SQLite": into_sqlite, "PostgreSQL": into_postgres}


async def run(who: str, kind: str, url: str, output: str) -> None:
    """Runs in the measured process, after the libraries of both are imported."""
    importlib.import_module("asyncpg")
    importlib.import_module("paywint_async.export._sql")
    started = time.perf_counter()
    await (_ours.export(url, output) if who == OURS else HAND_WRITTEN[kind](url, output))
    print(time.perf_counter() - started)


async def make_database(server: str) -> str:
    """Creates a database, and returns its URL."""
    import asyncpg

    name = f"bench_{uuid4().hex}"
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


async def measure(who: str, kind: str, url: str, folder: str, inside: Rounds) -> int:
    """Runs one process that writes into a new database; records the time it reports."""
    if kind == "SQLite":
        output = f"sqlite:///{folder}/{uuid4().hex}.db"
    else:
        output = await make_database(os.environ["PAYWINT_TEST_POSTGRES"])
    (seconds,) = in_a_process(__file__, who, kind, url, output)
    inside.enter(who, seconds / RECORDS, 0.0)
    return RECORDS


def row(kind: str, url: str) -> Row:
    """Measures one database."""
    inside = Rounds()
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        contenders: dict[str, Work] = {
            who: partial(measure, who, kind, url, folder, inside) for who in (OURS, HAND)
        }
        asyncio.run(interleave(contenders, RUNS))
    for who in (OURS, HAND):  # the first round is not counted
        del inside.wall[who][0]
    return Row(
        measure=f"{RECORDS:,} payments into {kind}, against the hand-written loop",
        measured=inside.speed(OURS, HAND),
        at_least=AT_LEAST[kind],
        note=f"{inside.spread(OURS, HAND)}; {inside.rate(OURS):,.0f} payments/s",
    )


def rows(server: str) -> list[Row]:
    """One row for each available database."""
    url = _server.place(server, records=RECORDS)
    kinds = ["SQLite", *(["PostgreSQL"] if os.environ.get("PAYWINT_TEST_POSTGRES") else [])]
    return [row(kind, url) for kind in kinds]


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("["):
        asyncio.run(run(*json.loads(sys.argv[1])))
    else:
        with _server.serving() as address:
            report(str(__doc__).partition("\n")[0], rows(address))
