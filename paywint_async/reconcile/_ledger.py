"""Ledgers, a row at a time: CSV and JSON lines, also compressed; Parquet and databases by others.

Nothing is passed over. Knows no payments of Paywint's and no matching.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from decimal import Decimal
from itertools import count
from typing import IO, Any, TypeVar

import msgspec

from paywint_async import ConfigurationError
from paywint_async.export._compression import Compression, compression_of
from paywint_async.export._errors import translated
from paywint_async.reconcile._columns import find_columns
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._records import LedgerRow
from paywint_async.reconcile._row_parser import LedgerFormat, RowReader

_decode_exactly = msgspec.json.Decoder(float_hook=Decimal).decode
_DATABASE = re.compile(r"[a-z][a-z0-9+]*:(?=/)", re.IGNORECASE)
_names_in = json.JSONDecoder(
    parse_int=str, parse_float=str, object_pairs_hook=lambda pairs: [name for name, _ in pairs]
).decode
_ROWS_AT_ONCE = 1000  # between two turns of the event loop

T = TypeVar("T")


async def ledger_rows(ledger: str, format: LedgerFormat) -> AsyncGenerator[LedgerRow, None]:
    """The rows of any ledger: of a file as `read_ledger` has them, or of a database (extra ``sql``).

    Args:
        ledger: a file, or ``sqlite:///…`` or ``postgresql://…`` with the table of a sync.
        format: its columns, zone and so on.

    Raises:
        as `read_ledger`; ExportError: the database cannot be read.
    """
    if _kind_of(ledger) == "sql":
        try:
            from paywint_async.reconcile._sql import read_database
        except ModuleNotFoundError:
            raise _missing("sql", "Databases") from None
        async with aclosing(read_database(ledger, format)) as rows:
            async for row in rows:
                yield row
        return
    for number, row in enumerate(read_ledger(ledger, format)):
        yield row
        if number % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)


def read_ledger(path: str, format: LedgerFormat) -> Iterator[LedgerRow]:
    """The rows of a file, in their order.

    Args:
        path: CSV, or JSON lines where it ends in ``.jsonl``, also with ``.gz`` or ``.zst`` behind
            that; a file ending in ``.parquet``, or a directory of such files (extra ``parquet``).
        format: its columns, zone and so on.

    Raises:
        LedgerError: it cannot be read or understood; names line and column.
        ExportError: there is no such file, or it cannot be opened.
        ConfigurationError: an extra is missing.
    """
    kind = _kind_of(path)
    if kind == "parquet":
        try:
            from paywint_async.reconcile._parquet import read_parquet
        except ModuleNotFoundError:
            raise _missing("parquet", "Parquet ledgers") from None
        yield from read_parquet(path, format)
        return
    compression = compression_of(path)
    with translated(f"cannot read {path}"):
        file = compression.open(path)
    with file:
        read = _read_json if kind == "jsonl" else _read_csv
        yield from read(file, path, compression, format)


def unit_of(ledger: str) -> str:
    """What a row's place counts: lines of a file of text, else rows."""
    return "line" if _kind_of(ledger) in ("csv", "jsonl") else "row"


def _kind_of(ledger: str) -> str:
    if _DATABASE.match(ledger):
        return "sql"
    name = ledger.lower().rstrip("/")
    if name.endswith(".parquet") or os.path.isdir(ledger):
        return "parquet"
    return "jsonl" if name.removesuffix(compression_of(name).ending).endswith(".jsonl") else "csv"


def _missing(extra: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{what} need an extra: pip install 'paywint-async[{extra}]'")


def _read_csv(
    file: IO[bytes], path: str, compression: Compression, format: LedgerFormat
) -> Iterator[LedgerRow]:
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, delimiter=format.delimiter, strict=True)
        rows = _numbered(lines, lambda: lines.line_num + 1, path, compression)
        _, header = next(rows, (1, []))
        if not header:
            raise LedgerError(path, "is empty: the first line has to name the columns")
        reader = RowReader(format, find_columns(header, format.columns, path))
        for line, values in rows:
            named = f"{path}, line {line}"
            if not values:
                continue  # an empty line, as many files end with
            if len(values) != len(header):
                raise LedgerError(
                    named, f"has {len(values)} values, and the header has {len(header)} columns"
                )
            yield reader.read(values, line, named)


def _read_json(
    file: IO[bytes], path: str, compression: Compression, format: LedgerFormat
) -> Iterator[LedgerRow]:
    """Objects whose numbers keep their digits; the first tells the columns."""
    names: list[str] = []
    reader: RowReader | None = None
    used: list[int] = []
    for line, text in _numbered(file, count(2).__next__, path, compression):
        named = f"{path}, line {line}"
        told = _object(text, named)
        if reader is None:
            names = list(told)
            places = find_columns(names, format.columns, path)
            reader, used = RowReader(format, places), places.used
        elif more := [name for name in told if name not in names]:
            names += more
            for place in find_columns(names, format.columns, named).used:
                if place not in used:
                    problem = "is not in the first line, which has to name all columns"
                    raise LedgerError(named, problem, column=names[place])
        yield reader.read([told.get(name) for name in names], line, named)


def _object(text: bytes, named: str) -> dict[str, Any]:
    try:
        told = _decode_exactly(text)
        if not isinstance(told, dict):
            raise LedgerError(named, "is not a JSON object")
        # Of two the decoder takes the last in silence; where one may be hidden, a slower one looks.
        is_plain = text.count(b'":') == len(told) and b'" ' not in text
        names = told if is_plain else _names_in(text.decode())
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise LedgerError(named, f"is not JSON: {error}") from None
    for name, times in Counter(names).items() if len(names) > len(told) else ():
        if times > 1:
            raise LedgerError(named, "is there twice", column=name)
    return told


def _numbered(
    rows: Iterable[T], next_line: Callable[[], int], path: str, compression: Compression
) -> Iterator[tuple[int, T]]:
    """Each row with the number of its first line: quoted values may have line ends."""
    line = 1
    try:
        with translated(f"cannot read {path}"):
            for row in rows:
                yield line, row
                line = next_line()
    except csv.Error as error:
        raise LedgerError(f"{path}, line {line}", f"is not CSV: {error}") from None
    except UnicodeDecodeError:
        problem = "is not text in UTF-8"
    except EOFError:
        problem = "the compressed file ends too early"
    except compression.damages():
        problem = "the compressed file is damaged"
    else:
        return
    raise LedgerError(f"{path}, line {line} or soon after", problem)
