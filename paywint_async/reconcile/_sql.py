"""Reads ledgers from databases: the table that ``paywint sync`` writes, or another. Extra ``sql``."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import sqlalchemy as sa

from paywint_async.export._database import Database
from paywint_async.export._errors import ExportError
from paywint_async.reconcile._ledger import typed_forms
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._records import LedgerRow
from paywint_async.reconcile._row_parser import RowParser

_ROWS_AT_ONCE = 1000  # in memory


async def read_database(
    database: Database, format: LedgerFormat
) -> AsyncGenerator[LedgerRow, None]:
    """Yield the rows of the table that the format names, in the database's order.

    Raises:
        ExportError: the database cannot be reached, or has no such table.
        LedgerError: a row is invalid; the message names its number and the column.
    """
    _refuse_new_file(database)
    query = sa.select(sa.text("*")).select_from(sa.table(format.table))
    async with AsyncExitStack() as resources:
        with database.translated("read"):
            engine = database.make_engine()
            resources.push_async_callback(engine.dispose)
            connection = await resources.enter_async_context(engine.connect())
            result = await resources.enter_async_context(connection.stream(query))
        names = list(result.keys())
        reader = RowParser(format, typed_forms(names, format, database.name))
        number = 0
        while True:
            with database.translated("read"):
                rows = await result.fetchmany(_ROWS_AT_ONCE)
            for row in rows:
                number += 1
                if found := reader.read(tuple(row), number, f"{database.name}, row {number}"):
                    yield found
            if not rows:
                return


def _refuse_new_file(database: Database) -> None:
    """Refuse a missing file, which SQLite would create."""
    path = database.name.removeprefix("sqlite:///")
    if database.dialect == "sqlite" and not os.path.isfile(path):
        raise ExportError(f"cannot read {database.name}: there is no such file")
