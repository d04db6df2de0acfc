"""A table in SQLite, PostgreSQL, MySQL or MariaDB. Needs the extra ``sql``, or ``mysql``.

Data and checkpoint are committed in one transaction. A payment has one row for each direction that lists
it; a repeated payment overwrites its row. Amounts are exact: TEXT with all digits in SQLite, NUMERIC in
PostgreSQL, DECIMAL in MySQL. Times are TEXT in SQLite (ISO 8601 in UTC with six decimals, which sorts by
time), TIMESTAMPTZ in PostgreSQL, and DATETIME(6) in UTC in MySQL.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from paywint_async import Direction, HistoryEntry, Payment
from paywint_async._models import FINAL_STATUSES
from paywint_async.export._database import Database
from paywint_async.export._dialects import COLUMNS, DIALECTS, KEY, TABLE, Row, RowWriter
from paywint_async.export._errors import ExportError, OutputInUseError
from paywint_async.export._reading import exported_count
from paywint_async.export._sink import Checkpoint

_IDS_AT_ONCE = 1000
_REQUIRED = {*KEY, "amount", "created_at", "status"}
_ID = COLUMNS.index("payment_id")


def _parsed(revision: object, listing: object) -> tuple[int, Checkpoint | None]:
    """Parses a checkpoint's row; raises ValueError if it was not written by an export."""
    checkpoint = listing if listing is None else json.loads(str(listing))
    if isinstance(revision, int) and isinstance(checkpoint, dict | None):
        return revision, checkpoint
    raise ValueError


