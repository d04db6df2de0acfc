"""Connects to databases by URL, and translates their errors without passwords.

Needs the extra ``sql``, for MySQL and MariaDB ``mysql``. Knows no payments and no tables.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from paywint_async import ConfigurationError
from paywint_async._log import fields
from paywint_async.export._errors import ExportError

T = TypeVar("T")
Errors = tuple[type[Exception], ...]

logger = logging.getLogger("paywint_async.export")

BUSY_TIMEOUT = 2.0  # seconds that SQLite itself waits for a lock, which cannot be cancelled
LOCKED_AT_MOST = 60.0  # seconds until a locked SQLite file is an error


def _sqlite_errors() -> Errors:
    import aiosqlite  # imported here, so that its absence is found before anything is opened

    return (aiosqlite.Error,)


def _asyncpg_errors() -> Errors:
    import asyncpg  # SQLAlchemy does not wrap errors of connecting and of COPY

    return (asyncpg.PostgresError, asyncpg.InterfaceError)


def _mysql_errors() -> Errors:
    import aiomysql  # the staging table is filled without SQLAlchemy

    return (aiomysql.MySQLError,)


@attrs.frozen(kw_only=True)
class _Driver:
    """The driver of a kind of database; ``options`` may follow the URL's question mark."""

    name: str
    options: frozenset[str] = frozenset()
    errors: Callable[[], Errors]


_POSTGRES = _Driver(
    name="postgresql+asyncpg",
    options=frozenset({"host", "ssl", "sslmode"}),
    errors=_asyncpg_errors,
)
_MYSQL = _Driver(name="mysql+aiomysql", options=frozenset({"ssl"}), errors=_mysql_errors)
_DRIVERS = {
    "sqlite": _Driver(name="sqlite+aiosqlite", errors=_sqlite_errors),
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}


class Database:
    """A database, which is connected on first use.

    For PostgreSQL, user, password and host that the URL omits come from the environment, as for its own
    tools: ``PGUSER``, ``PGPASSWORD``, ``PGPASSFILE`` and so on. For MySQL and MariaDB, an omitted
    password comes from ``MYSQL_PWD``.

    Args:
        url: ``sqlite:///file.db``, ``postgresql://user@host/database`` or
            ``mysql://user@host/database``.

    Raises:
        ModuleNotFoundError: its driver is not installed.
        ConfigurationError: the URL cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.name = _name_of(self._url)
        self._errors: Errors = (SQLAlchemyError, OSError, *_driver_of(self._url).errors())

    @property
    def dialect(self) -> str:
        """``sqlite``, ``postgresql`` or ``mysql``."""
        return self._url.get_backend_name()

    def make_engine(self) -> AsyncEngine:
        """Makes an engine whose errors never contain the values that were sent."""
        arguments: dict[str, Any] = {}
        url = self._url
        if self.dialect == "sqlite":
            # If aiosqlite cannot open the file, its thread outlives the error, and sometimes the event
            # loop, and then writes an error to stderr.
            sqlite3.connect(str(url.database)).close()
            arguments = {"timeout": BUSY_TIMEOUT}
        elif self.dialect == "mysql":
            arguments = _mysql_arguments(url)
            url = url.set(query={})
        return create_async_engine(
            url, poolclass=NullPool, hide_parameters=True, connect_args=arguments
        )

    @contextmanager
    def translated(self, action: str) -> Iterator[None]:
        """Translates errors of the database and its driver into ExportError."""
        try:
            yield
        except self._errors as error:
            raise ExportError(f"cannot {action} {self.name}: {self._reason(error)}") from None

    async def to_its_end(self, statement: Awaitable[T]) -> T:
        """Awaits a statement of SQLAlchemy's; in SQLite to its end, even if it is cancelled.

        SQLAlchemy closes a connection whose statement was cancelled, and SQLite keeps the lock of such a
        connection until its cursor is collected as garbage.
        """
        if self.dialect != "sqlite":
            return await statement
        running = asyncio.ensure_future(statement)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            if not running.cancelled():
                running.exception()  # else it would be logged as one that nobody has seen
            raise

    async def when_unlocked(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs ``work``, and repeats it while another program has locked the SQLite file.

        The wait is logged once.

        Raises:
            ExportError: the file is locked for more than a minute.
            Exception: an error of ``work``.
        """
        began: float | None = None
        while True:
            started = time.monotonic()
            try:
                return await work()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            if began is None:
                began = started
                logger.warning(
                    "%s is locked by another program; waiting for it, %g s at most",
                    self.name,
                    LOCKED_AT_MOST,
                    extra=fields(event="database_locked", output=self.name, seconds=LOCKED_AT_MOST),
                )
            if time.monotonic() - began > LOCKED_AT_MOST:
                raise ExportError(
                    f"cannot write {self.name}: another program has had it locked for "
                    f"{LOCKED_AT_MOST:g} s; end that one and run this again"
                )

    def _reason(self, error: Exception) -> str:
        origin = getattr(error, "orig", None) or error
        text = str(origin.__cause__ or origin) or type(origin).__name__
        password = self._url.password
        return text.replace(str(password), "***") if password else text


def _driver_of(url: sa.URL) -> _Driver:
    return _DRIVERS[url.get_backend_name()]


def _parse(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (SQLAlchemyError, ValueError):  # whose messages contain the whole URL
        raise ConfigurationError("the destination is not the URL of a database") from None
    url = url.set(drivername=url.drivername.lower())
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigurationError(
            f"{url.drivername} is not a database that payments are written to: "
            f"{', '.join(_DRIVERS)}"
        )
    if unknown := sorted(set(url.query) - driver.options):
        raise ConfigurationError(f"{unknown[0]!r} is not an option of a database's URL here")
    if url.drivername == "sqlite":
        return url.set(drivername=driver.name, database=_file_in(text))
    if not url.database:
        raise ConfigurationError(f"the {url.drivername} URL names no database")
    query = {("ssl" if name == "sslmode" else name): value for name, value in url.query.items()}
    return url.set(drivername=driver.name, query=query)


def _file_in(text: str) -> str:
    """SQLAlchemy decodes a file's name from 2.1 on, and not before."""
    _scheme, slashes, path = text.partition("?")[0].partition(":///")
    name = unquote(path)
    # SQLite itself reads a name such as `file::memory:` as a URI.
    if not slashes or name in ("", ":memory:") or name.startswith("file:"):
        raise ConfigurationError("the sqlite URL names no file: sqlite:///payments.db does")
    return name


def _mysql_arguments(url: sa.URL) -> dict[str, Any]:
    # Else a server may be configured to truncate values that do not fit, with an unseen warning.
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    }
    if url.password is None and (password := os.environ.get("MYSQL_PWD")):
        arguments["password"] = password
    if url.query.get("ssl") not in (None, "false", "disable"):
        arguments["ssl"] = ssl.create_default_context()
    return arguments


def _name_of(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":  # SQLAlchemy would show it URL-encoded
        return f"sqlite:///{url.database}"
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)
