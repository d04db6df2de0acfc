"""Pages as bytes: JSON lines and CSV, the same columns in the same order. Knows no files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from paywint_async import Direction, HistoryEntry, Payment, to_json_lines

R = TypeVar("R")


class Format(StrEnum):
    """How payments are written."""

    JSONL = "jsonl"
    CSV = "csv"


def format_of(output: str) -> Format:
    """The format that a file name's ending asks for: CSV for ``.csv``, else JSON lines."""
    return Format.CSV if output.lower().endswith(".csv") else Format.JSONL


@attrs.frozen(kw_only=True)
class Encoding(Generic[R]):
    """How pages of one kind of record become bytes.

    ``header`` stands once, before the first page; each page's bytes end with a line's end.
    """

    format: Format
    header: bytes
    encode: Callable[[Sequence[R]], bytes]


_COLUMNS = tuple(field.name for field in attrs.fields(Payment))
_values = attrgetter(*_COLUMNS)


def _entry_lines(entries: Sequence[HistoryEntry]) -> bytes:
    """Each direction is encoded at once, then its lines are dealt out in the entries' order."""
    lines = {
        direction: iter(
            to_json_lines(
                (entry.payment for entry in entries if entry.direction is direction), direction
            ).splitlines(keepends=True)
        )
        for direction in Direction
    }
    return b"".join(next(lines[entry.direction]) for entry in entries)


class _Lines(list[str]):
    """What a csv.writer writes to: a row at a time.

    The writer quotes the characters of its own line end, and before Python 3.13 a lone carriage
    return only then; readers take an unquoted one for the end of the row. So it ends its rows with
    both, and the first of them is taken off here.
    """

    def write(self, row: str) -> None:
        """Takes one row, ended by ``\\r\\n``."""
        self.append(row[:-2] + "\n")


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    lines = _Lines()
    # Ids, amounts and times become the text that they are in JSON: msgspec has one form of each.
    csv.writer(lines, lineterminator="\r\n").writerows(msgspec.to_builtins(list(rows)))
    return "".join(lines).encode()


def _payment_rows(payments: Sequence[Payment]) -> bytes:
    return _csv(map(_values, payments))


def _entry_rows(entries: Sequence[HistoryEntry]) -> bytes:
    return _csv((entry.direction, *_values(entry.payment)) for entry in entries)


PAYMENTS: dict[Format, Encoding[Payment]] = {
    Format.JSONL: Encoding(format=Format.JSONL, header=b"", encode=to_json_lines),
    Format.CSV: Encoding(format=Format.CSV, header=_csv([_COLUMNS]), encode=_payment_rows),
}
ENTRIES: dict[Format, Encoding[HistoryEntry]] = {
    Format.JSONL: Encoding(format=Format.JSONL, header=b"", encode=_entry_lines),
    Format.CSV: Encoding(
        format=Format.CSV, header=_csv([("direction", *_COLUMNS)]), encode=_entry_rows
    ),
}
