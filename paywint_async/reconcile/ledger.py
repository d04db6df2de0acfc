"""Ledgers from files: CSV, also compressed, and Parquet. One row at a time; nothing is passed over.

Knows no payments of Paywint's and no matching.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from typing import Any

from paywint_async import ConfigurationError
from paywint_async.export.compression import Compression, compression_of
from paywint_async.export.errors import translated
from paywint_async.reconcile.cells import LedgerFormat, RowReader
from paywint_async.reconcile.columns import find_columns
from paywint_async.reconcile.errors import LedgerError
from paywint_async.reconcile.records import LedgerRow

_PARQUET = ".parquet"


def read_ledger(path: str, format: LedgerFormat) -> Iterator[LedgerRow]:
    """The rows of a ledger, in their order.

    Args:
        path: a CSV file, also ending in ``.gz`` or ``.zst``; a file ending in ``.parquet``, or a
            directory of such files (extra ``parquet``).
        format: its columns, zone and so on.

    Raises:
        LedgerError: it cannot be read or understood; names line and column.
        ConfigurationError: an extra is missing.
    """
    if path.lower().rstrip("/").endswith(_PARQUET) or os.path.isdir(path):
        try:
            from paywint_async.reconcile.parquet import read_parquet
        except ModuleNotFoundError:
            raise ConfigurationError(
                "Parquet ledgers need an extra: pip install 'paywint-async[parquet]'"
            ) from None
        yield from read_parquet(path, format)
    else:
        yield from _read_csv(path, format)


def unit_of(path: str) -> str:
    """What a row's place counts: lines of a CSV file, else rows."""
    is_parquet = path.lower().rstrip("/").endswith(_PARQUET) or os.path.isdir(path)
    return "row" if is_parquet else "line"


def _read_csv(path: str, format: LedgerFormat) -> Iterator[LedgerRow]:
    compression = compression_of(path)
    with translated(f"cannot read {path}"):
        file = compression.open(path)
    with file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, delimiter=format.delimiter, strict=True)
        rows = _numbered(lines, path, compression)
        line, header = next(rows, (1, []))
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


def _numbered(lines: Any, path: str, compression: Compression) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its first line: quoted values may have line ends."""
    line = 1
    try:
        with translated(f"cannot read {path}"):
            for values in lines:
                yield line, values
                line = lines.line_num + 1
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
