"""Detects the formats of a ledger's dates and amounts from all of its values together. Pure.

A value that can be read in several ways is decided by another one of its column. The first thousand
rows are nearly always enough; if not, all rows are read. A later row that contradicts the result is
refused when it is read.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import attrs

from paywint_async.reconcile._columns import Places
from paywint_async.reconcile._date_forms import has_points, is_iso, orders_of
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._number_forms import marks_of
from paywint_async.reconcile._words import DIRECTION_WORDS, is_total

_SAMPLE = 1000
_MOST_YEARS = 12
ID = re.compile(r"\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Forms:
    """The formats of a ledger's values.

    ``date_order`` is an argument of `read_date`, ``decimal_mark`` of `read_amount`.
    ``debit_is_negative``: the values in the column of debits are negative; ``fee_is_negative``: so are
    deducted fees. ``has_only_plain``: an amount that is text must be digits and a decimal point.
    """

    places: Places
    decimal_mark: str = "."
    date_order: str = "ymd"
    debit_is_negative: bool = False
    fee_is_negative: bool = False
    has_only_plain: bool = False
    has_plain_amounts: bool = True
    has_iso_dates: bool = True
    other_ids: tuple[str, ...] = ()


def find_forms(
    rows: Iterable[tuple[int, Sequence[Any]]],
    places: Places,
    ledger: str,
    *,
    decimal_mark: str | None,
    date_order: str | None,
    unit: str = "line",
) -> Forms:
    """Detect the formats of a ledger from its rows.

    Args:
        rows: all rows, each with its place; no more are read than are needed.
        places: the columns.
        ledger: its name, for messages.
        decimal_mark: if given; None: to be detected.
        date_order: if given; None: to be detected.
        unit: what a row's place counts, such as ``line``.

    Raises:
        LedgerError: a format is ambiguous in all rows, or two rows contradict each other.
    """
    amounts = _Choice("decimal mark", decimal_mark, marks_of)
    dates = _Choice("order of day and month", date_order, orders_of)
    values_of = _Samples(places)
    for number, (place, values) in enumerate(rows):
        if number >= _SAMPLE and amounts.is_decided and dates.is_decided:
            break
        if is_total(values):
            continue
        for column in (*places.amounts, *([] if places.fee is None else [places.fee])):
            amounts.take(_text(values, column), place)
        for column in places.dates:
            dates.take(_text(values, column), place)
        if number < _SAMPLE:
            values_of.take(values)
    places = values_of.decided(ledger)
    date_column = places.names[places.dates[0]] if places.dates else None
    return Forms(
        places=places,
        decimal_mark=amounts.result(
            ledger, unit, places.names[places.amounts[0]], "--decimal-mark . or --decimal-mark ,"
        ),
        date_order=dates.result(
            ledger, unit, date_column, "--date-format dmy or --date-format mdy"
        ),
        debit_is_negative=values_of.is_negative(places.debit),
        fee_is_negative=values_of.is_negative(places.fee),
        has_plain_amounts=not amounts.is_needed,
        has_iso_dates=not dates.is_needed,
        other_ids=values_of.other_ids(),
    )


class _Choice:
    """The ways to read a column with which all of its values so far can be read."""

    def __init__(self, what: str, given: str | None, readings: Any) -> None:
        self._what = what
        self._given = given
        self._readings = readings
        self._left: list[str] | None = None
        self._open: dict[tuple[str, str], tuple[str, int]] = {}
        self._closed: dict[str, tuple[str, int]] = {}
        self._conflict: tuple[tuple[str, int], tuple[str, int]] | None = None
        self._are_all_pointed = True
        self._has_iso = False
        self._years: dict[str, set[int]] = defaultdict(set)
        self.is_needed = False

    @property
    def is_decided(self) -> bool:
        """Whether no further value can change the result, except by contradicting it."""
        if self._given is not None or (self._left is None and self._has_iso):
            return True
        return self._left is not None and len(self._left) == 1

    def take(self, text: str, place: int) -> None:
        if not text or self._given is not None:
            return
        if is_iso(text):
            self._has_iso = True
            return
        readings = self._readings(text)
        if not readings:
            return  # the error is raised when the row is parsed
        self.is_needed = self.is_needed or self._what != "decimal mark" or not _is_simple(text)
        self._are_all_pointed = self._are_all_pointed and has_points(text)
        left = [each for each in (self._left or readings) if each in readings]
        if not left:
            before = next(iter(self._closed.values()), (text, place))
            self._conflict = self._conflict or (before, (text, place))
            return
        self._left = left
        if len(readings) == 1:
            self._closed.setdefault(left[0], (text, place))
        for each, value in readings.items():
            if hasattr(value, "year"):
                self._years[each].add(value.year)
        for one, other in combinations(readings, 2):
            if readings[one] != readings[other]:
                self._open.setdefault((one, other), (text, place))

    def _of_few_years(self) -> list[str]:
        """Exclude orders that read days as years of two digits: they would span up to thirty years."""
        left = self._left or []
        spans = {each: max(years) - min(years) for each, years in self._years.items() if years}
        few = [each for each in left if spans.get(each, 0) < _MOST_YEARS]
        return few if few and len(few) < len(left) else left

    def result(self, ledger: str, unit: str, column: str | None, hint: str) -> str:
        if self._given is not None:
            return self._given
        if self._conflict:
            (one, place), (other, other_place) = self._conflict
            problem = f"{one!r} in {unit} {place} and {other!r} in {unit} {other_place} contradict"
            raise LedgerError(
                ledger, f"{problem} each other ({self._what})", column=column, hint=hint
            )
        if self._left is None:
            return "." if self._what == "decimal mark" else "ymd"
        left = self._of_few_years()
        undecided = [pair for pair in combinations(left, 2) if pair in self._open]
        if not undecided:
            return left[0]
        if "dmy" in left and self._are_all_pointed:
            return "dmy"
        text, place = self._open[undecided[0]]
        readings = self._readings(text)
        ways = " or ".join(str(_shown(readings[each])) for each in undecided[0])
        problem = f"{text!r} in {unit} {place} can mean {ways}, and no other value decides it"
        raise LedgerError(ledger, problem, column=column, hint=f"{hint} does")


def _shown(value: Any) -> Any:
    return value.date() if hasattr(value, "date") else f"{value:f}"


def _is_simple(text: str) -> bool:
    return text.replace(".", "", 1).lstrip("-").isdigit()


def _text(values: Sequence[Any], place: int) -> str:
    value = values[place] if place < len(values) else None
    return value.strip() if isinstance(value, str) else ""


class _Samples:
    """Counts in the first rows the values that decide the content of a column."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._filled: Counter[int] = Counter()
        self._ids: Counter[int] = Counter()
        self._directions: Counter[int] = Counter()
        self._negative: Counter[int] = Counter()
        self._positive: Counter[int] = Counter()

    def take(self, values: Sequence[Any]) -> None:
        for place, value in enumerate(values[: self._places.width]):
            text = str(value).strip() if value is not None else ""
            if not text:
                continue
            self._filled[place] += 1
            self._ids[place] += ID.fullmatch(text) is not None
            self._directions[place] += text.casefold() in DIRECTION_WORDS
        for column in (self._places.debit, self._places.fee):
            if column is not None and (readings := marks_of(_signed_text(values, column))):
                amount = next(iter(readings.values()))
                self._negative[column] += amount < 0
                self._positive[column] += amount > 0

    def decided(self, ledger: str) -> Places:
        places = self._places
        ids = [each for each in places.maybe_ids if self._is_all(self._ids, each)]
        if len(ids) > 1:
            names = " and ".join(repr(places.names[each]) for each in ids)
            raise LedgerError(
                ledger, f"has ids in {names}", hint="--id-column says which are Paywint's"
            )
        directions = [
            each for each in places.maybe_directions if self._is_all(self._directions, each)
        ]
        has_id_column = places.id is not None
        return attrs.evolve(
            places,
            id=places.id if has_id_column else next(iter(ids), None),
            direction=next(iter(directions), None)
            if places.direction is None
            else places.direction,
        )

    def is_negative(self, column: int | None) -> bool:
        return column is not None and self._negative[column] > 0 == self._positive[column]

    def other_ids(self) -> tuple[str, ...]:
        """Return columns whose values look like payment ids, if no column of ids is used."""
        if self.decided("").id is not None:
            return ()
        return tuple(
            name for place, name in enumerate(self._places.names) if self._is_all(self._ids, place)
        )

    def _is_all(self, counts: Counter[int], place: int) -> bool:
        return 0 < counts[place] == self._filled[place]


def _signed_text(values: Sequence[Any], place: int) -> str:
    value = values[place] if place < len(values) else None
    return "" if value is None else str(value).strip()
