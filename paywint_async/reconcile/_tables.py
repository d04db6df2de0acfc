"""Reads tables as people write them: the header anywhere, and rows after it that may be no payments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import Protocol

import attrs

from paywint_async.reconcile._agreement import Agreement
from paywint_async.reconcile._column_parser import ColumnParser, PlainRows, may_be_plain
from paywint_async.reconcile._columns import Places
from paywint_async.reconcile._csv_records import NumberedRecord, csv_batches, rows_in
from paywint_async.reconcile._date_forms import ORDER_WORDS
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._forms import Forms, find_forms
from paywint_async.reconcile._layout import (
    DELIMITER_WORDS,
    Layout,
    find_text_layout,
)
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._records import LedgerRow, Period
from paywint_async.reconcile._row_parser import RowParser
from paywint_async.reconcile._rows_above import could_be_payment
from paywint_async.reconcile._text_file import TextFile, open_text


class LedgerTable(Protocol):
    """A source of a ledger's records, which can be read several times."""

    @property
    def name(self) -> str:
        """The ledger's name, for messages."""
        ...

    @property
    def unit(self) -> str:
        """The unit in which a record's place counts, such as ``line``."""
        ...

    @property
    def layout(self) -> Layout:
        """The header and the columns."""
        ...

    def records(self) -> Iterator[NumberedRecord]:
        """Yield all records after the header."""
        ...

    def sources(self) -> Iterator[tuple[int, str]]:
        """Yield the records as they are in the file."""
        ...

    def found(self) -> list[str]:
        """Return what was detected about the file and is unusual."""
        ...


@attrs.frozen(kw_only=True)
class TextTable:
    """A text file with separated values."""

    file: TextFile
    layout: Layout
    name: str
    format: LedgerFormat
    unit: str = "line"

    def records(self) -> Iterator[NumberedRecord]:
        """Return all records after the header; raises as `csv_batches`."""
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[NumberedRecord]]:
        """Yield all records after the header, some hundred at once; raises as `csv_batches`."""
        assert self.layout.delimiter is not None
        skip = int(self.layout.has_separator_line)
        for records in csv_batches(
            self.file, self.layout.delimiter, skip=skip, check_lines=self._refuse_rows_in
        ):
            if records[0][0] > self.layout.header_place:
                yield records
            elif some := list(self.layout.rows(records)):
                yield some

    def _refuse_rows_in(self, record: NumberedRecord) -> None:
        """Raise a LedgerError if a quoted value contains a line that is a row by itself."""
        layout, date_format = self.layout, self.format.date_format
        place, values = record
        if place <= layout.header_place:
            return
        for inner, row in rows_in(values, layout.delimiter or ","):
            width = layout.places.width
            fits = len(row) >= width and not any(row[width:])
            if fits and could_be_payment(row, layout.places, date_format):
                raise LedgerError(
                    f"{self.name}, line {place}",
                    f"has a quoted value that contains line {place + inner}, which is a row by itself",
                    hint='a quotation mark inside a value has to be doubled: ""',
                )

    def sources(self) -> Iterator[tuple[int, str]]:
        """Yield the lines of each record."""
        lines: Iterator[str] = self.file.lines()
        places = [place for place, _ in self.records()]
        done = 1
        for place, following in zip(places, [*places[1:], None], strict=True):
            for _ in islice(lines, place - done):
                pass
            some = lines if following is None else islice(lines, following - place)
            yield place, "".join(some)
            done = following or 0

    def found(self) -> list[str]:
        """Return encoding, delimiter and header, if they are unusual."""
        layout = self.layout
        found = []
        if self.file.encoding not in ("utf-8", "utf-8-sig"):
            found.append(f"text in {self.file.encoding_words}")
        if layout.delimiter != "," and self.format.delimiter is None:
            words = DELIMITER_WORDS.get(layout.delimiter or "", repr(layout.delimiter))
            found.append(f"delimiter {words}")
        if layout.header_place > 1 + layout.has_separator_line:
            found.append(f"header in line {layout.header_place}")
        return found


def open_table(path: str, format: LedgerFormat) -> TextTable:
    """Open the table of a text file; raises as `open_text` and `find_text_layout`."""
    file = open_text(path, format.encoding)
    layout = find_text_layout(file, format)
    return TextTable(file=file, layout=layout, name=path, format=format)