class SqlTable:
    """The table ``paywint_payments`` of a database; its checkpoints are in ``paywint_checkpoints``.

    Args:
        database: the database; missing tables are created.
        direction: ``sent``, ``received`` or ``both``; each has a checkpoint of its own.
    """

    def __init__(self, database: Database, *, direction: str) -> None:
        self._database = database
        self._dialect = DIALECTS[database.dialect]
        self._direction = direction
        self._directions = [each.value for each in Direction if direction in (each, "both")]
        self._catalogue = sa.MetaData()
        self._payments = self._make_payments()
        self._checkpoints = self._make_checkpoints()
        self._resources = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        self._row_writer: RowWriter | None = None
        self._rows: list[Row] = []  # not sent yet
        self._revision = 0

    async def open(self) -> Checkpoint | None:
        """Connects, and creates missing tables.

        Raises:
            ExportError: also if there is a checkpoint but no payments, or the checkpoint is damaged.
        """
        with self._database.translated("open"):
            engine = self._database.make_engine()
            self._resources.push_async_callback(engine.dispose)
            connection = await self._resources.enter_async_context(engine.connect())
            driver = (await connection.get_raw_connection()).driver_connection
            writer = self._dialect.writer(self._database, connection, driver)
            listing, is_empty = await self._prepare(connection, writer)
        if is_empty and (count := exported_count(listing)):
            raise ExportError(
                f"{self._database.name} has no payments, but paywint_checkpoints says {count:,} of "
                f"{self._direction!r}: restore them, or delete that row to start again"
            )
        self._connection, self._row_writer = connection, writer
        return listing

    async def write(self, page: Sequence[Payment] | Sequence[HistoryEntry]) -> None:
        """Inserts or updates the page's payments, many pages at a time."""
        self._rows += self._rows_of(page)
        if len(self._rows) >= self._dialect.rows_at_once:
            await self._send()

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Commits rows and checkpoint in one transaction.

        Raises:
            OutputInUseError: another export has replaced the checkpoint in the meantime.
        """
        await self._send()
        mine = self._checkpoints.c
        saved = (
            sa.update(self._checkpoints)
            .where(mine.direction == self._direction, mine.revision == self._revision)
            .values(
                revision=self._revision + 1,
                listing=None if checkpoint is None else json.dumps(checkpoint),
            )
        )
        with self._database.translated("write"):
            await self._writer.begin()
            await self._writer.flush()
            if (await self._execute(saved)).rowcount != 1:
                raise OutputInUseError(f"{self._database.name} is being written by another export")
            await self._writer.commit()
        self._revision += 1

    async def pending(
        self, *, recheck_since: datetime | None = None
    ) -> AsyncGenerator[Sequence[UUID], None]:
        """Yields the ids of the payments that are not final in the table."""
        column = self._payments.c.payment_id
        ids = (
            sa.select(column)
            .distinct()
            .where(self._payments.c.status.not_in(FINAL_STATUSES), self._is_mine())
            .order_by(column)
            .limit(_IDS_AT_ONCE)
        )
        found = await self._fetch(ids)
        while found:
            try:
                identities = [UUID(str(row.payment_id)) for row in found]
            except ValueError as error:
                raise ExportError(f"cannot read {self._database.name}: {error}") from None
            yield identities
            found = await self._fetch(ids.where(column > found[-1].payment_id))

    async def refresh(self, payments: Sequence[Payment]) -> int:
        """Updates the rows of these payments in all directions."""
        fresh = {row[_ID]: row for row in self._rows_of(payments)}
        here = sa.select(self._payments).where(
            self._payments.c.payment_id.in_(fresh), self._is_mine()
        )
        changed: list[Row] = []
        for row in await self._fetch(here):
            now = (row.direction, *fresh[row.payment_id][1:])
            if tuple(row) != now:
                changed.append(now)
        self._rows += changed
        await self._send()
        return len(changed)

    async def close(self, *, complete: bool) -> None:
        """Disconnects; what is not committed is rolled back."""
        self._connection = self._row_writer = None
        self._rows.clear()
        with self._database.translated("close"):
            await self._resources.aclose()

    @property
    def _open_connection(self) -> AsyncConnection:
        assert self._connection is not None
        return self._connection

    @property
    def _writer(self) -> RowWriter:
        assert self._row_writer is not None
        return self._row_writer

    async def _prepare(
        self, connection: AsyncConnection, writer: RowWriter
    ) -> tuple[Checkpoint | None, bool]:
        """Creates missing tables; returns the checkpoint, and whether there are no payments."""
        # Two exports that start at once would both create the tables, so the second one waits.
        await writer.begin()
        if self._dialect.lock:
            await connection.exec_driver_sql(self._dialect.lock)
        await self._database.to_its_end(connection.run_sync(self._catalogue.create_all))
        self._revision, listing = await self._read_checkpoint(connection)
        here = sa.select(sa.literal(1)).where(self._is_mine()).limit(1)
        is_empty = (await self._execute(here, connection)).first() is None
        await writer.prepare()
        await writer.commit()
        if self._dialect.unlock:
            await connection.exec_driver_sql(self._dialect.unlock)
            await connection.commit()
        return listing, is_empty

    def _rows_of(self, records: Sequence[Any]) -> list[Row]:
        direction = self._directions[0]
        try:
            return self._dialect.rows(records, direction)
        except (OverflowError, ValueError):
            for record in records:
                try:
                    self._dialect.rows([record], direction)
                except (OverflowError, ValueError) as error:
                    payment = record.payment if isinstance(record, HistoryEntry) else record
                    raise self._refusal(payment.payment_id, str(error)) from None
            raise

    async def _send(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            with self._database.translated("write"):
                await self._writer.begin()
                await self._writer.write(rows)
        except (ExportError, OverflowError):
            for row in rows:
                if problem := self._dialect.problem(row):
                    raise self._refusal(row[_ID], problem) from None
            raise

    def _refusal(self, payment_id: object, problem: str) -> ExportError:
        return ExportError(
            f"cannot write payment {payment_id} into {self._database.name}: {problem}"
        )

    async def _execute(
        self, statement: sa.Executable, connection: AsyncConnection | None = None
    ) -> sa.CursorResult[Any]:
        connection = connection or self._open_connection
        return await self._database.to_its_end(connection.execute(statement))

    async def _fetch(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._database.translated("read"):
            return (await self._execute(query)).all()

    async def _read_checkpoint(self, connection: AsyncConnection) -> tuple[int, Checkpoint | None]:
        first = {"direction": self._direction, "revision": 0, "listing": None}
        new = self._dialect.insert_new(self._checkpoints).values(first)
        await self._execute(new, connection)
        query = sa.select(self._checkpoints.c.revision, self._checkpoints.c.listing)
        mine = query.where(self._checkpoints.c.direction == self._direction)
        found = await self._execute(mine, connection)
        try:
            row = found.one()
            return _parsed(row.revision, row.listing)
        except ValueError:
            raise ExportError(
                f"{self._database.name}: what paywint_checkpoints has of {self._direction!r} is not "
                "an export's checkpoint"
            ) from None

    def _is_mine(self) -> sa.ColumnElement[bool]:
        return self._payments.c.direction.in_(self._directions)

    def _make_payments(self) -> sa.Table:
        columns: Iterable[sa.Column[Any]] = (
            sa.Column(name, self._type(name), nullable=name not in _REQUIRED) for name in COLUMNS
        )
        key = sa.PrimaryKeyConstraint(*KEY)
        return sa.Table(TABLE, self._catalogue, *columns, key, **self._dialect.options)

    def _make_checkpoints(self) -> sa.Table:
        return sa.Table(
            "paywint_checkpoints",
            self._catalogue,
            sa.Column("direction", self._type("direction"), primary_key=True),
            sa.Column("revision", sa.BigInteger(), nullable=False),
            sa.Column("listing", self._type("listing")),
            **self._dialect.options,
        )

    def _type(self, column: str) -> Any:
        return self._dialect.types.get(column, self._dialect.text)
