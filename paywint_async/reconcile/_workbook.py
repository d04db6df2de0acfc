"""Reads ledgers from Excel: one sheet of an .xlsx file. Extra ``ledgers``.

openpyxl reads a sheet row by row, so that an invalid file is refused at the first row that shows it.
(python-calamine is ten times as fast, but allocates every cell between the first and the last:
a sheet of two cells, A1 and XFD1048576, kills the process.)
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import time
from decimal import Decimal
from itertools import islice
from typing import Any

import attrs
import defusedxml  # with which openpyxl refuses entities
from openpyxl import load_workbook

from paywint_async.export._compression import PLAIN
from paywint_async.export._errors import translated
from paywint_async.reconcile._csv_records import NumberedRecord
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._layout import (
    MOST_COLUMNS,
    Layout,
    find_layout,
    refuse_payments_above,
)
from paywint_async.reconcile._ledger_format import LedgerFormat

_HEAD = 200  # rows in which the header is searched for
_MOST_EMPTY_ROWS = 100_000  # consecutive
_MOST_SHEET, _MOST_STRINGS, _MOST_PART = 1 << 30, 128 << 20, 16 << 20  # bytes, unpacked
_MOST_TEXTS = 1_000_000  # entries of the table of shared strings, which is loaded completely
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_CHUNK = 1 << 20
_MOST_TIMES = 150  # the largest compression ratio of a large part
_LARGE = 8 << 20
_TEXT = re.compile(rb"<(?:\w{1,8}:)?si[\s/>]")
_LONGEST_MARK = 13  # bytes of such a tag's beginning
_EXACT_DIGITS = 15  # of a number in Excel


@attrs.frozen(kw_only=True)
class SheetTable:
    """A sheet of an Excel file."""

    name: str
    sheet: str
    layout: Layout
    is_only_sheet: bool
    unit: str = "row"

    def records(self) -> Iterator[NumberedRecord]:
        """Yield all records after the header, each at least as wide as the header."""
        width = self.layout.places.width
        for place, values in self.layout.rows(_records(self.name, self.sheet)):
            yield place, [*values, *[None] * (width - len(values))]

    def sources(self) -> Iterator[tuple[int, str]]:
        """Yield each record's values as text, separated by tabs."""
        for place, values in self.records():
            yield place, "\t".join("" if value is None else str(value) for value in values)

    def found(self) -> list[str]:
        """Return sheet and header, if they are unusual."""
        found = [] if self.is_only_sheet else [f"sheet {self.sheet!r}"]
        if self.layout.header_place > 1:
            found.append(f"header in row {self.layout.header_place}")
        return found


def open_workbook(path: str, format: LedgerFormat) -> SheetTable:
    """Open the table of the given sheet, or of the only sheet that has a table.

    Raises:
        LedgerError: the file is damaged or a decompression bomb, not exactly one sheet has a table,
            or a payment is above the detected header.
    """
    _refuse_bomb(path)
    with _workbook(path) as book:
        names = [each.title for each in book.worksheets if each.sheet_state == "visible"]
    if format.sheet is not None:
        wanted = [name for name in names if name.casefold() == format.sheet.casefold()]
        if not wanted:
            there_are = f"there are {', '.join(map(repr, names))}"
            raise LedgerError(path, f"has no sheet {format.sheet!r}; {there_are}")
        names = wanted[:1]
    found: list[SheetTable] = []
    failures: list[LedgerError] = []
    for name in names:
        try:
            found.append(_table(path, name, format, is_only=len(names) == 1))
        except LedgerError as error:
            failures.append(error)
    if len(found) > 1:
        sheets = ", ".join(repr(each.sheet) for each in found)
        raise LedgerError(
            path, f"has tables in the sheets {sheets}", hint="choose one with --sheet"
        )
    if not found:
        problem = LedgerError(path, "has no visible sheet")
        raise max(failures, key=lambda each: len(str(each)), default=problem)
    refuse_payments_above(found[0].layout, format, path, unit="row")
    return found[0]


def _table(path: str, sheet: str, format: LedgerFormat, *, is_only: bool) -> SheetTable:
    head = list(islice(_records(path, sheet), _HEAD))
    layout = find_layout(head, format, path, unit="row")
    return SheetTable(name=path, sheet=sheet, layout=layout, is_only_sheet=is_only)


