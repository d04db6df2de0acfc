"""Matches rows and payments, and returns differences and totals. Pure: no files, no network.

All rows are added first, then the payments, in any order (a row that contains a payment's id may also be
added later, but before that payment); each is matched at most once, in several passes, the most certain
first:

1. **by id**. A row that contains a payment's id matches that payment or none.
2. **by invoice number** in the description (`keys`), or by the whole description: within the date
   window, or, if the row has no date, with the same amount.
3. **by amount and date window**; where that is ambiguous, by amount and day, if each day has as many
   paid rows as paid payments.
4. **as a payout**, the sum of the payments of consecutive days (`payouts`).

In each pass, items that are paid on both sides are matched first, then those paid on one side. If
several candidates fit, amount and date decide if they allow only one assignment (`assignment`);
otherwise the items are ambiguous. An unmatched item that is not paid is not a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import attrs

from paywint_async.reconcile._agreement import AgreedTotal
from paywint_async.reconcile._assignment import (
    Assignment,
    assign,
    sorted_payments,
    sorted_rows,
)
from paywint_async.reconcile._candidates import (
    Facts,
    Interest,
    OpenItems,
    Rows,
    booked,
    by_amount,
    description_groups,
    invoice_groups,
)
from paywint_async.reconcile._decisions import Decisions
from paywint_async.reconcile._named_rows import NamedRows, key_of
from paywint_async.reconcile._payouts import Payout, find_payouts
from paywint_async.reconcile._records import Difference, Evidence, LedgerRow, PaymentFact, Period
from paywint_async.reconcile._totals import SideTotals

_BY_DAY = {Evidence.AMOUNT_AND_DATE: Evidence.AMOUNT_AND_DAY}


@attrs.frozen(kw_only=True)
class MatchResult:
    """The result of a matching; ``differences`` are sorted, the most serious kind first.

    ``evidence`` counts the matched rows of the period by kind of evidence; ``payouts`` are the rows
    that were matched to the sum of several payments.
    """

    differences: tuple[Difference, ...]
    evidence: Counter[Evidence]
    payouts: tuple[Payout, ...]
    ledger: SideTotals
    paywint: SideTotals

    @property
    def agrees(self) -> bool:
        """Whether there is no difference."""
        return not self.differences


class Matching:
    """One comparison: add all rows, then all payments, then call `finish`.

    A row that contains a payment's id may be added later than other payments.

    Args:
        directions: the compared directions; rows of others are set aside.
        period: a row or payment outside it is a difference only as part of a pair inside it.
        date_window: the most days between a row and a payment that are matched by amount.
    """

    def __init__(
        self, *, directions: Iterable[str], period: Period | None = None, date_window: int = 3
    ) -> None:
        self._directions = frozenset(directions)
        self._window = date_window
        self._is_compared = (period or Period()).has
        self._decisions = Decisions(period or Period(), date_window)
        self._named = NamedRows()
        self._open = OpenItems()  # rows without an id, and what may belong to them
        self._interest: Interest | None = None
        self._unclaimed: Facts = []  # by no single row, but maybe by a payout

    def add_row(self, row: LedgerRow) -> None:
        """Add a row of the ledger, whose place must be unique."""
        if row.direction not in self._directions:
            self._decisions.set_aside(row)
        elif row.payment_id is not None:
            self._named.add(row)
        else:
            self._open.add_row(row)

    def add_agreed(self, totals: Iterable[AgreedTotal]) -> None:
        """Add pairs that agree, whose rows and payments must not be added."""
        for total in totals:
            self._decisions.agreed(total)

    def add_payment(self, payment: PaymentFact) -> None:
        """Add a payment of one of the directions, which must not be added twice."""
        self.add_payments([payment])

    def add_payments(self, payments: Sequence[PaymentFact]) -> None:
        """Add several payments, which is faster than one by one."""
        if self._interest is None:
            self._interest = Interest(self._open.rows)
        named = self._named.take(payments)
        for payment in payments:
            if named and (rows := named.get(key_of(payment))):
                self._settle_named(rows, payment)
            elif self._interest.has(payment):
                self._open.add_payment(payment)
            elif self._interest.has_payouts and payment.is_paid:
                self._unclaimed.append(payment)
            else:
                self._decisions.lonely_payment(payment)

    def finish(self) -> MatchResult:
        """Settles what is left; nothing may be added any more."""
        for rows in self._named.rest():
            original, *others = sorted_rows(rows)
            self._decisions.lonely_row(original)
            self._decisions.repeated((row, original) for row in others)
        self._match_by_invoice()
        self._match_by_description()
        self._match_by_amount()
        for payment in self._unclaimed:
            self._open.add_payment(payment)
        self._match_payouts()
        for row in self._open.rows:
            self._decisions.lonely_row(row)
        for payment in self._open.payments:
            self._decisions.lonely_payment(payment)
        return MatchResult(
            differences=self._decisions.differences(),
            evidence=self._decisions.evidence,
            payouts=tuple(sorted(self._decisions.payouts, key=lambda each: each.row.place)),
            ledger=self._decisions.ledger,
            paywint=self._decisions.paywint,
        )

    def _settle_named(self, rows: Rows, payment: PaymentFact) -> None:
        """Match a payment to the row that names it; of several rows, the one that agrees best."""
        if len(rows) == 1:
            self._decisions.pair(rows[0], payment, Evidence.ID)
            return
        original, *others = sorted(
            sorted_rows(rows),
            key=lambda row: (row.status != payment.status, row.amount != payment.amount),
        )
        self._decisions.pair(original, payment, Evidence.ID)
        self._decisions.repeated((row, original) for row in others)

    def _match_by_invoice(self) -> None:
        for group in invoice_groups(self._open.rows, self._open.payments):
            for rows, payments, is_paid in self._in_turn(*group):
                left = self._match_by_amounts(rows, payments, Evidence.INVOICE)
                found = [assign(*each, window=None, content=booked) for each in by_amount(*left)]
                left = self._take(found, Evidence.INVOICE)
                found = [assign(*left, window=None, content=booked)]
                self._take(found, Evidence.INVOICE, tells_ambiguous=is_paid)
            self._settle_booked_again(group[0])

    def _match_by_description(self) -> None:
        for group in description_groups(self._open.rows, self._open.payments):
            for rows, payments, is_paid in self._in_turn(*group):
                left = self._match_by_amounts(
                    rows, payments, Evidence.DESCRIPTION, days_decide=is_paid
                )
                self._take([assign(*left, window=self._window)], Evidence.DESCRIPTION)
            for rows, payments, is_paid in self._in_turn(*group):
                undated = [row for row in self._open.rows_of(rows) if row.day is None]
                alike = by_amount(undated, self._open.payments_of(payments))
                found = [assign(*each, window=None) for each in alike]
                self._take(found, Evidence.DESCRIPTION, tells_ambiguous=is_paid)

    def _match_by_amount(self) -> None:
        for row_is_paid, payment_is_paid in ((True, True), (True, False), (False, True)):
            rows = [row for row in self._open.rows if row.is_paid is row_is_paid]
            payments = [each for each in self._open.payments if each.is_paid is payment_is_paid]
            both = row_is_paid and payment_is_paid
            found = self._assigned_by_amounts(rows, payments, days_decide=both)
            self._take(found, Evidence.AMOUNT_AND_DATE, tells_ambiguous=both)

    def _match_payouts(self) -> None:
        rows = sorted_rows(self._open.rows)
        for payout in find_payouts(rows, sorted_payments(self._open.payments)):
            self._open.remove([payout.row], payout.payments)
            self._decisions.payout(payout)

    def _in_turn(self, rows: Rows, payments: Facts) -> Iterator[tuple[Rows, Facts, bool]]:
        """Yield the items that are paid on both sides, then all items that are still open."""
        yield (
            [row for row in rows if row.is_paid],
            [each for each in payments if each.is_paid],
            True,
        )
        yield self._open.rows_of(rows), self._open.payments_of(payments), False

    def _match_by_amounts(
        self, rows: Rows, payments: Facts, evidence: Evidence, *, days_decide: bool = False
    ) -> tuple[Rows, Facts]:
        found = self._assigned_by_amounts(rows, payments, days_decide=days_decide)
        return self._take(found, evidence)

    def _assigned_by_amounts(
        self, rows: Rows, payments: Facts, *, days_decide: bool
    ) -> list[Assignment]:
        is_compared = self._is_compared if days_decide else None
        return [
            assign(*each, window=self._window, is_compared=is_compared)
            for each in by_amount(rows, payments)
        ]

    def _take(
        self, found: Iterable[Assignment], evidence: Evidence, *, tells_ambiguous: bool = False
    ) -> tuple[Rows, Facts]:
        """Record the assignments; return the rows and payments that are left."""
        left_rows: Rows = []
        left_payments: Facts = []
        for each in found:
            for row, payment in each.pairs:
                self._open.remove([row], [payment])
                self._decisions.pair(row, payment, evidence)
            for row, payment in each.by_day:
                self._open.remove([row], [payment])
                self._decisions.pair(row, payment, _BY_DAY.get(evidence, evidence))
            self._open.remove([row for row, _ in each.repeated])
            self._decisions.repeated(each.repeated)
            left_rows += each.rows
            left_payments += each.payments
            for rows, payments in each.ambiguous:
                if tells_ambiguous:
                    self._open.remove(rows, payments)
                    self._decisions.ambiguous(rows, payments, evidence)
                else:
                    left_rows += rows
                    left_payments += payments
        return left_rows, left_payments

    def _settle_booked_again(self, rows: Rows) -> None:
        """Record the rows of an invoice that repeat a matched row on another day."""
        left = self._open.rows_of(rows)
        settled = {booked(row): row for row in rows if not self._open.has_row(row)}
        again = [(row, settled[booked(row)]) for row in sorted_rows(left) if booked(row) in settled]
        self._open.remove([row for row, _ in again])
        self._decisions.repeated(again)
