"""Databases by their URL: connections, and what fails in words that show no password.

Needs the extra ``sql``. Knows no payments and no tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from paywint_async import ConfigurationError
from paywint_async.export._errors import ExportError

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
_OPTIONS = {"host", "ssl", "sslmode"}  # of a server, behind the URL's question mark


class Database:
    """A database that is reached when it is first used.

    Where the URL leaves out user, password or host, those of the environment count for PostgreSQL,
    as for its own tools: ``PGUSER``, ``PGPASSWORD``, ``PGPASSFILE`` and so on.

    Args:
        url: ``sqlite:///file.db`` or ``postgresql://user@host/database``.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.name = _name_of(self._url)
        self._errors = _errors_of(self.dialect)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._url.get_backend_name()

    def make_engine(self) -> AsyncEngine:
        """What connects. An error of it never shows the values that were sent."""
        if self.dialect == "sqlite":
            # Where aiosqlite cannot open the file, its thread outlives the error, and sometimes the
            # event loop: then it complains on stderr.
            sqlite3.connect(str(self._url.database)).close()
        return create_async_engine(self._url, poolclass=NullPool, hide_parameters=True)

    @contextmanager
    def translated(self, action: str) -> Iterator[None]:
        """Turns what the database or its driver raises into an ExportError."""
        try:
            yield
        except self._errors as error:
            raise ExportError(f"cannot {action} {self.name}: {self._reason(error)}") from None

    def _reason(self, error: Exception) -> str:
        origin = getattr(error, "orig", None) or error
        text = str(origin.__cause__ or origin) or type(origin).__name__
        password = self._url.password
        return text.replace(str(password), "***") if password else text


def _parse(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (SQLAlchemyError, ValueError):  # whose own words show the whole of it
        raise ConfigurationError("the destination is no database's URL") from None
    if url.drivername not in _DRIVERS:
        raise ConfigurationError(
            f"{url.drivername} is not a database that payments are written to: sqlite, postgresql"
        )
    if unknown := sorted(set(url.query) - (set() if url.drivername == "sqlite" else _OPTIONS)):
        raise ConfigurationError(f"{unknown[0]!r} is not an option of a database's URL here")
    if url.drivername == "sqlite":
        return url.set(drivername=_DRIVERS["sqlite"], database=_file_in(text))
    if not url.database:
        raise ConfigurationError(f"the {url.drivername} URL names no database")
    query = {("ssl" if name == "sslmode" else name): value for name, value in url.query.items()}
    return url.set(drivername=_DRIVERS[url.drivername], query=query)


def _file_in(text: str) -> str:
    """SQLAlchemy decodes a file's name from 2.1 on, and not before."""
    name = unquote(text.partition("?")[0].removeprefix("sqlite:///"))
    if not text.startswith("sqlite:///") or name in ("", ":memory:"):
        raise ConfigurationError("the sqlite URL names no file: sqlite:///payments.db does")
    return name


def _name_of(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":  # which would be shown encoded
        return f"sqlite:///{url.database}"
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def _errors_of(dialect: str) -> tuple[type[Exception], ...]:
    if dialect == "sqlite":
        return (SQLAlchemyError, OSError, sqlite3.Error)
    import asyncpg  # only its own refusals of a connection come unwrapped

    return (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
