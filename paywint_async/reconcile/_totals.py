"""Counts and exact sums of both sides, by direction, outcome and status: nothing is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Context, Decimal, Inexact
from functools import reduce
from typing import NamedTuple

import attrs

from paywint_async.reconcile._errors import ReconcileError
from paywint_async.reconcile._records import PAID, LedgerRow, MatchOutcome, PaymentFact

# Wide enough for any sum of real money; where it is not, that is told and not rounded.
_EXACTLY = Context(prec=400, traps=[Inexact])


def add(one: Decimal, other: Decimal) -> Decimal:
    """The exact sum.

    Raises:
        ReconcileError: it has more than 400 digits.
    """
    try:
        return _EXACTLY.add(one, other)
    except Inexact:
        raise ReconcileError("the amounts cannot be added exactly: one has 400 digits") from None


def subtract(one: Decimal, other: Decimal) -> Decimal:
    """The exact difference; raises as `add`."""
    return add(one, other.copy_negate())


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of many; raises as `add`."""
    return reduce(add, amounts, Decimal(0))


@attrs.define
class Sum:
    """How many, and how much."""

    count: int = 0
    amount: Decimal = Decimal(0)

    def take(self, amount: Decimal, count: int = 1) -> None:
        """Adds so many, of that amount in all."""
        self.count += count
        self.amount = add(self.amount, amount)


class Cell(NamedTuple):
    """The part of a side that has these three in common."""

    direction: str
    outcome: MatchOutcome
    status: str


class Side:
    """One side of the comparison: every row of the ledger, or every payment that was read."""

    def __init__(self) -> None:
        self._cells: defaultdict[Cell, Sum] = defaultdict(Sum)
        self._fees: defaultdict[str, Sum] = defaultdict(Sum)

    def take(self, item: LedgerRow | PaymentFact, outcome: MatchOutcome) -> None:
        """Counts an item, once."""
        cell = Cell(item.direction, outcome, item.status)
        self._cells[cell].take(item.amount)
        is_counted = item.is_paid and outcome not in _NOT_COMPARED
        if is_counted and isinstance(item, LedgerRow) and item.fee:
            self._fees[item.direction].take(item.fee)

    def fees(self, direction: str) -> Sum:
        """What was taken off the paid amounts of a direction, and is in the sums again."""
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
        """All that has these in common; None: whatever."""
        total = Sum()
        for cell, part in self._cells.items():
            asked = ((direction, cell.direction), (outcome, cell.outcome), (status, cell.status))
            if all(wanted in (None, found) for wanted, found in asked):
                total.take(part.amount, part.count)
        return total

    def paid(self, direction: str) -> Sum:
        """The money that moved in the period, by this side's account."""
        total = Sum()
        for outcome in MatchOutcome:
            if outcome not in _NOT_COMPARED:
                part = self.sum(direction=direction, outcome=outcome, status=PAID)
                total.take(part.amount, part.count)
        return total


_NOT_COMPARED = {MatchOutcome.OTHER_DIRECTION, MatchOutcome.OUTSIDE_PERIOD}


@attrs.frozen(kw_only=True)
class Step:
    """A step from the ledger's sum to Paywint's: what is paid of an outcome on each side."""

    outcome: MatchOutcome
    ledger: Sum
    paywint: Sum

    @property
    def amount(self) -> Decimal:
        """By how much it brings the ledger's sum nearer to Paywint's."""
        return subtract(self.paywint.amount, self.ledger.amount)


@attrs.frozen(kw_only=True)
class Statement:
    """How the ledger's money becomes Paywint's, in one direction: the steps add up exactly."""

    direction: str
    ledger: Sum
    paywint: Sum
    steps: tuple[Step, ...]

    @property
    def difference(self) -> Decimal:
        """What Paywint has more; the sum of all steps."""
        return subtract(self.paywint.amount, self.ledger.amount)


def statement(direction: str, ledger: Side, paywint: Side) -> Statement:
    """The reconciliation of a direction; steps at which nothing is paid are left out."""
    steps = []
    for outcome in MatchOutcome:
        step = Step(
            outcome=outcome,
            ledger=ledger.sum(direction=direction, outcome=outcome, status=PAID),
            paywint=paywint.sum(direction=direction, outcome=outcome, status=PAID),
        )
        if outcome not in _NOT_COMPARED and (step.ledger.count or step.paywint.count):
            steps.append(step)
    paid = ledger.paid(direction)
    if (fees := ledger.fees(direction)).count:
        off = Sum(amount=fees.amount.copy_negate())
        steps.append(Step(outcome=MatchOutcome.FEES, ledger=off, paywint=Sum()))
        paid.take(off.amount, count=0)
    return Statement(
        direction=direction,
        ledger=paid,
        paywint=paywint.paid(direction),
        steps=tuple(steps),
    )
