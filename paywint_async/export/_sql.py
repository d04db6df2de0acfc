"""A table in SQLite or PostgreSQL. Needs the extra ``sql``.

Data and checkpoint are one transaction. A payment has a row for each direction it is listed in, which
is written over when it comes again. Amounts are exact: their digits as TEXT in SQLite, NUMERIC in
PostgreSQL; times are ISO 8601 in UTC, always with six decimals (so that they sort as text), and
TIMESTAMPTZ.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from paywint_async import Direction, HistoryEntry, Payment, PaymentStatus
from paywint_async._json_lines import time_text
from paywint_async.export._database import Database
from paywint_async.export._encoding import plain
from paywint_async.export._errors import ExportError, OutputInUseError
from paywint_async.export._reading import exported_count
from paywint_async.export._sink import Checkpoint

_IDS_AT_ONCE = 1000
_COLUMNS = ("direction", *(field.name for field in attrs.fields(Payment)))
_KEY = ("payment_id", "direction")  # in this order: an update knows only the id
_REQUIRED = {*_KEY, "amount", "created_at", "status"}
_FINAL = [each.value for each in PaymentStatus if each.is_final]
_IDS = ("payment_id", "payer_id", "payee_id")
_TIMES = ("created_at", "payment_date")

Row = dict[str, Any]


def _text(value: Any) -> Any:
    """As SQLite has it: all is text."""
    if isinstance(value, datetime):
        return time_text(value.astimezone(UTC))  # beyond the calendar it is refused
    if isinstance(value, Decimal):
        return plain(value)
    return str(value) if isinstance(value, UUID) else value


def _typed(value: Any) -> Any:
    """As PostgreSQL has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str) and "\0" in value:
        raise ValueError("PostgreSQL has no texts with the character U+0000")
    return value


def _parsed(revision: object, listing: object) -> tuple[int, Checkpoint | None]:
    """Raises ValueError: that was never written here."""
    checkpoint = listing if listing is None else json.loads(str(listing))
    if isinstance(revision, int) and isinstance(checkpoint, dict | None):
        return revision, checkpoint
    raise ValueError


@attrs.frozen(kw_only=True)
class _Dialect:
    lock: str
    types: dict[str, Any]
    insert: Callable[[sa.Table], Any]
    value: Callable[[Any], Any]


_DIALECTS = {
    "sqlite": _Dialect(lock="BEGIN IMMEDIATE", types={}, insert=sqlite.insert, value=_text),
    "postgresql": _Dialect(
        lock="SELECT pg_advisory_xact_lock(8245921732)",  # a number that is nobody else's
        types={
            "amount": sa.Numeric(),
            **dict.fromkeys(_IDS, sa.Uuid()),
            **dict.fromkeys(_TIMES, sa.TIMESTAMP(timezone=True)),
        },
        insert=postgresql.insert,
        value=_typed,
    ),
}


