"""Finds the rows of a table that are not payments: empty rows, headings, footers, totals. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from paywint_async.reconcile._columns import Places
from paywint_async.reconcile._totals import add
from paywint_async.reconcile._values import has_amount, is_filled, text_of
from paywint_async.reconcile._words import is_balance, is_total

_MOST_PLACES = 5  # skipped rows that a note names
NEITHER, TOTALS, REPEATED_HEADER = (
    "with neither date nor amount",
    "with totals or balances",
    "that repeat the names of the columns",
)


class PassedRows:
    """Finds the rows that are not payments, and counts them by reason.

    Args:
        places: the columns.
        is_date: returns whether a value is a date of this ledger.
        amount_of: returns the amount of a row; raises ValueError if it has none.
    """

    def __init__(
        self,
        places: Places,
        *,
        is_date: Callable[[Any], bool],
        amount_of: Callable[[Sequence[Any]], Decimal],
    ) -> None:
        self._places = places
        self._is_date = is_date
        self._amount_of = amount_of
        self._header = [name.strip() for name in places.names]
        self._total = Decimal(0)  # of the rows so far; only used without a column of dates
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._firsts: defaultdict[str, list[int]] = defaultdict(list)

    def add_to_total(self, amount: Decimal) -> None:
        """Add a row's amount to the sum with which a row of totals is compared."""
        self._total = add(self._total, amount)

    def take(self, values: Sequence[Any], place: int) -> bool:
        """Skip a row that is not a payment: return True; count it unless it is empty or a ruled line."""
        if not any(map(has_amount, values)):
            return True
        reason = self._reason(values)
        if reason is None:
            return False
        self._counts[reason] += 1
        if len(self._firsts[reason]) < _MOST_PLACES:
            self._firsts[reason].append(place)
        return True

    def notes(self, unit: str) -> list[str]:
        """Return a sentence for each reason: how many rows, and the places of the first ones."""
        found = []
        for reason, count in self._counts.items():
            places = ", ".join(map(str, self._firsts[reason]))
            more = ", …" if count > _MOST_PLACES else ""
            rows, where = ("row", unit) if count == 1 else ("rows", f"{unit}s")
            found.append(f"skipped {count:,} {rows} {reason} ({where} {places}{more})")
        return found

    def _reason(self, values: Sequence[Any]) -> str | None:
        """Return why a row is not a payment; None if it is one, or must be."""
        if self._is_header(values):
            return REPEATED_HEADER
        places = self._places
        dates = [values[each] for each in places.dates if is_filled(values[each])]
        if any(has_amount(values[each]) for each in places.amounts):
            is_dated = dates and not (isinstance(dates[0], str) and is_total(dates))
            return TOTALS if not is_dated and self._is_total(values) else None
        if places.id is not None and is_filled(values[places.id]):
            return None
        if dates and self._is_date(dates[0]):
            return TOTALS if is_balance(values) else None
        return NEITHER

    def _is_header(self, values: Sequence[Any]) -> bool:
        first = self._places.amounts[0]
        if values[first] != self._places.names[first]:
            return False
        return [*map(text_of, values)] == self._header

    def _is_total(self, values: Sequence[Any]) -> bool:
        """Return whether a row has totals; without dates it must be the sum of the rows before it."""
        if self._places.id is not None and is_filled(values[self._places.id]):
            return False
        if not is_total(values) or self._places.dates:
            return is_total(values)
        try:
            return self._amount_of(values) == self._total
        except ValueError:
            return False
