"""Encodes pages as JSON lines or CSV, with the same columns in the same order, and splits them into rows.

An amount has all its digits and no exponent, which many programs would read as text or as a float.
Knows no files.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from paywint_async import Direction, HistoryEntry, Payment, to_json_lines
from paywint_async._record_json import time_text

R = TypeVar("R")


class Format(StrEnum):
    """The format in which payments are written."""

    JSONL = "jsonl"
    CSV = "csv"
    SPREADSHEET = "spreadsheet"  # CSV for Excel


@attrs.frozen(kw_only=True)
class Encoding(Generic[R]):
    """Encodes pages of one kind of record as bytes.

    ``header`` is written once, before the first page; each page ends with a line end. For reading,
    ``split`` yields the rows after the header, and ``identify`` returns a row's key, status and time of
    creation. The key is the payment's id, after the direction if rows have one. ``rows_of`` returns the
    rows of a payment by their keys.
    """

    format: Format
    header: bytes
    encode: Callable[[Sequence[R]], bytes]
    split: Callable[[Iterable[bytes]], Iterator[bytes]]
    identify: Callable[[bytes], tuple[str, str, str]]
    rows_of: Callable[[Payment], dict[str, bytes]]


_COLUMNS = tuple(field.name for field in attrs.fields(Payment))
_values = attrgetter(*_COLUMNS)
# Counted from the end, since a direction may precede the columns.
_AMOUNT = _COLUMNS.index("amount") - len(_COLUMNS)
_CREATED = _COLUMNS.index("created_at") - len(_COLUMNS)
_PAID = _COLUMNS.index("payment_date") - len(_COLUMNS)
_TEXTS = tuple(
    _COLUMNS.index(name) - len(_COLUMNS)
    for name in (
        *("payer_name", "payee_name", "currency", "description", "payment_method"),
        *("receiving_method", "status", "failure_reason"),
    )
)
# Texts that Excel or LibreOffice takes for a formula; the wide forms count in East Asian settings.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # by which Excel detects UTF-8
_COMPLETE_TIME = len("2025-06-16T10:04:51.739761Z")  # no other form of ISO 8601 has this length
_MOST_NOUGHTS = 400
# Within a JSON string, a backslash would precede the quotes.
_EXPONENT = re.compile(rb'(?<="amount":)[^,]*E[^,]*')


def plain(amount: Decimal) -> str:
    """Writes an amount without an exponent, except one of more than 400 digits."""
    text = str(amount)
    return f"{amount:f}" if "E" in text and abs(amount.adjusted()) <= _MOST_NOUGHTS else text


def as_text(
    rows: Iterable[Sequence[Any]], time_text: Callable[[datetime], str] = time_text
) -> list[Sequence[Any]]:
    """Converts the values of payments to text: amounts with all digits, times in UTC.

    Args:
        rows: the fields of a payment in their order; other values may precede them.
        time_text: converts the times that msgspec would write in another format.
    """
    values = [list(row) for row in rows]
    texts: list[Any] = msgspec.to_builtins(values)
    for text, row in zip(texts, values, strict=True):
        if "E" in text[_AMOUNT]:
            text[_AMOUNT] = plain(row[_AMOUNT])
        # msgspec omits decimals that are zero, and keeps other offsets than UTC's.
        if len(text[_CREATED]) != _COMPLETE_TIME:
            text[_CREATED] = time_text(row[_CREATED])
        if text[_PAID] is not None and len(text[_PAID]) != _COMPLETE_TIME:
            text[_PAID] = time_text(row[_PAID])
    return texts


def _payment_lines(payments: Sequence[Payment], direction: str | None = None) -> bytes:
    lines = to_json_lines(payments, direction)
    if [each for each in payments if "E" in str(each.amount)]:
        lines = _EXPONENT.sub(lambda found: plain(Decimal(found[0].decode())).encode(), lines)
    return lines


def _entry_lines(entries: Sequence[HistoryEntry]) -> bytes:
    """Encodes each direction at once, then merges the lines in the order of the entries."""
    lines = {
        direction: iter(
            _payment_lines(
                [entry.payment for entry in entries if entry.direction is direction], direction
            ).splitlines(keepends=True)
        )
        for direction in Direction
    }
    return b"".join(next(lines[entry.direction]) for entry in entries)


class _Lines(list[str]):
    """Collects the rows of a csv.writer, with LF as the line end.

    Before Python 3.13, a csv.writer quotes a carriage return in a value only if it is part of its line
    end, and readers take an unquoted one for the end of a row. So the writer's line end is CR LF, and
    this removes the CR.
    """

    def write(self, row: str) -> None:
        """Adds one row, which ends with ``\\r\\n``."""
        self.append(row[:-2] + "\n")


def _csv(rows: Iterable[Sequence[str | None]]) -> bytes:
    lines = _Lines()
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return "".join(lines).encode()


def _guarded(text: str | None) -> str | None:
    """Prefixes a text that spreadsheets would take for a formula by an apostrophe.

    Removing one apostrophe restores the text.
    """
    is_formula = text and text.lstrip("'").startswith(_FORMULAS)
    return f"'{text}" if is_formula else text


def _spreadsheet_csv(rows: list[Any]) -> bytes:
    for row in rows:
        for place in _TEXTS:
            row[place] = _guarded(row[place])
    return _csv(rows)


def _spreadsheet_payment_rows(payments: Sequence[Payment]) -> bytes:
    return _spreadsheet_csv(as_text(map(_values, payments)))


def _spreadsheet_entry_rows(entries: Sequence[HistoryEntry]) -> bytes:
    return _spreadsheet_csv(
        as_text((entry.direction, *_values(entry.payment)) for entry in entries)
    )


def _payment_rows(payments: Sequence[Payment]) -> bytes:
    return _csv(as_text(map(_values, payments)))


def _entry_rows(entries: Sequence[HistoryEntry]) -> bytes:
    return _csv(as_text((entry.direction, *_values(entry.payment)) for entry in entries))


def _quoted_rows(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Splits CSV into rows; a line end within quotes is part of the row."""
    row = b""
    for line in lines:
        row += line
        if row.count(b'"') % 2 == 0:
            yield row
            row = b""


