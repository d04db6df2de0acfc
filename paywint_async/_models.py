"""The API's records and enums, as frozen values. Knows nothing of JSON, HTTP or asyncio.

Field names are the API's own. Source of each field: the published Payment API; only which fields may
be null is assumed (``payment_id``, ``amount``, ``status`` and ``created_at`` never are).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

import attrs
import msgspec

from paywint_async._record_json import Record

AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]


class OpenEnum(StrEnum):
    """A string enum that keeps values it does not know, since the API may add some any day.

    An unknown value becomes a member-like instance: it compares, hashes, prints and pickles as its
    string, is an instance of the enum, and is not listed when the enum is iterated.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown


class PaymentStatus(OpenEnum):
    """Where a payment stands. Source: published list; unknown values are kept."""

    INITIATED = "initiated"
    OPENED = "opened"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    RETRIED = "retried"
    PENDING = "pending"

    @property
    def is_final(self) -> bool:
        """True once the payment has ended (a retry is a new payment).

        What is `success` may be refunded later, in parts too; webhooks tell of that.
        """
        return self in FINAL_STATUSES


# The last two are assumed: what a refunded payment's status is, nobody published. It may stay `success`.
FINAL_STATUSES = frozenset(
    {"success", "failed", "rejected", "expired", "retried", "refunded", "partially_refunded"}
)


class WebhookEventName(OpenEnum):
    """What a webhook tells of a payment; unknown names, such as ``kyc.approved``, are kept.

    A refund is listed as ``payment.refunded``, and its published example says ``payment.refund``.

    Source: the eight of the developer site, four more of the platform site.
    """

    INITIATED = "payment.initiated"
    OPENED = "payment.opened"
    PROCESSING = "payment.processing"
    SUCCESS = "payment.success"
    FAILED = "payment.failed"
    REJECTED = "payment.rejected"
    RETRIED = "payment.retried"
    EXPIRED = "payment.expired"
    SETTLING = "payment.settling"
    REFUNDED = "payment.refunded"
    REFUND = "payment.refund"
    FEE_REFUNDED = "payment.fee_refunded"


class PaymentMethod(OpenEnum):
    """How money is paid or received. Source: values seen in the published examples; open."""

    WALLET = "WALLET"
    CARD = "CARD"
    ACH = "ACH"
    PW_BANK = "PW_BANK"
    RTP = "RTP"
    FEDNOW = "FEDNOW"


class Direction(StrEnum):
    """Which of the two lists: payments sent by this account, or received by it."""

    SENT = "sent"
    RECEIVED = "received"


@attrs.frozen(kw_only=True)
class PaymentLink(Record):
    """A new pending payment and the address at which it can be paid."""

    payment_id: UUID
    payment_link: str


@attrs.frozen(kw_only=True)
class CheckoutToken(Record):
    """A short-lived token for the inline checkout."""

    checkout_token: str
    expires_at: AwareDatetime


@attrs.frozen(kw_only=True)
class Payment(Record):
    """One payment, as the API tells it. ``amount`` is in US dollars, exact; times have a zone."""

    payment_id: UUID
    payer_id: UUID | None = None
    payer_name: str | None = None
    payee_id: UUID | None = None
    payee_name: str | None = None
    amount: Decimal
    currency: str | None = None
    description: str | None = None
    payment_method: PaymentMethod | None = None
    receiving_method: PaymentMethod | None = None
    created_at: AwareDatetime
    payment_date: AwareDatetime | None = None
    status: PaymentStatus
    failure_reason: str | None = None


@attrs.frozen(kw_only=True)
class PaymentPage(Record):
    """One page of a list, numbered from 1.

    ``total_records`` counts all payments of the list at the moment of the answer, and
    ``query_generated_time`` is that moment in Unix seconds (None where the API did not say).
    """

    records: tuple[Payment, ...]
    total_records: int
    query_generated_time: float | None = None
    page_no: int
    rows_per_page: int


@attrs.frozen(kw_only=True)
class HistoryEntry(Record):
    """A payment and the list it came from: a payment to oneself appears once in each direction."""

    direction: Direction
    payment: Payment