class SqlTable:
    """A table of a database: ``paywint_payments``, beside ``paywint_checkpoints``.

    Args:
        database: where they are, or are made.
        direction: ``sent``, ``received`` or ``both``; each has a checkpoint of its own.
    """

    def __init__(self, database: Database, *, direction: str) -> None:
        self._database = database
        self._dialect = _DIALECTS[database.dialect]
        self._direction = direction
        self._directions = [each.value for each in Direction if direction in (each, "both")]
        self._catalogue = sa.MetaData()
        self._payments = self._make_payments()
        self._checkpoints = self._make_checkpoints()
        self._upsert = self._make_upsert()
        self._held = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        self._revision = 0

    async def open(self) -> Checkpoint | None:
        """Connects, and makes the tables where they are missing.

        Raises:
            ExportError: also where the payments are gone of which there is a checkpoint, or that is
                damaged.
        """
        with self._database.translated("open"):
            engine = self._database.make_engine()
            self._held.push_async_callback(engine.dispose)
            connection = await self._held.enter_async_context(engine.connect())
            # Of two that begin at once, both would find no tables; the second waits for the commit.
            await connection.exec_driver_sql(self._dialect.lock)
            await connection.run_sync(self._catalogue.create_all)
            self._revision, listing = await self._read_checkpoint(connection)
            here = await connection.execute(
                sa.select(sa.literal(1)).where(self._is_mine()).limit(1)
            )
            is_empty = here.first() is None
            await connection.commit()
        if is_empty and (count := exported_count(listing)):
            raise ExportError(
                f"{self._database.name} has no payments, but paywint_checkpoints says {count:,} of "
                f"{self._direction!r}: restore them, or delete that row to begin anew"
            )
        self._connection = connection
        return listing

    async def write(self, page: Sequence[Payment] | Sequence[HistoryEntry]) -> None:
        """Inserts or updates the page's payments."""
        await self._write([self._row(record) for record in page])

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Commits both.

        Raises:
            OutputInUseError: another export has gone on from the same checkpoint meanwhile.
        """
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
            if (await self._open_connection.execute(saved)).rowcount != 1:
                raise OutputInUseError(f"{self._database.name} is being written by another export")
            await self._open_connection.commit()
        self._revision += 1

    async def pending(self) -> AsyncGenerator[Sequence[UUID], None]:
        """The ids of the payments that are not final here."""
        column = self._payments.c.payment_id
        ids = (
            sa.select(column)
            .distinct()
            .where(self._payments.c.status.not_in(_FINAL), self._is_mine())
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
        """Updates the rows of these payments, in each direction they are here."""
        fresh = {row["payment_id"]: row for row in map(self._row, payments)}
        here = sa.select(self._payments).where(
            self._payments.c.payment_id.in_(fresh), self._is_mine()
        )
        changed = []
        for row in await self._fetch(here):
            now = fresh[row.payment_id] | {"direction": row.direction}
            if row._asdict() != now:
                changed.append(now)
        await self._write(changed)
        return len(changed)

    async def close(self, *, complete: bool) -> None:
        """Disconnects; what is not committed is undone."""
        self._connection = None
        with self._database.translated("close"):
            await self._held.aclose()

    @property
    def _open_connection(self) -> AsyncConnection:
        assert self._connection is not None
        return self._connection

    def _row(self, record: Payment | HistoryEntry) -> Row:
        if isinstance(record, HistoryEntry):
            payment, direction = record.payment, record.direction.value
        else:
            payment, direction = record, self._directions[0]
        try:
            values = [self._dialect.value(getattr(payment, name)) for name in _COLUMNS[1:]]
        except (OverflowError, ValueError) as error:
            place = f"payment {payment.payment_id} into {self._database.name}"
            raise ExportError(f"cannot write {place}: {error}") from None
        return dict(zip(_COLUMNS, (direction, *values), strict=True))

    async def _write(self, rows: list[Row]) -> None:
        if rows:
            with self._database.translated("write"):
                await self._open_connection.execute(self._upsert, rows)

    async def _fetch(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._database.translated("read"):
            found: sa.CursorResult[Any] = await self._open_connection.execute(query)
            return found.all()

    async def _read_checkpoint(self, connection: AsyncConnection) -> tuple[int, Checkpoint | None]:
        first = {"direction": self._direction, "revision": 0, "listing": None}
        await connection.execute(
            self._dialect.insert(self._checkpoints).values(first).on_conflict_do_nothing()
        )
        query = sa.select(self._checkpoints.c.revision, self._checkpoints.c.listing)
        found = await connection.execute(
            query.where(self._checkpoints.c.direction == self._direction)
        )
        try:
            return _parsed(*found.one())
        except ValueError:
            raise ExportError(
                f"{self._database.name}: what paywint_checkpoints has of {self._direction!r} is not "
                "an export's checkpoint"
            ) from None

    def _is_mine(self) -> sa.ColumnElement[bool]:
        return self._payments.c.direction.in_(self._directions)

    def _make_payments(self) -> sa.Table:
        columns: Iterable[sa.Column[Any]] = (
            sa.Column(
                name, self._dialect.types.get(name, sa.Text()), nullable=name not in _REQUIRED
            )
            for name in _COLUMNS
        )
        key = sa.PrimaryKeyConstraint(*_KEY)
        return sa.Table("paywint_payments", self._catalogue, *columns, key)

    def _make_checkpoints(self) -> sa.Table:
        return sa.Table(
            "paywint_checkpoints",
            self._catalogue,
            sa.Column("direction", sa.Text(), primary_key=True),
            sa.Column("revision", sa.BigInteger(), nullable=False),
            sa.Column("listing", sa.Text()),
        )

    def _make_upsert(self) -> Any:
        insert = self._dialect.insert(self._payments)
        values = {name: insert.excluded[name] for name in _COLUMNS if name not in _KEY}
        return insert.on_conflict_do_update(index_elements=_KEY, set_=values)