_identity_of_line = msgspec.json.Decoder(
    msgspec.defstruct(
        "_Identity",
        [("payment_id", str), ("status", str), ("created_at", str), ("direction", str, "")],
    )
).decode


def _identify_line(line: bytes) -> tuple[str, str, str]:
    found: Any = _identity_of_line(line)
    return found.direction + found.payment_id, found.status, found.created_at


def _fields(row: str) -> list[str]:
    try:
        (fields,) = csv.reader([row])
    except csv.Error:  # perhaps a text exceeds the limit that the process has set
        former = csv.field_size_limit(len(row))
        try:
            (fields,) = csv.reader([row])
        except csv.Error as error:
            raise ValueError(str(error)) from None
        finally:
            csv.field_size_limit(former)
    return fields


def _identify_row(first: int) -> Callable[[bytes], tuple[str, str, str]]:
    status, created_at = (first + _COLUMNS.index(name) for name in ("status", "created_at"))

    def identify(row: bytes) -> tuple[str, str, str]:
        fields = _fields(row.decode())
        return "".join(fields[: first + 1]), fields[status], fields[created_at]

    return identify


def _payment(encode: Callable[[Sequence[Payment]], bytes]) -> Callable[[Payment], dict[str, bytes]]:
    return lambda payment: {str(payment.payment_id): encode([payment])}


def _both(
    encode: Callable[[Sequence[HistoryEntry]], bytes],
) -> Callable[[Payment], dict[str, bytes]]:
    """Makes the rows of a payment in both directions; a payment to oneself has both."""

    def rows_of(payment: Payment) -> dict[str, bytes]:
        entries = [HistoryEntry(direction=each, payment=payment) for each in Direction]
        return {f"{each.direction}{payment.payment_id}": encode([each]) for each in entries}

    return rows_of


PAYMENTS: dict[Format, Encoding[Payment]] = {
    Format.JSONL: Encoding(
        format=Format.JSONL,
        header=b"",
        encode=_payment_lines,
        split=iter,
        identify=_identify_line,
        rows_of=_payment(_payment_lines),
    ),
    Format.CSV: Encoding(
        format=Format.CSV,
        header=_csv([_COLUMNS]),
        encode=_payment_rows,
        split=_quoted_rows,
        identify=_identify_row(0),
        rows_of=_payment(_payment_rows),
    ),
    Format.SPREADSHEET: Encoding(
        format=Format.SPREADSHEET,
        header=_BYTE_ORDER_MARK + _csv([_COLUMNS]),
        encode=_spreadsheet_payment_rows,
        split=_quoted_rows,
        identify=_identify_row(0),
        rows_of=_payment(_spreadsheet_payment_rows),
    ),
}
ENTRIES: dict[Format, Encoding[HistoryEntry]] = {
    Format.JSONL: Encoding(
        format=Format.JSONL,
        header=b"",
        encode=_entry_lines,
        split=iter,
        identify=_identify_line,
        rows_of=_both(_entry_lines),
    ),
    Format.CSV: Encoding(
        format=Format.CSV,
        header=_csv([("direction", *_COLUMNS)]),
        encode=_entry_rows,
        split=_quoted_rows,
        identify=_identify_row(1),
        rows_of=_both(_entry_rows),
    ),
    Format.SPREADSHEET: Encoding(
        format=Format.SPREADSHEET,
        header=_BYTE_ORDER_MARK + _csv([("direction", *_COLUMNS)]),
        encode=_spreadsheet_entry_rows,
        split=_quoted_rows,
        identify=_identify_row(1),
        rows_of=_both(_spreadsheet_entry_rows),
    ),
}
