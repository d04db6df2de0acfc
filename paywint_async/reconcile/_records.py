"""The inputs and results of a comparison as plain values. Knows no files and no matching."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import attrs

PAID = "success"  # the only status of a payment whose money has moved


class Kind(StrEnum):
    """Kinds of differences, the most serious first, which is also the order in reports."""

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
    """Kinds of evidence by which a row and a payment are matched, the most certain first."""

    ID = "id"
    INVOICE = "invoice"
    DESCRIPTION = "description"
    AMOUNT_AND_DATE = "amount_and_date"
    AMOUNT_AND_DAY = "amount_and_day"
    PAYOUT = "payout"

    @property
    def words(self) -> str:
        """As people read it."""
        return _EVIDENCE_WORDS.get(self.value) or self.value.replace("_", " ")


_EVIDENCE_WORDS = {
    "invoice": "invoice number",
    "amount_and_day": "amount day by day",
    "payout": "sum of whole days (payout)",
}


class MatchOutcome(StrEnum):
    """The outcome of a row or payment; each has exactly one.

    ``FEES`` is not the outcome of a row: it is a step of the statement of a ledger that is net of fees.
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
        """As the name of a step of the statement."""
        return _STEP_WORDS.get(self.value) or self.value.replace("_", " ")


_STEP_WORDS = {
    "agreed": "agree",
    "amount": "amounts differ",
    "status": "paid on one side only",
    "duplicate": "twice in the ledger",
    "fees": "fees deducted in the ledger",
    **_KIND_WORDS,
}


@attrs.frozen(kw_only=True)
class LedgerRow:
    """A row of the ledger.

    ``place`` is its line in a text file, else its number. ``status`` is in the API's words; a row
    without a status counts as paid. ``when`` is in the time zone of the comparison. ``amount`` includes
    the ``fee`` that was deducted in the ledger.
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
        """Whether it is paid according to the ledger."""
        return self.status == PAID

    @property
    def day(self) -> date | None:
        """The day of it."""
        return self.when and self.when.date()

    @property
    def content(self) -> tuple[object, ...]:
        """All fields except the place: rows of equal content are interchangeable."""
        return attrs.astuple(self, recurse=False)[1:]


@attrs.frozen(kw_only=True)
class PaymentFact:
    """The fields of a payment that a comparison needs.

    ``when`` is the time of payment, or of creation if it is not paid; ``party`` is the name of the
    payer or payee, ``reason`` the reason of a failure.
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
    """One difference between the books, with its rows and payments.

    A pair has one row and one payment. The ``rows`` of a duplicate are the superfluous one and the one
    that it repeats. An ambiguous difference has all rows and payments that fit each other.
    """

    kind: Kind
    rows: tuple[LedgerRow, ...] = ()
    payments: tuple[PaymentFact, ...] = ()
    evidence: Evidence | None = None
    explanation: str

    @property
    def direction(self) -> str:
        """``sent`` or ``received``, the same for rows and payments."""
        return self.rows[0].direction if self.rows else self.payments[0].direction


@attrs.frozen(kw_only=True)
class Period:
    """The compared days, both ends included; None: no limit on that side."""

    since: date | None = None
    until: date | None = None

    def has(self, day: date | None) -> bool:
        """Return whether the period contains a day; an unknown day (None) only if there are no limits."""
        if day is None:
            return self.is_everything
        return (self.since is None or self.since <= day) and (
            self.until is None or day <= self.until
        )

    @property
    def is_everything(self) -> bool:
        """Whether it has no limits."""
        return self.since is None and self.until is None
