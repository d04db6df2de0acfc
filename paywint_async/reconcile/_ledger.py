"""Reads ledgers of every kind, row by row. Knows nothing of the account and of matching."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator, Mapping
from contextlib import aclosing
from decimal import Decimal
from importlib import import_module
from typing import Any

import msgspec

from paywint_async import ConfigurationError
from paywint_async.export._compression import compression_of
from paywint_async.export._destination import open_database
from paywint_async.export._errors import translated
from paywint_async.reconcile._agreement import Agreement
from paywint_async.reconcile._column_parser import ColumnParser, PlainRows
from paywint_async.reconcile._columns import find_columns
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._file_kinds import kind_by_name, kind_of
from paywint_async.reconcile._forms import Forms
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._records import LedgerRow, Period
from paywint_async.reconcile._row_parser import RowParser
from paywint_async.reconcile._tables import LedgerTable, TableRows, column_roles
from paywint_async.reconcile._text_file import MOST_CHARACTERS, translated_damages

_decode_exactly = msgspec.json.Decoder(float_hook=Decimal).decode
_names_in = json.JSONDecoder(
    parse_int=str, parse_float=str, object_pairs_hook=lambda pairs: [name for name, _ in pairs]
).decode
_MOST_QUOTES = 100_000  # in a line of JSON
_ROWS_AT_ONCE = 1000  # between two turns of the event loop
_MOST_SHOWN = 2000  # characters of a row's source


class OpenedLedger:
    """A ledger whose format is known.

    Args:
        ledger: a file, or ``sqlite:///…`` or ``postgresql://…``.
        format: its columns, zone and so on.

    Raises:
        LedgerError: it is not a ledger, or its format is ambiguous; the message names the option that
            decides.
        ExportError: there is no such file, or it cannot be opened.
        ConfigurationError: an extra is missing.
    """

    def __init__(self, ledger: str, format: LedgerFormat) -> None:
        self._ledger = ledger
        self._format = format
        self.kind = kind_of(ledger)
        self._version = _version_of(ledger)
        self.table: TableRows | None = None
        if self.kind in _TABLES:
            self.table = TableRows(_open_table(self.kind, ledger, format), format)

    @property
    def unit(self) -> str:
        """The unit in which a row's place counts."""
        return self.table.table.unit if self.table else unit_of(self._ledger)

    def notes(self) -> list[str]:
        """Return what was detected, which columns are not used, and which rows were skipped so far."""
        return self.table.notes() if self.table else []

    def found_options(self) -> dict[str, str]:
        """Return the detected options by name: another ledger of this kind may be ambiguous."""
        if self.table is None or self.kind not in ("csv", "xlsx"):
            return {}
        forms = self.table.forms
        found = {"decimal_mark": forms.decimal_mark}
        if not forms.has_iso_dates:
            found["date_format"] = forms.date_order
        if self.table.table.layout.delimiter is not None:
            found["delimiter"] = self.table.table.layout.delimiter
        names = forms.places.names
        columns = column_roles(forms.places).items()
        return found | {f"{role}_column": names[place] for role, place in columns}

    def directions_by(self) -> tuple[str, str]:
        """Return what determines the rows' directions, and what to do if these are wrong."""
        places = self.table.forms.places if self.table else None
        if places is not None and places.amount is None:
            names = {
                role: place and places.names[place]
                for role, place in (("debit", places.debit), ("credit", places.credit))
            }
            swapped = f"--debit-column {names['credit']!r} --credit-column {names['debit']!r}"
            hint = f"{swapped} swaps the two, as QuickBooks Desktop needs"
            return "by their debit and credit columns", hint
        other = "sent" if self._format.direction == "received" else "received"
        return "by their direction or sign", f"--direction {other} compares them"

    async def rows(self) -> AsyncGenerator[LedgerRow, None]:
        """Yield all rows, in their order.

        Raises:
            LedgerError: a row is invalid; the message names it and the column.
            ExportError: the ledger cannot be read.
        """
        if self.kind == "sql":
            async with aclosing(_read_database(self._ledger, self._format)) as rows:
                async for row in rows:
                    yield row
            return
        for number, row in enumerate(self.read()):
            yield row
            if number % _ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def columns(self, directions: Collection[str], period: Period) -> ColumnParser | None:
        """Return a parser for `plain_rows`; None if no row of this ledger is plain."""
        return self.table.columns(directions, period) if self.table else None

    async def plain_rows(
        self, columns: ColumnParser
    ) -> AsyncGenerator[PlainRows | LedgerRow, None]:
        """Yield all rows, the plain ones of some hundred together; raises as `rows`."""
        assert self.table is not None
        for number, part in enumerate(self.table.read_plain(columns)):
            yield part
            if isinstance(part, PlainRows) or number % _ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def open_rows(self, agreement: Agreement) -> AsyncGenerator[list[LedgerRow], None]:
        """Yield the plain rows that are open in an agreement.

        Raises:
            LedgerError: the file was changed since it was opened.
        """
        assert self.table is not None
        self._refuse_changed()
        try:
            for rows in self.table.read_open(agreement):
                yield rows
                await asyncio.sleep(0)
        except Exception:
            self._refuse_changed()  # which is the cause then
            raise
        self._refuse_changed()

    def _refuse_changed(self) -> None:
        if _version_of(self._ledger) != self._version:
            hint = "compare it again"
            raise LedgerError(self._ledger, "was changed while it was compared", hint=hint)

    def read(self) -> Iterator[LedgerRow]:
        """Return the rows of a file, without an event loop; raises as `rows`."""
        if self.table:
            return self.table.read()
        if self.kind == "parquet":
            return iter(_parquet().read_parquet(self._ledger, self._format))
        return _read_json(self._ledger, self._format)

    def sources(self, places: Collection[int]) -> Mapping[int, str]:
        """Return rows as they are in the file, by place; none of a database or Parquet file."""
        if not places:
            return {}
        if self.table:
            found = self.table.table.sources()
        elif self.kind == "jsonl":
            found = ((line, text.decode("utf-8", "replace")) for line, text in _lines(self._ledger))
        else:
            return {}
        wanted = set(places)
        return {
            place: text[:_MOST_SHOWN].rstrip("\r\n") for place, text in found if place in wanted
        }


