"""Reads ledgers in Parquet: a file, or a directory as ``paywint sync`` writes it. Extra ``parquet``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from paywint_async.export._errors import translated
from paywint_async.reconcile._columns import Places
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._ledger import typed_forms
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._records import LedgerRow
from paywint_async.reconcile._row_parser import RowParser

_ROWS_AT_ONCE = 5_000


def read_parquet(path: str, format: LedgerFormat) -> Iterator[LedgerRow]:
    """Yield the rows of a file, or of all files of a directory in the order of their names.

    Places are numbered through all files.

    Raises:
        LedgerError: a file or row is invalid, or the amounts are floats, which do not hold cents exactly.
    """
    place = 0
    for name in _files(path):
        try:
            with translated(f"cannot read {name}"), pq.ParquetFile(name, pre_buffer=False) as file:
                for row in _rows(file, name, format, place):
                    place = row.place
                    yield row
        except (pa.ArrowException, OverflowError) as error:  # a time beyond Python's calendar
            raise LedgerError(name, f"cannot be read as Parquet: {error}") from None


def _files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    with translated(f"cannot read {path}"):
        names = sorted(name for name in os.listdir(path) if name.lower().endswith(".parquet"))
    if not names:
        raise LedgerError(path, "holds no Parquet files")
    return [os.path.join(path, name) for name in names if not name.startswith((".", "_"))]


def _rows(file: Any, name: str, format: LedgerFormat, place: int) -> Iterator[LedgerRow]:
    schema = file.schema_arrow
    forms = typed_forms(schema.names, format, name)
    places = forms.places
    _refuse_floats(schema, places, name)
    reader = RowParser(format, forms)
    columns = [schema.names[each] for each in places.used]
    number = 0
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns, use_threads=False):
        values = [_plain(batch[column]).to_pylist() for column in columns]
        for used in zip(*values, strict=True):
            number += 1
            row: list[Any] = [None] * places.width
            for index, value in zip(places.used, used, strict=True):
                row[index] = value
            if found := reader.read(row, place + number, f"{name}, row {number}"):
                yield found


def _refuse_floats(schema: Any, places: Places, name: str) -> None:
    for place in places.amounts:
        kind = schema.field(place).type
        if not (pa.types.is_decimal(kind) or pa.types.is_integer(kind) or _is_text(kind)):
            raise LedgerError(
                name,
                f"is {kind}, in which cents are not exact: write it as decimal, integer or text",
                column=schema.names[place],
            )


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _plain(column: Any) -> Any:
    """Truncate nanoseconds, which Python's times do not have; only the day is compared."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    return column
