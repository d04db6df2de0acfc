"""Finds the delimiter of a table and the line that names its columns. Pure.

Many tools write the names of the company, the report and the period above the header. The header is
the line with the most usual (or given) column names. No payment may be above it: that would be lost.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import dropwhile, islice
from typing import Any

import attrs

from paywint_async.reconcile._columns import Columns, Places, find_columns
from paywint_async.reconcile._csv_records import NumberedRecord, long_values
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._rows_above import NONE_ABOVE, RowsAbove, rows_above
from paywint_async.reconcile._text_file import TextFile

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_WORDS = {"\t": "tab"}
MOST_COLUMNS = 1000
_HEAD = 200  # lines or rows in which the names of the columns are searched
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*$', re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Layout:
    """The place of the header, and the index of each column.

    ``header_place`` is the line or row with the names, 0 if there is none.
    """

    places: Places
    header_place: int = 0
    delimiter: str | None = None
    has_separator_line: bool = False
    above: RowsAbove = NONE_ABOVE

    def rows(self, records: Iterable[NumberedRecord]) -> Iterator[NumberedRecord]:
        """Return the records after the header."""
        return dropwhile(lambda record: record[0] <= self.header_place, records)


def find_text_layout(file: TextFile, format: LedgerFormat) -> Layout:
    """Find the layout of a text file.

    Raises:
        LedgerError: no line names the needed columns, two delimiters are possible, or a payment is
            above the detected header.
    """
    header_line, delimiter = format.header_line, format.delimiter
    head = list(islice(file.lines(), _HEAD))
    separator_line = _SEPARATOR_LINE.match(head[0]) if head else None
    if not any(line.strip() for line in head):
        raise LedgerError(file.path, "is empty: the first line has to name the columns")
    candidates = (
        [delimiter] if delimiter else [separator_line[1]] if separator_line else list(DELIMITERS)
    )
    found: list[Layout] = []
    failures: list[tuple[int, LedgerError]] = []
    for each in candidates:
        records = list(_head_records(head, each, is_marked=bool(separator_line)))
        try:
            layout = find_layout(records, format, file.path, unit="line")
        except LedgerError as error:
            failures.append((max(len(values) for _, values in records), error))
            continue
        found.append(attrs.evolve(layout, delimiter=each, has_separator_line=bool(separator_line)))
    if not found:
        raise max(failures, key=lambda each: each[0])[1]
    widths = sorted((layout.places.width for layout in found), reverse=True)
    if len(found) > 1 and (header_line != 0 or widths[0] == widths[1]):
        raise LedgerError(
            file.path,
            f"can be read with the delimiter {found[0].delimiter!r} and with {found[1].delimiter!r}",
            hint="choose one with --delimiter",
        )
    layout = max(found, key=lambda layout: layout.places.width)
    refuse_payments_above(layout, format, file.path, unit="line")
    return layout


def refuse_payments_above(layout: Layout, format: LedgerFormat, ledger: str, *, unit: str) -> None:
    """Raise a LedgerError if a payment is above the header, unless that was given."""
    if format.header_line is None:
        layout.above.refuse_payments(ledger, layout.header_place, unit)


def find_layout(
    records: Sequence[NumberedRecord], format: LedgerFormat, ledger: str, *, unit: str
) -> Layout:
    """Find the layout of a table from its first records.

    Args:
        records: the first records.
        format: the given names of columns, and the given header.
        ledger: its name, for messages.
        unit: what a record's place counts, such as ``line``.

    Raises:
        LedgerError: no record names the needed columns.
    """
    columns, header_line = format.columns, format.header_line
    records = [(place, values) for place, values in records if any(map(_text, values))]
    if not records:
        raise LedgerError(ledger, f"is empty: the first {unit} has to name the columns")
    _refuse_width(records, ledger, unit)
    if header_line == 0:
        names = [str(number + 1) for number in range(max(len(values) for _, values in records))]
        return Layout(places=find_columns(names, columns, ledger))
    headers: list[tuple[int, Places]] = []
    failures: list[tuple[int, LedgerError]] = []
    for place, values in records:
        try:
            headers.append((place, _columns_of(values, columns, ledger)))
        except LedgerError as error:
            if place == header_line:
                raise
            failures.append((_names_in(values), error))
    if header_line is not None:
        headers = [each for each in headers if each[0] <= header_line]
        if not headers or headers[-1][0] != header_line:
            raise LedgerError(ledger, f"has nothing in {unit} {header_line}, see --header-line")
        header = headers[-1]
    elif headers:
        header = max(headers, key=lambda each: len(each[1].used) + len(each[1].unused))
    else:
        raise max(failures, key=lambda each: each[0])[1]
    above = rows_above(records, headers, header, format.date_format)
    return Layout(places=header[1], header_place=header[0], above=above)


def _head_records(
    head: Sequence[str], delimiter: str, *, is_marked: bool
) -> Iterator[NumberedRecord]:
    reader = csv.reader(head, delimiter=delimiter)
    place = 1
    # Invalid CSV raises its error when the rows are read.
    with long_values(), suppress(csv.Error):
        for values in reader:
            if not (is_marked and place == 1):
                yield place, values
            place = reader.line_num + 1


def _columns_of(values: Sequence[Any], columns: Columns, ledger: str) -> Places:
    return find_columns([_text(value) for value in values], columns, ledger)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _names_in(values: Sequence[Any]) -> int:
    """Return how many values could be names of columns."""
    return sum(bool(text) and not text[0].isdigit() for text in map(_text, values))


def _refuse_width(records: Sequence[NumberedRecord], ledger: str, unit: str) -> None:
    for place, values in records:
        if len(values) > MOST_COLUMNS:
            raise LedgerError(
                f"{ledger}, {unit} {place}",
                f"has {len(values):,} values: a ledger has at most {MOST_COLUMNS:,} columns",
            )
