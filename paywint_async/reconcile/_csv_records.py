"""Splits the lines of a text file into records of separated values.

Most lines have no quotation mark, or one quoted value without any inside it: those are split directly,
which takes half the time of the csv module. It parses all others, and raises all errors.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from typing import Any

from paywint_async import PaywintError
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._text_file import MOST_CHARACTERS, TextFile

_LINE_END = re.compile(r"\r\n|\r|\n")
_AT_ONCE = 500  # records that are parsed before they are yielded

NumberedRecord = tuple[int, Sequence[Any]]


def _accept(record: NumberedRecord) -> None:
    """Do nothing; the default of `check_lines`."""


def csv_batches(
    file: TextFile,
    delimiter: str,
    *,
    skip: int = 0,
    check_lines: Callable[[NumberedRecord], None] = _accept,
) -> Iterator[list[NumberedRecord]]:
    """Yield some hundred records at once, each with the number of its first line.

    Quoted values may contain line breaks. An error comes after all records before it.

    Args:
        file: the text.
        delimiter: one character.
        skip: the number of lines that are left out at the beginning.
        check_lines: called with each record of several lines.

    Raises:
        LedgerError: the text is not valid CSV; or as `check_lines`.
        ExportError: the file cannot be read.
    """
    with closing(_Parser(file, delimiter, skip, check_lines)) as parser:
        yield from _batches_of(parser, file.path)


def _batches_of(parser: _Parser, path: str) -> Iterator[list[NumberedRecord]]:
    failure: PaywintError | None = None
    while failure is None:
        records: list[NumberedRecord] = []
        try:
            with long_values():
                parser.read(records)
        except csv.Error as error:
            failure = LedgerError(f"{path}, line {parser.place}", _csv_problem(error))
        except PaywintError as error:
            failure = error
        if records:
            yield records
        elif failure is None:
            return
    raise failure


def rows_in(values: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that begin inside a record's quoted values, split into values.

    Each comes with its number after the record's first line. Behind the last line of a quoted value,
    the record's further values are in the same line.
    """
    number = 0
    for place, value in enumerate(values):
        lines = _LINE_END.split(value)[1:]
        for left, line in zip(reversed(range(len(lines))), lines, strict=True):
            number += 1
            yield number, [*line.split(delimiter), *(() if left else values[place + 1 :])]


class _Parser:
    """``place`` is the number of the next record's first line."""

    def __init__(
        self,
        file: TextFile,
        delimiter: str,
        skip: int,
        check_lines: Callable[[NumberedRecord], None],
    ) -> None:
        self._batches = file.line_batches()
        self._lines = islice(chain.from_iterable(self._batches), skip, None)
        self._delimiter = delimiter
        self._check_lines = check_lines
        self.place = skip + 1

    def close(self) -> None:
        """Close the file."""
        self._batches.close()

    def read(self, records: list[NumberedRecord]) -> None:
        """Add the next records; none at the end of the file."""
        delimiter, place = self._delimiter, self.place
        try:
            for line in islice(self._lines, _AT_ONCE):
                count = 1
                if '"' in line:
                    values, count = self._quoted(line)
                    if count > 1:
                        self._check_lines((place, values))
                else:
                    text = line.rstrip("\r\n")
                    values = text.split(delimiter) if text else []
                records.append((place, values))
                place += count
        finally:
            self.place = place

    def _quoted(self, line: str) -> tuple[list[str], int]:
        """Return the values of a record with quotation marks, and its number of lines."""
        delimiter = self._delimiter
        parts = line.split('"', 3)
        if len(parts) == 3 and parts[0][-1:] == delimiter == parts[2][:1]:
            values = parts[0].split(delimiter)
            values[-1] = parts[1]
            values += parts[2][1:].rstrip("\r\n").split(delimiter)
            return values, 1
        reader = csv.reader(chain((line,), self._lines), delimiter=delimiter, strict=True)
        return next(reader), reader.line_num


@contextmanager
def long_values() -> Iterator[None]:
    """Raise the csv module's limit, which is global: a payment's text can be longer than 131,072."""
    former = csv.field_size_limit(MOST_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(former)


def _csv_problem(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a value is longer than {MOST_CHARACTERS:,} characters: is a quotation mark never closed?"
    return f"is not CSV: {error}"
