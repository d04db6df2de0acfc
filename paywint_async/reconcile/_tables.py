"""Tables as people keep them: a header somewhere, and rows behind it, some of which are none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

import attrs

from paywint_async.reconcile._columns import Places
from paywint_async.reconcile._date_forms import ORDER_WORDS
from paywint_async.reconcile._forms import Forms, find_forms
from paywint_async.reconcile._layout import (
    DELIMITER_WORDS,
    Layout,
    Record,
    csv_records,
    find_text_layout,
)
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._records import LedgerRow
from paywint_async.reconcile._row_parser import RowParser
from paywint_async.reconcile._text_file import TextFile, open_text


class LedgerTable(Protocol):
    """Where the records of a ledger come from; they can be read again."""

    @property
    def name(self) -> str:
        """The ledger's, for messages."""
        ...

    @property
    def unit(self) -> str:
        """What a record's place counts."""
        ...

    @property
    def layout(self) -> Layout:
        """Where the columns are."""
        ...

    def records(self) -> Iterator[Record]:
        """All records behind the header."""
        ...

    def sources(self) -> Iterator[tuple[int, str]]:
        """The same as they stand in the file."""
        ...

    def found(self) -> list[str]:
        """What was found about the file and not told, where a program would not have written it so."""
        ...


@attrs.frozen(kw_only=True)
class TextTable:
    """A file of text with separated values."""

    file: TextFile
    layout: Layout
    name: str
    is_delimiter_told: bool
    unit: str = "line"

    def records(self) -> Iterator[Record]:
        """All records behind the header; raises as `csv_records`."""
        assert self.layout.delimiter is not None
        skip = int(self.layout.has_separator_line)
        return self.layout.rows(csv_records(self.file, self.layout.delimiter, skip=skip))

    def sources(self) -> Iterator[tuple[int, str]]:
        """Each record's lines."""
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
        """Encoding, delimiter and header."""
        layout = self.layout
        found = []
        if self.file.encoding not in ("utf-8", "utf-8-sig"):
            found.append(f"text in {self.file.encoding_words}")
        if layout.delimiter != "," and not self.is_delimiter_told:
            words = DELIMITER_WORDS.get(layout.delimiter or "", repr(layout.delimiter))
            found.append(f"{words} between values")
        if layout.header_place > 1 + layout.has_separator_line:
            found.append(f"the columns are named in line {layout.header_place}")
        return found


def open_table(path: str, format: LedgerFormat) -> TextTable:
    """The table of a file of text; raises as `open_text` and `find_text_layout`."""
    file = open_text(path, format.encoding)
    layout = find_text_layout(
        file, format.columns, delimiter=format.delimiter, header_line=format.header_line
    )
    return TextTable(
        file=file, layout=layout, name=path, is_delimiter_told=format.delimiter is not None
    )


class TableRows:
    """The rows of a table, and how they are read.

    Args:
        table: of the ledger.
        format: as told.

    Raises:
        LedgerError: its values can be read in more than one way.
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
        """All rows, from the first, without those that hold no payment."""
        self._reader = reader = self._new_reader()
        for place, values in self.table.records():
            row = reader.read(values, place, f"{self.table.name}, {self.table.unit} {place}")
            if row is not None:
                yield row

    def notes(self) -> list[str]:
        """What was found and not told, and what is not used or was passed over."""
        places = self.forms.places
        found = self.table.found() + self._found_forms()
        notes = [f"read as {', '.join(found)}"] if found else []
        if names := self._unusual_columns():
            notes.append(f"columns: {names}")
        if places.unused:
            notes.append(f"not used: {', '.join(map(repr, places.unused))}")
        if self.forms.other_ids:
            ids = ", ".join(map(repr, self.forms.other_ids))
            notes.append(f"not used, though it looks like ids of payments: {ids} (--id-column)")
        return notes + self.passed_notes()

    def passed_notes(self) -> list[str]:
        """Which rows were passed over so far, and why."""
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
        """Which columns are read, where one of them was found by a name that Paywint does not use."""
        places, told = self.forms.places, attrs.asdict(self._format.columns)
        found = column_roles(places)
        if all(told[role] or places.is_usual(place) for role, place in found.items()):
            return ""
        return ", ".join(f"{role} {places.names[place]!r}" for role, place in found.items())


def column_roles(places: Places) -> dict[str, int]:
    """The place of the column of each role that has one."""
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
