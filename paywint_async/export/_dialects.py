"""The differences between databases: column types, values, and the fastest way to write rows.

Needs the extra ``sql``. Each writer uses the driver's connection directly, within the transaction that
also writes the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any, Protocol, TypeAlias

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from paywint_async import HistoryEntry, Payment
from paywint_async._record_json import time_text
from paywint_async.export._database import Database
from paywint_async.export._encoding import as_text

TABLE, STAGING = "paywint_payments", "paywint_incoming"
COLUMNS = ("direction", *(field.name for field in attrs.fields(Payment)))
KEY = ("payment_id", "direction")  # in this order: an update knows only the id

Row: TypeAlias = Sequence[Any]  # in the order of `COLUMNS`

_IDS = ("payment_id", "payer_id", "payee_id")
_TIMES = ("created_at", "payment_date")
_TEXTS = [place for place, name in enumerate(COLUMNS) if name not in (*_IDS, *_TIMES, "amount")]
_values = attrgetter(*COLUMNS[1:])
_NAMES = ", ".join(COLUMNS)
_NOT_KEY = [name for name in COLUMNS if name not in KEY]
_MYSQL_PRECISION, _MYSQL_SCALE = 38, 10  # as in Parquet; MySQL pads every amount to the scale


class RowWriter(Protocol):
    """Inserts rows or updates existing ones, within one transaction."""

    async def prepare(self) -> None:
        """Creates what the connection needs besides the tables."""

    async def begin(self) -> None:
        """Begins a transaction, unless one is open."""

    async def write(self, rows: Sequence[Row]) -> None:
        """Writes rows; of several with the same key the last one counts."""

    async def flush(self) -> None:
        """Moves all rows into the table."""

    async def commit(self) -> None:
        """Commits the transaction, in which SQLAlchemy has executed statements, too."""


class SqliteWriter:
    """Uses ``executemany`` of an upsert. Waiting for a lock is limited and logged."""

    def __init__(self, database: Database, connection: AsyncConnection, driver: Any) -> None:
        self._database = database
        self._connection = connection
        self._driver = driver
        values = ", ".join("?" for _ in COLUMNS)
        updates = ", ".join(f"{name} = excluded.{name}" for name in _NOT_KEY)
        self._upsert = (
            f"INSERT INTO {TABLE} ({_NAMES}) VALUES ({values}) "
            f"ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {updates}"
        )

    async def prepare(self) -> None:
        """Does nothing."""

    async def begin(self) -> None:
        """Takes the write lock at once: a read transaction cannot always be upgraded to it."""
        if not self._driver.in_transaction:
            begin = partial(self._driver.execute, "BEGIN IMMEDIATE")
            await self._database.when_unlocked(begin)

    async def write(self, rows: Sequence[Row]) -> None:
        """Writes the rows."""
        await self._driver.executemany(self._upsert, rows)

    async def flush(self) -> None:
        """Does nothing: the rows are in the table already."""

    async def commit(self) -> None:
        """Commits; waits for readers with an open transaction."""
        await self._database.when_unlocked(self._driver.commit)
        await self._connection.commit()


class PostgresWriter:
    """Uses COPY into a temporary table, and one upsert for each commit."""

    def __init__(self, _database: Database, connection: AsyncConnection, driver: Any) -> None:
        self._connection = connection
        self._driver = driver
        self._ids: set[int] = set()  # of the staged rows
        updates = ", ".join(f"{name} = excluded.{name}" for name in _NOT_KEY)
        key = ", ".join(KEY)
        self._upsert = (
            f"INSERT INTO {TABLE} ({_NAMES}) SELECT {_NAMES} FROM {STAGING} "
            f"ORDER BY {key} "  # the order of the index, so that each of its pages is visited once
            f"ON CONFLICT ({key}) DO UPDATE SET {updates}"
        )

    async def prepare(self) -> None:
        """Creates the temporary table."""
        await self._connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE {STAGING} AS SELECT {_NAMES} FROM {TABLE} WITH NO DATA"
        )

    async def begin(self) -> None:
        """Begins a transaction by a statement of SQLAlchemy's: COPY bypasses it and would not."""
        if not self._driver.is_in_transaction():
            await self._connection.exec_driver_sql("SELECT 1")

    async def write(self, rows: Sequence[Row]) -> None:
        """Copies the rows into the temporary table; an upsert must not find a key twice there."""
        ids = {row[1].int for row in rows}
        if len(ids) < len(rows):
            rows = list({(row[0], row[1]): row for row in rows}.values())
        if not self._ids.isdisjoint(ids):
            await self.flush()
        self._ids |= ids
        await self._driver.copy_records_to_table(STAGING, records=rows, columns=COLUMNS)

    async def flush(self) -> None:
        """Upserts the copied rows."""
        if self._ids:
            await self._connection.exec_driver_sql(self._upsert)
            await self._connection.exec_driver_sql(f"TRUNCATE {STAGING}")
            self._ids.clear()

    async def commit(self) -> None:
        """Commits."""
        await self._connection.commit()