class TableRows:
    """The rows of a table, and how they are read.

    Args:
        table: the ledger's table.
        format: the given format.

    Raises:
        LedgerError: the format of its values is ambiguous.
    """

    def __init__(self, table: LedgerTable, format: LedgerFormat) -> None:
        self.table = table
        self._format = format
        self.forms: Forms = find_forms(
            table.records(),
            table.layout.places,
            table.name,
            decimal_mark=format.decimal_mark,
            date_order=format.date_format,
            unit=table.unit,
        )
        self._reader = self._new_reader()

    def _new_reader(self) -> RowParser:
        return RowParser(self._format, self.forms, passes_over=True)

    def read(self) -> Iterator[LedgerRow]:
        """Yield all rows that are payments, from the first."""
        self._reader = self._new_reader()
        return self._parsed(self._reader, self.table.records())

    def columns(self, directions: Collection[str], period: Period) -> ColumnParser | None:
        """Return a parser for `read_plain`; None if no row of this table is plain."""
        if not isinstance(self.table, TextTable) or not may_be_plain(self.forms):
            return None
        reader = self._new_reader()
        return ColumnParser(self.forms, self._format, reader, directions=directions, period=period)

    def read_plain(self, columns: ColumnParser) -> Iterator[PlainRows | LedgerRow]:
        """Yield all rows that are payments, the plain ones of some hundred together; see `read`."""
        assert isinstance(self.table, TextTable)
        self._reader = columns.parser
        first = 0
        for records in self.table.batches():
            plain, others = columns.split(records, first)
            if plain is not None:
                yield plain
            yield from self._parsed(self._reader, others)
            first += len(records)

    def read_open(self, agreement: Agreement) -> Iterator[list[LedgerRow]]:
        """Yield the plain rows that are open in an agreement, for some hundred records at once."""
        column = self.forms.places.id
        assert isinstance(self.table, TextTable)
        assert column is not None
        reader, first = self._new_reader(), 0
        for records in self.table.batches():
            found = (
                record
                for number, record in enumerate(records, first)
                if agreement.is_plain(number) and agreement.may_be_open(record[1][column])
            )
            yield [row for row in self._parsed(reader, found) if agreement.is_open(row)]
            first += len(records)

    def _parsed(self, reader: RowParser, records: Iterable[NumberedRecord]) -> Iterator[LedgerRow]:
        for place, values in records:
            row = reader.read(values, place, f"{self.table.name}, {self.table.unit} {place}")
            if row is not None:
                yield row

    def notes(self) -> list[str]:
        """Return what was detected, which columns are not used, and which rows were skipped."""
        places = self.forms.places
        found = self.table.found() + self._found_forms()
        notes = [f"detected: {', '.join(found)}"] if found else []
        if names := self._unusual_columns():
            notes.append(f"columns: {names}")
        if places.unused:
            notes.append(f"not used: {', '.join(map(repr, places.unused))}")
        if self.forms.other_ids:
            ids = ", ".join(map(repr, self.forms.other_ids))
            notes.append(f"not used, though it looks like ids of payments: {ids} (--id-column)")
        notes += self.table.layout.above.note(self.table.unit)
        return notes + self.passed_notes()

    def passed_notes(self) -> list[str]:
        """Return which rows were skipped so far, and why."""
        return self._reader.passed.notes(self.table.unit)

    def _found_forms(self) -> list[str]:
        forms, format = self.forms, self._format
        found = []
        if format.date_format is None and not forms.has_iso_dates:
            found.append(f"dates as {ORDER_WORDS.get(forms.date_order, forms.date_order)}")
        if format.decimal_mark is None and not forms.has_plain_amounts:
            mark = "point" if forms.decimal_mark == "." else "comma"
            found.append(f"amounts with a decimal {mark}")
        return found

    def _unusual_columns(self) -> str:
        """Return which columns are read, if one of their names is not from Paywint's own exports."""
        places, given = self.forms.places, attrs.asdict(self._format.columns)
        found = column_roles(places)
        if all(given[role] or places.is_usual(place) for role, place in found.items()):
            return ""
        return ", ".join(f"{role} {places.names[place]!r}" for role, place in found.items())


def column_roles(places: Places) -> dict[str, int]:
    """Return the index of each column that is used, by its role."""
    roles = {
        "id": places.id,
        "invoice": places.invoice,
        "description": places.description,
        "amount": places.amount,
        "debit": places.debit,
        "credit": places.credit,
        "fee": places.fee,
        "date": places.dates[0] if places.dates else None,
        "status": places.status,
        "direction": places.direction,
        "currency": places.currency,
    }
    return {role: place for role, place in roles.items() if place is not None}
