"""Counts payments by day, status and duration as they are read; keeps no payment. Pure."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate, repeat

from paywint_async.reconcile._records import PAID, PaymentFact
from paywint_async.reconcile._totals import Sum

_PER_DECADE = 24  # steps of the durations, each 10 % longer than the one before
_STEPS = 15 * _PER_DECADE  # more than any `timedelta` needs
_BOUNDS = [
    10 ** ((step + 0.5) / _PER_DECADE) for step in range(_STEPS)
]  # seconds, of each step's end
_FINAL = frozenset({PAID, "failed", "rejected", "expired"})  # of `retried` only the retry counts


class Activity:
    """Counts of one direction's payments by day and by status, and the times until they were paid."""

    def __init__(self) -> None:
        self.paid: defaultdict[date, Sum] = defaultdict(Sum)
        self.by_status: Counter[str] = Counter()
        self.durations = Durations()
        self._ended: Counter[date] = Counter()

    def take(self, payment: PaymentFact, duration: timedelta | None) -> None:
        """Count a payment.

        Args:
            payment: which must not be counted twice.
            duration: from its creation until it was paid; None if it was not.
        """
        durations = [] if duration is None else [duration]
        self.take_all(payment.day, payment.status, [payment.amount], durations)

    def take_all(
        self, day: date, status: str, amounts: Sequence[Decimal], durations: Sequence[timedelta]
    ) -> None:
        """Count payments of a day and a status; ``durations`` are of those that were ever paid."""
        self.by_status[status] += len(amounts)
        if status in _FINAL:
            self._ended[day] += len(amounts)
        if status == PAID:
            self.paid[day].take_all(amounts)
            self.durations.take_all(durations)

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last day on which a payment reached a final status, or None."""
        days = self._ended.keys()
        return (min(days), max(days)) if days else None

    def ended(self) -> Iterator[tuple[date, int, int]]:
        """Yield each day, its number of paid payments, and its number of payments with a final status."""
        for day, count in sorted(self._ended.items()):
            yield day, self.paid[day].count if day in self.paid else 0, count


class Durations:
    """A histogram of durations, precise to about 10 %."""

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()

    def take(self, seconds: float) -> None:
        """Count a duration."""
        self._steps[bisect(_BOUNDS, seconds)] += 1

    def take_all(self, durations: Iterable[timedelta]) -> None:
        """Count several durations."""
        seconds = map(timedelta.total_seconds, durations)
        self._steps.update(map(bisect, repeat(_BOUNDS), seconds))

    @property
    def count(self) -> int:
        """The number of durations counted."""
        return self._steps.total()

    def below(self, seconds: float) -> int:
        """Return how many durations are shorter than that."""
        limit = math.log10(seconds) * _PER_DECADE
        return sum(count for step, count in self._steps.items() if step < limit)

    def quantile(self, share: float) -> float:
        """Return the quantile of the durations, in seconds; at least one must have been counted."""
        steps = sorted(self._steps)
        seen = accumulate(self._steps[step] for step in steps)
        step = next(
            step for step, count in zip(steps, seen, strict=True) if count >= share * self.count
        )
        return float(10 ** (step / _PER_DECADE))
