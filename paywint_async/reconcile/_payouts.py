"""Matches a row to all payments of consecutive days, as a processor pays them out together. Pure.

Only rows and payments that are still unmatched are considered. A row is a payout if its amount is the
sum of all unmatched payments of exactly one range of consecutive days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

import attrs

from paywint_async.reconcile._records import LedgerRow, PaymentFact
from paywint_async.reconcile._totals import add, sum_of

LONGEST = 31  # days in one payout
LATEST = 10  # days from the last of them until the payout is booked


@attrs.frozen(kw_only=True)
class Payout:
    """A row of the ledger, and the payments whose sum it is."""

    row: LedgerRow
    payments: tuple[PaymentFact, ...]

    @property
    def since(self) -> date:
        """The day of the first payment."""
        return min(each.day for each in self.payments)

    @property
    def until(self) -> date:
        """The day of the last payment."""
        return max(each.day for each in self.payments)


def may_be_payout(row: LedgerRow) -> bool:
    """Return whether a row can be a payout: it is paid, has a day, and has no id and no invoice."""
    return row.is_paid and row.day is not None and row.payment_id is None and row.invoice is None


def find_payouts(rows: Iterable[LedgerRow], payments: Iterable[PaymentFact]) -> list[Payout]:
    """Find the payouts among open rows and payments.

    A row for which two ranges of days are possible is left out, and so are rows whose days overlap.
    """
    by_day: dict[str, dict[date, list[PaymentFact]]] = defaultdict(lambda: defaultdict(list))
    for payment in payments:
        if payment.is_paid:
            by_day[payment.direction][payment.day].append(payment)
    found = [
        Payout(row=row, payments=tuple(chosen))
        for row in rows
        if may_be_payout(row) and (chosen := _only_run(row, by_day[row.direction]))
    ]
    claims: defaultdict[tuple[str, date], int] = defaultdict(int)
    for payout in found:
        for key in _days_of(payout):
            claims[key] += 1
    return [each for each in found if all(claims[key] == 1 for key in _days_of(each))]


def _days_of(payout: Payout) -> set[tuple[str, date]]:
    return {(each.direction, each.day) for each in payout.payments}


def _only_run(row: LedgerRow, by_day: dict[date, list[PaymentFact]]) -> list[PaymentFact]:
    """Return the payments of the only range of days with the row's amount; empty if there is none."""
    assert row.day is not None
    first = row.day - timedelta(days=LONGEST + LATEST)
    days = sorted(day for day in by_day if first <= day <= row.day)
    sums = [sum_of(each.amount for each in by_day[day]) for day in days]
    runs = [
        [payment for day in days[start:end] for payment in by_day[day]]
        for start, end in _runs(days, sums, row.amount)
        if row.day - days[end - 1] <= timedelta(days=LATEST)
    ]
    runs = [run for run in runs if len(run) > 1]
    return runs[0] if len(runs) == 1 else []


def _runs(
    days: Sequence[date], sums: Sequence[Decimal], amount: Decimal
) -> Iterator[tuple[int, int]]:
    for start in range(len(days)):
        total = Decimal(0)
        for end in range(start, len(days)):
            total = add(total, sums[end])
            if total > amount or (days[end] - days[start]).days >= LONGEST:
                break
            if total == amount:
                yield start, end + 1