class MysqlWriter:
    """Uses multi-row inserts into a temporary table, and one upsert for each commit."""

    def __init__(self, _database: Database, connection: AsyncConnection, driver: Any) -> None:
        self._connection = connection
        self._driver = driver
        self._is_staged = False
        values = ", ".join("%s" for _ in COLUMNS)
        self._stage = f"REPLACE INTO {STAGING} ({_NAMES}) VALUES ({values})"
        updates = ", ".join(f"{name} = {STAGING}.{name}" for name in _NOT_KEY)
        self._upsert = (
            f"INSERT INTO {TABLE} ({_NAMES}) SELECT {_NAMES} FROM {STAGING} "
            f"ON DUPLICATE KEY UPDATE {updates}"
        )

    async def prepare(self) -> None:
        """Creates the temporary table with the primary key, so that the last row of a key counts."""
        await self._connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {STAGING} LIKE {TABLE}")

    async def begin(self) -> None:
        """Does nothing: the driver begins a transaction with the first statement."""

    async def write(self, rows: Sequence[Row]) -> None:
        """Inserts the rows into the temporary table."""
        self._is_staged = True
        async with self._driver.cursor() as cursor:
            await cursor.executemany(self._stage, rows)

    async def flush(self) -> None:
        """Upserts the inserted rows."""
        if self._is_staged:
            await self._connection.exec_driver_sql(self._upsert)
            await self._connection.exec_driver_sql(f"DELETE FROM {STAGING}")
            self._is_staged = False

    async def commit(self) -> None:
        """Commits."""
        await self._connection.commit()


def _directed(records: Sequence[Any], direction: str) -> list[Row]:
    if records and isinstance(records[0], HistoryEntry):
        return [(entry.direction.value, *_values(entry.payment)) for entry in records]
    return [(direction, *_values(payment)) for payment in records]


def _utc_text(moment: datetime) -> str:
    return time_text(moment.astimezone(UTC))  # a time outside Python's calendar would not sort


def _sqlite_rows(records: Sequence[Any], direction: str) -> list[Row]:
    return as_text(_directed(records, direction), _utc_text)


def _mysql_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, Decimal):
        # By the digits: `normalize` would round them to the caller's decimal context.
        _sign, digits, exponent = value.as_tuple()
        is_exact = isinstance(exponent, int) and not (
            exponent < -_MYSQL_SCALE and any(digits[exponent + _MYSQL_SCALE :])
        )
        if not is_exact or (value and value.adjusted() >= _MYSQL_PRECISION - _MYSQL_SCALE):
            raise ValueError(
                f"DECIMAL({_MYSQL_PRECISION}, {_MYSQL_SCALE}) cannot hold {value} exactly"
            )
        return value
    return None if value is None else str(value)


def _mysql_rows(records: Sequence[Any], direction: str) -> list[Row]:
    return [list(map(_mysql_value, row)) for row in _directed(records, direction)]


def _postgres_rows(records: Sequence[Any], direction: str) -> list[Row]:
    """Replaces U+0000, which PostgreSQL cannot store, by U+FFFD, so that no text blocks a sync."""
    rows = _directed(records, direction)
    columns = [*zip(*rows, strict=True)]
    if any("\0" in "".join(filter(None, columns[place])) for place in _TEXTS if columns):
        return [
            [each.replace("\0", "\ufffd") if isinstance(each, str) else each for each in row]
            for row in rows
        ]
    return rows


def _postgres_problem(row: Row) -> str | None:
    try:
        for each in row:
            if isinstance(each, datetime):
                each.astimezone(UTC)
    except OverflowError as error:
        return str(error)
    return None


def _no_problem(_row: Row) -> None:
    """Returns None: rows are converted in Python, which finds such values before."""


@attrs.frozen(kw_only=True)
class Dialect:
    """The properties of a database that `SqlTable` needs.

    Attributes:
        lock: statement that makes a second program wait until the commit.
        unlock: statement that releases the lock if the commit does not.
        types: of columns, by name; ``text`` of all others.
        options: of a table.
        insert_new: an insert that does not change an existing row.
        rows: payments as rows. Raises ValueError or OverflowError where one cannot be written.
        problem: why the database has rejected a row; None: not known.
        rows_at_once: rows kept in memory before they are written.
        writer: the class that writes rows.
    """

    lock: str | None = None
    unlock: str | None = None
    types: Mapping[str, Any]
    text: Any
    options: Mapping[str, Any] = attrs.field(factory=dict)
    insert_new: Callable[[sa.Table], Any]
    rows: Callable[[Sequence[Any], str], list[Row]]
    problem: Callable[[Row], str | None] = _no_problem
    rows_at_once: int
    writer: Callable[[Database, AsyncConnection, Any], RowWriter]


_ASCII_ID = mysql.CHAR(36, charset="ascii", collation="ascii_bin")
DIALECTS = {
    "sqlite": Dialect(
        types={},
        text=sa.Text(),
        insert_new=lambda table: sqlite.insert(table).on_conflict_do_nothing(),
        rows=_sqlite_rows,
        rows_at_once=1000,
        writer=SqliteWriter,
    ),
    "postgresql": Dialect(
        lock="SELECT pg_advisory_xact_lock(8245921732)",  # an arbitrary number
        types={
            "amount": sa.Numeric(),
            **dict.fromkeys(_IDS, sa.Uuid()),
            **dict.fromkeys(_TIMES, sa.TIMESTAMP(timezone=True)),
        },
        text=sa.Text(),
        insert_new=lambda table: postgresql.insert(table).on_conflict_do_nothing(),
        rows=_postgres_rows,
        problem=_postgres_problem,
        rows_at_once=10_000,
        writer=PostgresWriter,
    ),
    "mysql": Dialect(
        lock="SELECT GET_LOCK('paywint_payments', 60)",
        unlock="SELECT RELEASE_LOCK('paywint_payments')",
        types={
            "amount": mysql.DECIMAL(_MYSQL_PRECISION, _MYSQL_SCALE),
            "direction": mysql.VARCHAR(20),
            **dict.fromkeys(_IDS, _ASCII_ID),
            **dict.fromkeys(_TIMES, mysql.DATETIME(fsp=6)),
        },
        text=mysql.LONGTEXT(),
        options={"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"},
        insert_new=lambda table: mysql.insert(table).prefix_with("IGNORE"),
        rows=_mysql_rows,
        rows_at_once=5000,
        writer=MysqlWriter,
    ),
}