async def ledger_rows(ledger: str, format: LedgerFormat) -> AsyncGenerator[LedgerRow, None]:
    """Yield the rows of any ledger: a file, as for `read_ledger`, or a database (extra ``sql``).

    Args:
        ledger: a file, or ``sqlite:///…`` or ``postgresql://…`` with the table of a sync.
        format: its columns, zone and so on.

    Raises:
        LedgerError, ConfigurationError: as `read_ledger`.
        ExportError: the file or database cannot be read.

    Cancellation: closes the file or the connection.
    """
    async with aclosing(OpenedLedger(ledger, format).rows()) as rows:
        async for row in rows:
            yield row


def read_ledger(path: str, format: LedgerFormat) -> Iterator[LedgerRow]:
    """Return the rows of a file, in their order.

    Args:
        path: text with separated values, or JSON lines if the name ends in ``.jsonl``, also compressed
            (``.gz``, ``.zst``); Excel, OFX, CAMT.053 or MT940 (extra ``ledgers``); a file whose name
            ends in ``.parquet``, or a directory of such files (extra ``parquet``).
        format: its columns, zone and so on.

    Raises:
        LedgerError: the file or a row is invalid; the message names line and column.
        ExportError: there is no such file, or it cannot be opened.
        ConfigurationError: an extra is missing.
    """
    return OpenedLedger(path, format).read()


def _version_of(path: str) -> tuple[int, ...] | None:
    """Return what changes if a file does; None if there is no such file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def unit_of(ledger: str) -> str:
    """Return what a row's place counts: ``line`` for a text file, else ``row``."""
    return "row" if kind_by_name(ledger) in ("sql", "parquet", "xlsx") else "line"


