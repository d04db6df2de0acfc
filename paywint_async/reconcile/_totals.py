"""Counts and exact sums of all rows and payments, by direction, outcome and status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal, Inexact, localcontext
from typing import NamedTuple

import attrs

from paywint_async.reconcile._errors import ReconcileError
from paywint_async.reconcile._records import PAID, LedgerRow, MatchOutcome, PaymentFact

# Wide enough for any sum of real money; a wider sum is an error, never rounded.
EXACTLY = Context(prec=400, traps=[Inexact])


def add(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact sum of two amounts.

    Raises:
        ReconcileError: the sum has more than 400 digits.
    """
    try:
        return EXACTLY.add(one, other)
    except Inexact:
        raise _cannot_add() from None


def _cannot_add() -> ReconcileError:
    return ReconcileError("the amounts cannot be added exactly: one has 400 digits")


def subtract(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact difference; raises as `add`."""
    return add(one, other.copy_negate())


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of amounts; raises as `add`."""
    try:
        with localcontext(EXACTLY):
            return sum(amounts, Decimal(0))
    except Inexact:
        raise _cannot_add() from None


@attrs.define
class Sum:
    """A count and a sum."""

    count: int = 0
    amount: Decimal = Decimal(0)

    def take(self, amount: Decimal, count: int = 1) -> None:
        """Add an amount, which is the sum of `count` items."""
        self.count += count
        self.amount = add(self.amount, amount)

    def take_all(self, amounts: Sequence[Decimal]) -> None:
        """Add the amounts of several items."""
        self.take(sum_of(amounts), len(amounts))


class Cell(NamedTuple):
    """The key of one total: direction, outcome and status."""

    direction: str
    outcome: MatchOutcome
    status: str


class SideTotals:
    """The totals of one side: of all rows of the ledger, or of all payments that were read."""

    def __init__(self) -> None:
        self._cells: defaultdict[Cell, Sum] = defaultdict(Sum)
        self._fees: defaultdict[str, Sum] = defaultdict(Sum)

    def take(self, item: LedgerRow | PaymentFact, outcome: MatchOutcome) -> None:
        """Count an item, which must not be counted twice."""
        cell = Cell(item.direction, outcome, item.status)
        self._cells[cell].take(item.amount)
        is_counted = item.is_paid and outcome not in _NOT_COMPARED
        if is_counted and isinstance(item, LedgerRow) and item.fee:
            self._fees[item.direction].take(item.fee)

    def take_total(self, direction: str, outcome: MatchOutcome, status: str, total: Sum) -> None:
        """Count several items without fees."""
        self._cells[Cell(direction, outcome, status)].take(total.amount, total.count)

    def fees(self, direction: str) -> Sum:
        """Return the fees that were deducted from a direction's paid amounts; the sums include them."""
        return self._fees[direction]

    def __iter__(self) -> Iterator[tuple[Cell, Sum]]:
        order = list(MatchOutcome)
        return iter(
            sorted(
                self._cells.items(),
                key=lambda each: (
                    each[0].direction,
                    order.index(each[0].outcome),
                    each[0].status,
                ),
            )
        )

    def sum(
        self,
        *,
        direction: str | None = None,
        outcome: MatchOutcome | None = None,
        status: str | None = None,
    ) -> Sum:
        """Return the total of all items with these properties; None: any."""
        total = Sum()
        for cell, part in self._cells.items():
            asked = ((direction, cell.direction), (outcome, cell.outcome), (status, cell.status))
            if all(wanted in (None, found) for wanted, found in asked):
                total.take(part.amount, part.count)
        return total

    def paid(self, direction: str) -> Sum:
        """Return the total that is paid in the period according to this side."""
        total = Sum()
        for outcome in MatchOutcome:
            if outcome not in _NOT_COMPARED:
                part = self.sum(direction=direction, outcome=outcome, status=PAID)
                total.take(part.amount, part.count)
        return total


_NOT_COMPARED = {MatchOutcome.OTHER_DIRECTION, MatchOutcome.OUTSIDE_PERIOD}


@attrs.frozen(kw_only=True)
class ReconciliationStep:
    """A step from the ledger's sum to Paywint's: the paid totals of one outcome on both sides."""

    outcome: MatchOutcome
    ledger: Sum
    paywint: Sum

    @property
    def amount(self) -> Decimal:
        """Paywint's amount minus the ledger's."""
        return subtract(self.paywint.amount, self.ledger.amount)


@attrs.frozen(kw_only=True)
class Statement:
    """The steps from the ledger's paid sum to Paywint's in one direction; they add up exactly."""

    direction: str
    ledger: Sum
    paywint: Sum
    steps: tuple[ReconciliationStep, ...]

    @property
    def difference(self) -> Decimal:
        """Paywint's sum minus the ledger's, which is the sum of all steps."""
        return subtract(self.paywint.amount, self.ledger.amount)


def statement(direction: str, ledger: SideTotals, paywint: SideTotals) -> Statement:
    """Make the statement of a direction; steps without paid items are left out."""
    steps = []
    for outcome in MatchOutcome:
        step = ReconciliationStep(
            outcome=outcome,
            ledger=ledger.sum(direction=direction, outcome=outcome, status=PAID),
            paywint=paywint.sum(direction=direction, outcome=outcome, status=PAID),
        )
        if outcome not in _NOT_COMPARED and (step.ledger.count or step.paywint.count):
            steps.append(step)
    paid = ledger.paid(direction)
    if (fees := ledger.fees(direction)).count:
        off = Sum(amount=fees.amount.copy_negate())
        steps.append(ReconciliationStep(outcome=MatchOutcome.FEES, ledger=off, paywint=Sum()))
        paid.take(off.amount, count=0)
    return Statement(
        direction=direction,
        ledger=paid,
        paywint=paywint.paid(direction),
        steps=tuple(steps),
    )
