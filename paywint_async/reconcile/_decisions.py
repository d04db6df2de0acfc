"""Records the outcome of each row and payment in the totals, and the differences. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from paywint_async import PaymentStatus
from paywint_async.reconcile._agreement import AgreedTotal
from paywint_async.reconcile._explanation import (
    explain_ambiguous,
    explain_missing_at_paywint,
    explain_missing_in_ledger,
    explain_pair,
    explain_repeated,
)
from paywint_async.reconcile._payouts import Payout
from paywint_async.reconcile._records import (
    PAID,
    Difference,
    Evidence,
    Kind,
    LedgerRow,
    MatchOutcome,
    PaymentFact,
    Period,
)
from paywint_async.reconcile._totals import SideTotals

_KNOWN = frozenset(PaymentStatus)
_ORDER = {kind: number for number, kind in enumerate(Kind)}


class Decisions:
    """The totals of both sides, and the differences so far; ``evidence`` counts the matches by kind.

    Args:
        period: nothing outside it is a difference; a pair is inside if either of its two parts is.
        date_window: in days, for the explanations.
    """

    def __init__(self, period: Period, date_window: int) -> None:
        self.ledger, self.paywint = SideTotals(), SideTotals()
        self._period = period
        self._window = date_window
        self._differences: list[Difference] = []
        self.evidence: Counter[Evidence] = Counter()
        self.payouts: list[Payout] = []

    def differences(self) -> tuple[Difference, ...]:
        """Return all differences, the most serious kind first, each kind sorted by day."""
        return tuple(sorted(self._differences, key=_rank))

    def set_aside(self, row: LedgerRow) -> None:
        """Record a row of a direction that is not compared."""
        self.ledger.take(row, MatchOutcome.OTHER_DIRECTION)

    def pair(self, row: LedgerRow, payment: PaymentFact, evidence: Evidence) -> None:
        """Record a row and the payment that it matches."""
        kinds = []
        if _disagree(row.status, payment.status):
            kinds.append(Kind.STATUS)
        if row.amount != payment.amount:
            kinds.append(Kind.AMOUNT)
        outcome = MatchOutcome(kinds[0]) if kinds else MatchOutcome.AGREED
        is_inside = self._count([row], [payment], outcome)
        self.evidence[evidence] += is_inside
        for kind in kinds if is_inside else ():
            self._tell(kind, explain_pair(kind, row, payment), [row], [payment], evidence)

    def agreed(self, total: AgreedTotal) -> None:
        """Record pairs that agree, which are matched by id."""
        rows, outside = total.rows, MatchOutcome.OUTSIDE_PERIOD
        for side, is_inside, part in (
            (self.ledger, rows.is_inside, total.ledger),
            (self.paywint, total.is_inside, total.paywint),
        ):
            outcome = MatchOutcome.AGREED if is_inside else outside
            side.take_total(rows.direction, outcome, rows.status, part)
        is_any_inside = rows.is_inside or total.is_inside
        self.evidence[Evidence.ID] += total.ledger.count if is_any_inside else 0

    def payout(self, payout: Payout) -> None:
        """Record a row and the payments whose sum it is."""
        if self._count([payout.row], payout.payments, MatchOutcome.AGREED):
            self.evidence[Evidence.PAYOUT] += 1
            self.payouts.append(payout)

    def lonely_row(self, row: LedgerRow) -> None:
        """Record a row without a payment; a row that is not paid and has no payment's id needs none."""
        if not row.is_paid and row.payment_id is None:
            self._count([row], [], MatchOutcome.NOT_PAID)
        elif self._count([row], [], MatchOutcome.MISSING_AT_PAYWINT):
            explanation = explain_missing_at_paywint(row, self._window)
            self._tell(Kind.MISSING_AT_PAYWINT, explanation, [row])

    def lonely_payment(self, payment: PaymentFact) -> None:
        """Record a payment without a row; a payment that is not paid needs none."""
        if not payment.is_paid:
            self._count([], [payment], MatchOutcome.NOT_PAID)
        elif self._count([], [payment], MatchOutcome.MISSING_IN_LEDGER):
            explanation = explain_missing_in_ledger(payment)
            self._tell(Kind.MISSING_IN_LEDGER, explanation, [], [payment])

    def repeated(self, rows: Iterable[tuple[LedgerRow, LedgerRow]]) -> None:
        """Record superfluous rows, each with the row that it repeats."""
        for row, original in rows:
            if self._count([row], [], MatchOutcome.DUPLICATE):
                self._tell(Kind.DUPLICATE, explain_repeated(row), [row, original])

    def ambiguous(
        self, rows: Sequence[LedgerRow], payments: Sequence[PaymentFact], evidence: Evidence
    ) -> None:
        """Record rows and payments that fit each other in more than one way."""
        if self._count(rows, payments, MatchOutcome.AMBIGUOUS):
            explanation = explain_ambiguous(rows, payments, evidence)
            self._tell(Kind.AMBIGUOUS, explanation, rows, payments, evidence)

    def _count(
        self, rows: Sequence[LedgerRow], payments: Sequence[PaymentFact], outcome: MatchOutcome
    ) -> bool:
        """Count rows and payments; return whether any is inside the period."""
        is_any_inside = False
        for side, items in ((self.ledger, rows), (self.paywint, payments)):
            for item in items:
                is_inside = self._period.has(item.day)
                side.take(item, outcome if is_inside else MatchOutcome.OUTSIDE_PERIOD)
                is_any_inside |= is_inside
        return is_any_inside

    def _tell(
        self,
        kind: Kind,
        explanation: str,
        rows: Sequence[LedgerRow],
        payments: Sequence[PaymentFact] = (),
        evidence: Evidence | None = None,
    ) -> None:
        self._differences.append(
            Difference(
                kind=kind,
                rows=tuple(rows),
                payments=tuple(payments),
                evidence=evidence,
                explanation=explanation,
            )
        )


def _disagree(ledger: str, paywint: str) -> bool:
    """Return whether statuses differ; an unknown word of the ledger only means that it is not paid."""
    if ledger == paywint:
        return False
    return PAID in (ledger, paywint) or ledger in _KNOWN


def _rank(difference: Difference) -> tuple[object, ...]:
    day = difference.rows[0].day if difference.rows else difference.payments[0].day
    places = [row.place for row in difference.rows]
    ids = [payment.payment_id for payment in difference.payments]
    return _ORDER[difference.kind], difference.direction, str(day or ""), places, ids
