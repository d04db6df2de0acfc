"""What is compared, and what comes of it, as plain values. Knows no files and no matching."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import attrs

PAID = "success"  # the only status of a payment whose money has come


class Kind(StrEnum):
    """What is different, the gravest first: so they are sorted."""

    MISSING_AT_PAYWINT = "missing_at_paywint"
    MISSING_IN_LEDGER = "missing_in_ledger"
    AMOUNT = "amount"
    STATUS = "status"
    DUPLICATE = "duplicate"
    AMBIGUOUS = "ambiguous"

    @property
    def words(self) -> str:
        """As people read it."""
        return _KIND_WORDS.get(self.value, self.value)


_KIND_WORDS = {
    "missing_at_paywint": "missing at Paywint",
    "missing_in_ledger": "missing in the ledger",
}


class Evidence(StrEnum):
    """By what a row and a payment were found to belong together, the most certain first."""

    ID = "id"
    INVOICE = "invoice"
    DESCRIPTION = "description"
    AMOUNT_AND_DATE = "amount_and_date"
    PAYOUT = "payout"

    @property
    def words(self) -> str:
        """As people read it."""
        return _EVIDENCE_WORDS.get(self.value) or self.value.replace("_", " ")


_EVIDENCE_WORDS = {"invoice": "invoice number", "payout": "sum of whole days (payout)"}


class MatchOutcome(StrEnum):
    """What became of each row and of each payment: of these always exactly one.

    ``FEES`` are of no row by itself: what a ledger that is net of them has less.
    """

    AGREED = "agreed"
    AMOUNT = "amount"
    STATUS = "status"
    DUPLICATE = "duplicate"
    AMBIGUOUS = "ambiguous"
    MISSING_AT_PAYWINT = "missing_at_paywint"
    MISSING_IN_LEDGER = "missing_in_ledger"
    NOT_PAID = "not_paid"
    OTHER_DIRECTION = "other_direction"
    OUTSIDE_PERIOD = "outside_period"
    FEES = "fees"

    @property
    def words(self) -> str:
        """As a step from one side's sum to the other's."""
        return _STEP_WORDS.get(self.value) or self.value.replace("_", " ")


_STEP_WORDS = {
    "agreed": "agree",
    "amount": "amounts differ",
    "status": "paid on one side only",
    "duplicate": "twice in the ledger",
    "fees": "fees taken off in the ledger",
    **_KIND_WORDS,
}


@attrs.frozen(kw_only=True)
class LedgerRow:
    """A row of the ledger.

    ``place`` is its line in a CSV file, else its number; ``status`` is in the API's words; a row
    without one claims to be paid. ``when`` is in the zone in which days are counted. ``amount`` is with
    the ``fee`` that the ledger's own amount is without.
    """

    place: int
    direction: str
    amount: Decimal
    payment_id: UUID | None = None
    invoice: str | None = None
    description: str | None = None
    when: datetime | None = None
    status: str = PAID
    fee: Decimal = Decimal(0)

    @property
    def is_paid(self) -> bool:
        """Whether it says that money has moved."""
        return self.status == PAID

    @property
    def day(self) -> date | None:
        """The day of it."""
        return self.when and self.when.date()

    @property
    def content(self) -> tuple[object, ...]:
        """All that it says: rows of the same content are the same to everybody."""
        return attrs.astuple(self, recurse=False)[1:]


@attrs.frozen(kw_only=True)
class PaymentFact:
    """What a comparison needs of a payment.

    ``when`` is when it was paid, else when created; ``party`` is the other side's name, ``reason``
    why it failed.
    """

    payment_id: UUID
    direction: str
    amount: Decimal
    status: str
    when: datetime
    party: str | None = None
    description: str | None = None
    reason: str | None = None

    @property
    def is_paid(self) -> bool:
        """Whether money has moved."""
        return self.status == PAID

    @property
    def day(self) -> date:
        """The day of it."""
        return self.when.date()


@attrs.frozen(kw_only=True)
class Difference:
    """One difference between the books, with all that is needed to look into it.

    A pair has one row and one payment. Of a duplicate ``rows`` are the superfluous one and the one
    that it repeats. Ambiguous are all rows and payments that may belong together.
    """

    kind: Kind
    rows: tuple[LedgerRow, ...] = ()
    payments: tuple[PaymentFact, ...] = ()
    evidence: Evidence | None = None
    explanation: str

    @property
    def direction(self) -> str:
        """``sent`` or ``received``; of both sides the same."""
        return self.rows[0].direction if self.rows else self.payments[0].direction


@attrs.frozen(kw_only=True)
class Period:
    """The days that are compared, both ends included; None: without an end on that side."""

    since: date | None = None
    until: date | None = None

    def has(self, day: date | None) -> bool:
        """Whether a day lies in it; a day that nobody knows does so where there are no ends."""
        if day is None:
            return self.is_everything
        return (self.since is None or self.since <= day) and (
            self.until is None or day <= self.until
        )

    @property
    def is_everything(self) -> bool:
        """Whether it has no ends at all."""
        return self.since is None and self.until is None
