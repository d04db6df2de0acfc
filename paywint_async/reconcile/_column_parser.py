"""Parses rows of a table column by column: far faster than one by one, but only their plain form. Pure.

A plain row names a payment by the canonical form of its id, and has an amount such as ``1234.50``, a
date in ISO 8601, and a status of the API. The result is the one of `RowParser`, which parses all other
rows, and which raises all errors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import compress, repeat
from operator import attrgetter, invert, itemgetter, or_
from typing import Any, NamedTuple

import attrs

from paywint_async import PaymentStatus
from paywint_async.reconcile._csv_records import NumberedRecord
from paywint_async.reconcile._forms import Forms
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._records import Period
from paywint_async.reconcile._row_parser import RowParser

# The shape of a text has a 0 for each digit, and in ids for each hexadecimal digit.
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_HEX_DIGITS = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)
_IDS = frozenset({b"00000000-0000-0000-0000-000000000000"})
_AMOUNTS = frozenset(b"0" * digits + b".00" for digits in range(1, 16))
_DAY = b"0000-00-00"
_DATES = frozenset(
    {_DAY}
    | {
        _DAY + separator + b"00:00:00" + fraction + zone
        for separator in (b"T", b" ")
        for fraction in (b"", b".000", b".000000")
        for zone in (b"", b"Z", b"+00:00", b"-00:00")
    }
)
_ZONE = attrgetter("tzinfo")  # a shape does not distinguish offsets
_STATUSES = tuple(each.value for each in PaymentStatus)
# A code is the number of a status, and two bits: whether the row is in the period, and whether it was
# sent. A content is the amount in cents, and behind it the code.
_INSIDE = 2  # the last bit is whether it was sent
CODE_BITS = 7
_TRIED = 5000  # rows, of which one must be plain
CODE_MASK = (1 << CODE_BITS) - 1


class Meaning(NamedTuple):
    """The meaning of a code."""

    status: str
    is_inside: bool
    direction: str


_MEANINGS = tuple(
    Meaning(status, is_inside, direction)
    for status in _STATUSES
    for is_inside in (False, True)
    for direction in ("received", "sent")
)


_CODES = {meaning: code for code, meaning in enumerate(_MEANINGS)}
_CODES_OF = {
    (status, direction): frozenset(
        code for code, each in enumerate(_MEANINGS) if each == (status, each[1], direction)
    )
    for status in _STATUSES
    for direction in ("received", "sent")
}


_SENT_CODES = frozenset(code for code, each in enumerate(_MEANINGS) if each.direction == "sent")


def key_of(payment_id: int, direction: str) -> int:
    """Return the key of a payment, by which its rows are found: negative if it was sent."""
    return ~payment_id if direction == "sent" else payment_id


def keys_of(payment_ids: list[int], direction: str) -> list[int]:
    """Return the keys of several payments."""
    return [*map(invert, payment_ids)] if direction == "sent" else payment_ids


def code_of(status: str, direction: str, *, is_inside: bool) -> int | None:
    """Return the code of a row; None if a plain row cannot have this status."""
    return _CODES.get(Meaning(status, is_inside, direction))


def codes_of(status: str, direction: str) -> frozenset[int]:
    """Return the codes of a status and a direction, inside the period and outside it."""
    return _CODES_OF.get((status, direction), frozenset())


def meaning_of(code: int) -> Meaning:
    """Return what a code means."""
    return _MEANINGS[code]


@attrs.frozen(kw_only=True)
class PlainRows:
    """Plain rows of a ledger: for each its number, the key of its payment, and its content.

    ``numbers`` are the rows' indexes among all records after the header; ``days`` are the days that any
    of them has; ``counts`` are the numbers of rows by code.
    """

    numbers: Sequence[int]
    keys: Sequence[int]
    contents: Sequence[int]
    days: Collection[date]
    counts: Mapping[int, int]

    def meanings(self) -> Iterator[tuple[Meaning, int]]:
        """Yield how many rows have each meaning."""
        for code, count in self.counts.items():
            yield meaning_of(code), count


def may_be_plain(forms: Forms) -> bool:
    """Return whether rows of a ledger with these forms can be plain."""
    places = forms.places
    return (
        None not in (places.id, places.amount)
        and bool(places.dates)
        and places.fee is None
        and forms.decimal_mark == "."
        and "%" not in forms.date_order
    )


class ColumnParser:
    """Parses plain rows.

    Args:
        forms: of the ledger, as `may_be_plain` accepts them.
        format: of the ledger.
        parser: parses the other rows of each call of `split`, in their order.
        directions: the compared directions; rows of others are not plain.
        period: the compared period.
    """

    def __init__(
        self,
        forms: Forms,
        format: LedgerFormat,
        parser: RowParser,
        *,
        directions: Collection[str],
        period: Period,
    ) -> None:
        places = forms.places
        assert places.id is not None
        assert places.amount is not None
        self._id, self._amount = itemgetter(places.id), itemgetter(places.amount)
        self._dates = [itemgetter(place) for place in places.dates]
        words = (places.direction, places.status, places.currency)
        self._words = [None if place is None else itemgetter(place) for place in words]
        self._width = places.width
        self.parser = parser
        self._is_utc = format.zone is UTC
        self._directions = directions
        self._period = period
        self._codes: dict[tuple[Any, ...], int] = {}
        self._has_plain = False
        self._tried = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether there was no plain row among the first ones, so that `split` finds none any more."""
        return self._tried >= _TRIED and not self._has_plain

    def split(
        self, records: Sequence[NumberedRecord], first: int
    ) -> tuple[PlainRows | None, Sequence[NumberedRecord]]:
        """Return the plain rows, if any, and the other records in their order.

        Args:
            records: consecutive records of the table, at least one.
            first: the number of the first one.
        """
        if self.is_hopeless:
            return None, records
        found = self._split(records, first)
        self._tried += len(records)
        self._has_plain = self._has_plain or found[0] is not None
        return found

    def _split(
        self, records: Sequence[NumberedRecord], first: int
    ) -> tuple[PlainRows | None, Sequence[NumberedRecord]]:
        rows = [values for _, values in records]
        numbers = range(first, first + len(rows))
        if plain := self._parsed(rows, numbers):
            return plain, ()
        fits = [self._seems_plain(values) for values in rows]
        plain = self._parsed([*compress(rows, fits)], [*compress(numbers, fits)])
        if plain is None:
            return None, records
        return plain, [each for each, is_plain in zip(records, fits, strict=True) if not is_plain]

    def _seems_plain(self, values: Sequence[Any]) -> bool:
        return (
            len(values) == self._width
            and _joined([self._id(values)], _IDS, _HEX_DIGITS) is not None
            and _joined([self._amount(values)], _AMOUNTS) is not None
            and _joined(self._dates_of([values]), _DATES) is not None
            and self._codes_of([values]) is not None
        )

    def _parsed(self, rows: Sequence[Sequence[Any]], numbers: Sequence[int]) -> PlainRows | None:
        """Parse rows; None if there are none, or one of them is not plain."""
        if {*map(len, rows)} != {self._width}:
            return None
        ids = _joined(map(self._id, rows), _IDS, _HEX_DIGITS)
        amounts = _joined(map(self._amount, rows), _AMOUNTS)
        if ids is None or amounts is None:
            return None
        codes, days = self._codes_of(rows), self._days_of(rows)
        if codes is None or days is None:
            return None
        each_day = {*days}
        inside = {day: _INSIDE * self._period.has(day) for day in each_day}
        if {*inside.values()} == {_INSIDE}:
            codes = [*map(_INSIDE.__or__, codes)]
        elif len(inside) > 1:
            codes = [*map(or_, codes, map(inside.__getitem__, days))]
        keys = [*map(int, ids.replace("-", "").split(), repeat(16))]
        counts = Counter(codes)
        if not _SENT_CODES.isdisjoint(counts):
            keys = [
                key_of(key, meaning_of(code).direction)
                for key, code in zip(keys, codes, strict=True)
            ]
        cents = map(int, amounts.replace(".", "").split())
        contents = [each << CODE_BITS | code for each, code in zip(cents, codes, strict=True)]
        return PlainRows(
            numbers=numbers, keys=keys, contents=contents, days=each_day, counts=counts
        )

    def _dates_of(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the first date of each row that is not empty."""
        texts = [*map(self._dates[0], rows)]
        for column in self._dates[1:]:
            texts = [text or other for text, other in zip(texts, map(column, rows), strict=True)]
        return texts

    def _days_of(self, rows: Sequence[Sequence[Any]]) -> Sequence[date] | None:
        texts = _joined(self._dates_of(rows), _DATES)
        if texts is None:
            return None
        try:
            moments = [*map(datetime.fromisoformat, texts.split("\n"))]
            if self._is_utc and {*map(_ZONE, moments)} <= {None, UTC}:
                return [*map(datetime.date, moments)]
            return [self.parser.in_zone(each).date() for each in moments]
        except (ValueError, OverflowError):
            return None

    def _codes_of(self, rows: Sequence[Sequence[Any]]) -> Sequence[int] | None:
        nothing = [None] * len(rows)
        columns = (nothing if word is None else map(word, rows) for word in self._words)
        words = [*zip(*columns, strict=True)]
        for each in {*words} - self._codes.keys():
            code = self._code(*each)
            if code is None:
                return None
            self._codes[each] = code
        return [*map(self._codes.__getitem__, words)]

    def _code(self, direction: Any, status: Any, currency: Any) -> int | None:
        """Return the code of a row outside the period; None if it is not plain."""
        try:
            found = self.parser.words_of(direction, status, currency)
        except ValueError:
            return None
        if found.direction not in self._directions or found.status not in _STATUSES:
            return None
        # The parser refuses a second sign of sent amounts, so it must know the first.
        if found.direction == "sent" and not self.parser.has_positive_sent:
            return None
        return _MEANINGS.index(Meaning(found.status, False, found.direction))


def _joined(values: Iterable[Any], shapes: frozenset[bytes], zeros: bytes = _DIGITS) -> str | None:
    """Return values that all have one of the shapes, one a line; else None."""
    values = [*values]
    try:
        text = "\n".join(values)
        found = text.encode("ascii").translate(zeros)
    except (TypeError, UnicodeEncodeError):  # one is not text
        return None
    first = found.partition(b"\n")[0]
    if first in shapes and found == b"\n".join(repeat(first, len(values))):
        return text
    parts = found.split(b"\n")
    return text if len(parts) == len(values) and shapes.issuperset(parts) else None
