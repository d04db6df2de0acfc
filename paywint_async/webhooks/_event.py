"""A webhook's event as a frozen value, and its confirmation by Get Payment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from paywint_async import (
    InvalidRequestError,
    Payment,
    PaymentStatus,
    PaywintClient,
    WebhookEventName,
)


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """The content of one delivery, mostly about a payment; field names are the API's own.

    Attributes:
        id: of the event, in whatever form it came. A repeated delivery has the same, but so has each
            refund of a payment: it is the payment's. See `replay_key`.
        event: such as ``payment.success``; a name nobody has published yet is kept as it came.
        payment_id: the payment it is about. None where it is about none (``kyc.approved``,
            ``wallet.funding.success``), or its id is no UUID, which is in ``data`` then.
        status: of the payment, or of what else the event is about, when it was made; later events may
            have overtaken this one. None where the event says none.
        amount_sent: the digits of the amount as they came, in an unknown unit: Paywint's pages say both
            cents and dollars. None where there was no number; ``"$5.00"`` is none, and is in ``data``.
        amount: in US dollars, exact. None where the unit was not told (``amounts=``) and the digits do
            not show it, and where they contradict what was told. Of ``payment.refunded`` it is what was
            refunded, of ``payment.fee_refunded`` the fee.
        event_generated_time: when the event was made.
        failed_reason: on ``payment.failed``.
        retry_payment_id: on ``payment.retried`` the new payment that takes this one's place.
        refund_transaction_id: on refunds; a payment may be refunded in parts, each with its own.
        data: everything the event says, frozen: numbers are int or `Decimal`, lists are tuples. It may
            hold personal data, so the repr leaves it out.
        is_verified: a verifier has vouched for it. Where this is False anybody may have made it up:
            believe nothing but what `confirm` returns.

    Source: published, but for ``amount_sent`` and ``is_verified``, which are ours.
    """

    id: str
    event: WebhookEventName
    payment_id: UUID | None
    status: PaymentStatus | None
    amount_sent: str | None = None
    amount: Decimal | None = None
    event_generated_time: datetime
    failed_reason: str | None = None
    retry_payment_id: UUID | None = None
    refund_transaction_id: str | None = None
    data: Mapping[str, Any] = attrs.field(repr=False)
    is_verified: bool = False

    @property
    def replay_key(self) -> str:
        """The text that repeats of an event share, and no other event has: a JSON array, ASCII only.

        Of the event's name, its id and, where there is one, the refund's. As long as a delivery at most
        (64 KiB), so hash it for a column that is shorter.
        """
        refund = self.refund_transaction_id
        parts = [self.event, self.id] if refund is None else [self.event, self.id, refund]
        return json.dumps(parts)

    async def confirm(self, client: PaywintClient) -> Payment:
        """The payment as it is now, by Get Payment; nothing of the event is believed but its id.

        Raises:
            InvalidRequestError: the event is of no payment, or the payment's id is no UUID.
            NotFoundError: there is no such payment in this account: the event is forged.
            APIError, TransportError, ResponseDecodeError, ClientClosedError: as `Payments.get`.

        Cancellation: as `Payments.get`.
        """
        if self.payment_id is None:
            raise InvalidRequestError(
                "payment_id", f"the event {str(self.event)[:40]!r} has none that can be asked for"
            )
        return await client.payments.get(self.payment_id)
