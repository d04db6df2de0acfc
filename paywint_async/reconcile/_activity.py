"""What payments do over time, added up while they pass by: no payment is kept. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import accumulate

from paywint_async.reconcile._records import PAID, PaymentFact
from paywint_async.reconcile._totals import Sum

_PER_DECADE = 24  # steps of the durations, each 10 % longer than the one before
_FINAL = frozenset({PAID, "failed", "rejected", "expired"})  # of `retried` the retry counts


class Activity:
    """Payments of one direction by day and by status, and how long they took."""

    def __init__(self) -> None:
        self.paid: defaultdict[date, Sum] = defaultdict(Sum)
        self.by_status: Counter[str] = Counter()
        self.durations = Durations()
        self._ended: Counter[date] = Counter()

    def take(self, payment: PaymentFact, duration: timedelta | None) -> None:
        """Counts a payment.

        Args:
            payment: each one once.
            duration: from its creation until it was paid, where it was.
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
        """The first and the last day at which one ended; None where none did."""
        days = self._ended.keys()
        return (min(days), max(days)) if days else None

    def ended(self) -> Iterator[tuple[date, int, int]]:
        """Each day with how many were paid, and how many of these or others ended."""
        for day, count in sorted(self._ended.items()):
            yield day, self.paid[day].count if day in self.paid else 0, count


class Durations:
    """How long things took, to about 10 %."""

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()

    def take(self, seconds: float) -> None:
        """Counts one."""
        self._steps[round(math.log10(max(seconds, 1.0)) * _PER_DECADE)] += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return self._steps.total()

    def below(self, seconds: float) -> int:
        """How many took less than that."""
        limit = math.log10(seconds) * _PER_DECADE
        return sum(count for step, count in self._steps.items() if step < limit)

    def quantile(self, share: float) -> float:
        """The seconds within which that share of them was done; there must be one."""
        steps = sorted(self._steps)
        seen = accumulate(self._steps[step] for step in steps)
        step = next(
            step for step, count in zip(steps, seen, strict=True) if count >= share * self.count
        )
        return float(10 ** (step / _PER_DECADE))
