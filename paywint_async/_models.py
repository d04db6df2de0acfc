"""The API's records and enums, as frozen values. Knows nothing of JSON, HTTP or asyncio.

Field names are the API's own. Source of each field: the published Payment API. Assumed: which fields may
be null (all but ``payment_id``, ``amount``, ``status`` and ``created_at``).
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
    """A string enum that keeps unknown values, since the API may add some at any time.

    An unknown value becomes an instance of the enum that compares, hashes, prints and pickles as its
    string, and is not listed when the enum is iterated.
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
    """The status of a payment. Source: published list; unknown values are kept."""

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
        """Whether the payment has ended (a retry is a new payment).

        A `success` may be refunded later, in whole or in part; webhooks report that.
        """
        return self in FINAL_STATUSES


# The last two are assumed: the status of a refunded payment is not published. It may stay `success`.
FINAL_STATUSES = frozenset(
    {"success", "failed", "rejected", "expired", "retried", "refunded", "partially_refunded"}
)


class WebhookEventName(OpenEnum):
    """The name of a webhook event; unknown names, such as ``kyc.approved``, are kept.

    The published list has ``payment.refunded`` for a refund, its published example ``payment.refund``.

    Source: eight names of the developer site, four more of the platform site.
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
    """A method of paying or receiving. Source: the published examples; unknown values are kept."""

    WALLET = "WALLET"
    CARD = "CARD"
    ACH = "ACH"
    PW_BANK = "PW_BANK"
    RTP = "RTP"
    FEDNOW = "FEDNOW"


class Direction(StrEnum):
    """The direction of payments: sent by this account, or received by it."""

    SENT = "sent"
    RECEIVED = "received"


@attrs.frozen(kw_only=True)
class PaymentLink(Record):
    """A new pending payment, and the URL at which it can be paid."""

    payment_id: UUID
    payment_link: str


@attrs.frozen(kw_only=True)
class CheckoutToken(Record):
    """A short-lived token for the inline checkout."""

    checkout_token: str
    expires_at: AwareDatetime


@attrs.frozen(kw_only=True)
class Payment(Record):
    """One payment. ``amount`` is exact, in US dollars; times have a time zone."""

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

    ``total_records`` is the number of payments in the list at the time of the answer, and
    ``query_generated_time`` is that time in Unix seconds (None if the API did not say).
    """

    records: tuple[Payment, ...]
    total_records: int
    query_generated_time: float | None = None
    page_no: int
    rows_per_page: int


@attrs.frozen(kw_only=True)
class HistoryEntry(Record):
    """A payment with its direction; a payment to oneself appears once in each direction."""

    direction: Direction
    payment: Payment