# For each kind: its module, the function that opens it, and its name if an extra is missing.
_TABLES = {
    "csv": ("_tables", "open_table", ""),
    "xlsx": ("_workbook", "open_workbook", "Excel ledgers"),
    "ofx": ("_ofx", "open_ofx", "OFX ledgers"),
    "camt": ("_camt", "open_camt", "CAMT.053 ledgers"),
    "mt940": ("_mt940", "open_mt940", "MT940 ledgers"),
}


def _open_table(kind: str, ledger: str, format: LedgerFormat) -> LedgerTable:
    name, function, what = _TABLES[kind]
    try:
        module = import_module(f"paywint_async.reconcile.{name}")
    except ModuleNotFoundError:
        raise _missing("ledgers", what) from None
    table: LedgerTable = getattr(module, function)(ledger, format)
    return table


def _read_database(url: str, format: LedgerFormat) -> AsyncGenerator[LedgerRow, None]:
    database = open_database(url)  # first: its error names a missing extra
    from paywint_async.reconcile._sql import read_database

    return read_database(database, format)


def _parquet() -> Any:
    try:
        from paywint_async.reconcile import _parquet
    except ModuleNotFoundError:
        raise _missing("parquet", "Parquet ledgers") from None
    return _parquet


def _missing(extra: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{what} need an extra: pip install 'paywint-async[{extra}]'")


def _read_json(path: str, format: LedgerFormat) -> Iterator[LedgerRow]:
    """Yield the rows of JSON objects, with exact numbers; the first object names the columns."""
    names: list[str] = []
    reader: RowParser | None = None
    used: list[int] = []
    for line, text in _lines(path):
        named = f"{path}, line {line}"
        values = _object(text, named)
        if reader is None:
            names = list(values)
            forms = typed_forms(names, format, path)
            reader, used = RowParser(format, forms), forms.places.used
        elif more := [name for name in values if name not in names]:
            names += more
            for place in typed_forms(names, format, named).places.used:
                if place not in used:
                    problem = "is not in the first line, which has to name all columns"
                    raise LedgerError(named, problem, column=names[place])
        if (row := reader.read([values.get(name) for name in names], line, named)) is not None:
            yield row


def typed_forms(names: Iterable[str], format: LedgerFormat, ledger: str) -> Forms:
    """Return the formats of a ledger that a program wrote: as given, else ISO dates and plain numbers."""
    return Forms(
        places=find_columns(list(names), format.columns, ledger, only_own_names=True),
        decimal_mark=format.decimal_mark or ".",
        date_order=format.date_format or "ymd",
        has_only_plain=format.decimal_mark is None,
        has_iso_dates=format.date_format is None,
    )


def _object(text: bytes, named: str) -> dict[str, Any]:
    if text.count(b'"') > _MOST_QUOTES:
        raise LedgerError(named, f"has more than {_MOST_QUOTES:,} texts: this is not a ledger")
    try:
        row = _decode_exactly(text)
        if not isinstance(row, dict):
            raise LedgerError(named, "is not a JSON object")
        # The decoder keeps the last of two equal names without an error; if there may be two, a slower
        # decoder checks.
        is_plain = text.count(b'":') == len(row) and b'" ' not in text
        names = row if is_plain else _names_in(text.decode())
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise LedgerError(named, f"is not JSON: {error}") from None
    for name, times in Counter(names).items() if len(names) > len(row) else ():
        if times > 1:
            raise LedgerError(named, "is there twice", column=name)
    return row


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    compression = compression_of(path)
    with translated(f"cannot read {path}"):
        file = compression.open(path)
    line = 0
    with file, translated_damages(path, compression, lambda: f"line {line + 1}"):
        while text := file.readline(4 * MOST_CHARACTERS + 1):
            line += 1
            if len(text) > 4 * MOST_CHARACTERS:
                raise LedgerError(f"{path}, line {line}", "is too long: this is not a ledger")
            yield line, text