def _records(path: str, sheet: str) -> Iterator[NumberedRecord]:
    with _workbook(path) as book:
        rows = book[sheet]
        rows.reset_dimensions()  # many tools write wrong ones
        empty = 0
        for place, values in enumerate(_without_warnings(rows.iter_rows(values_only=True)), 1):
            if len(values) > MOST_COLUMNS:
                problem = f"has {len(values):,} columns: a ledger has at most {MOST_COLUMNS:,}"
                raise LedgerError(f"{path}, row {place}", problem)
            record = _trimmed(values)
            empty = 0 if record else empty + 1
            if empty > _MOST_EMPTY_ROWS:
                problem = f"more than {_MOST_EMPTY_ROWS:,} empty rows follow each other"
                raise LedgerError(f"{path}, row {place}", problem)
            if record:
                yield place, record


def _without_warnings(rows: Iterator[Any]) -> Iterator[Any]:
    """Suppress openpyxl's warnings about a file, about which its user can do nothing."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            row = next(rows, None)
        if row is None:
            return
        yield row


def _trimmed(values: Sequence[Any]) -> list[Any]:
    """Return exact values, without the empty ones at the end."""
    width = len(values)
    while width and values[width - 1] in (None, ""):
        width -= 1
    return [_exact(value) for value in values[:width]]


def _exact(value: Any) -> Any:
    """Convert a float to a decimal of 15 digits, which is what Excel shows and what was typed."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value) if isinstance(value, bool | time) else value
    if isinstance(value, int):
        return Decimal(value)
    if abs(value) >= 10 ** (_EXACT_DIGITS - 2):
        return value  # two amounts of cents can be one float; read as an amount, it is refused
    if value.is_integer():
        return Decimal(int(value))
    shortest = Decimal(repr(value))
    exponent = shortest.as_tuple().exponent
    is_money = isinstance(exponent, int) and exponent >= -2
    return shortest if is_money else Decimal(f"{value:.{_EXACT_DIGITS}g}")


@contextmanager
def _workbook(path: str) -> Iterator[Any]:
    """Open a workbook; translates all errors of openpyxl into a LedgerError about the file."""
    with translated(f"cannot read {path}"):
        file = PLAIN.open(path)
    with file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        except LedgerError:
            raise
        except Exception as error:
            raise LedgerError(path, _damaged(error)) from None
        try:
            yield book
        except (LedgerError, GeneratorExit):
            raise
        except Exception as error:
            raise LedgerError(path, _damaged(error)) from None
        finally:
            book.close()


def _damaged(error: Exception) -> str:
    causes = (error, error.__cause__, error.__context__)
    if any(isinstance(each, defusedxml.DefusedXmlException) for each in causes):
        return "has entities in its XML, which no Excel file has: not read"
    return f"is a damaged Excel file ({type(error).__name__}): open it in Excel and save it again"


def _refuse_bomb(path: str) -> None:
    """Refuse a decompression bomb by the sizes of its parts; no more than these is unpacked."""
    with translated(f"cannot read {path}"), zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    for part in parts:
        most = _MOST_PART
        if part.filename.startswith("xl/worksheets/"):
            most = _MOST_SHEET
        elif part.filename.endswith("sharedStrings.xml"):
            most = _MOST_STRINGS
        times = part.file_size / max(1, part.compress_size)
        is_read = part.filename.endswith((".xml", ".rels"))
        if is_read and (part.file_size > most or (part.file_size > _LARGE and times > _MOST_TIMES)):
            size = f"{part.file_size / 1e6:,.0f} MB ({part.filename})"
            raise LedgerError(path, f"unpacks to {size}: too large for a ledger")
    # Any part can be the table of shared strings, whatever its name.
    others = [part for part in parts if not part.filename.startswith("xl/worksheets/")]
    with translated(f"cannot read {path}"), zipfile.ZipFile(path) as archive:
        for part in others:
            if part.filename.endswith(".xml") and _count_texts(archive, part) > _MOST_TEXTS:
                problem = f"has more than {_MOST_TEXTS:,} different texts"
                raise LedgerError(path, problem, hint="save it as CSV, which has no such limit")


def _count_texts(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    """Count the entries of a table of shared strings; of a damaged part those before the damage."""
    count, rest = 0, b""
    with suppress(*_DAMAGES), archive.open(part) as file:
        while count <= _MOST_TEXTS and (chunk := file.read(_CHUNK)):
            data = rest + chunk
            rest = data[-_LONGEST_MARK:]
            count += len(_TEXT.findall(data)) - len(_TEXT.findall(rest))
    return count
