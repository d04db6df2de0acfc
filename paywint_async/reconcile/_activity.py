"""Counts payments by day, status and duration as they are read; keeps no payment. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate

from paywint_async.reconcile._records import PAID, PaymentFact
from paywint_async.reconcile._totals import Sum

_PER_DECADE = 24  # steps of the durations, each 10 % longer than the one before
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
        self.by_status[payment.status] += 1
        if payment.status in _FINAL:
            self._ended[payment.day] += 1
        if payment.is_paid:
            self.paid[payment.day].take(payment.amount)
            if duration is not None:
                self.durations.take(duration.total_seconds())

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
        self._steps[round(math.log10(max(seconds, 1.0)) * _PER_DECADE)] += 1

    @property
    def count(self) -> int:
        """How many durations were counted."""
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
