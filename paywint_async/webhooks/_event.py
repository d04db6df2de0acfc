"""A webhook's event as an immutable value, and its confirmation by Get Payment."""

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
        id: of the event, unchanged. Repeated deliveries have the same id, but also all refunds of a
            payment, which have the payment's. See `replay_key`.
        event: its name, such as ``payment.success``; an unpublished name is kept unchanged.
        payment_id: the payment of the event. None if the event has none (``kyc.approved``,
            ``wallet.funding.success``), or if the id is not a UUID; then it is in ``data``.
        status: of the payment, or of the other object, at the time of the event; a later event may have
            been delivered before. None if the event has no status.
        amount_sent: the unchanged digits of the amount, in an unknown unit: Paywint's pages contradict
            each other. None if it is not a number; ``"$5.00"`` is not, and is in ``data``.
        amount: in US dollars, exact. None if the unit was not given (``amounts=``) and the digits do not
            show it, or if they contradict the given unit. Of ``payment.refunded`` it is the refunded
            amount, of ``payment.fee_refunded`` the fee.
        event_generated_time: the time of the event.
        failed_reason: of ``payment.failed``.
        retry_payment_id: of ``payment.retried``: the new payment that replaces this one.
        refund_transaction_id: of refunds; each partial refund has its own.
        data: the complete data of the event, immutable: numbers are int or `Decimal`, lists are tuples.
            The repr omits it, since it may contain personal data.
        is_verified: whether a verifier has accepted it. If not, anyone may have forged it: trust only
            the result of `confirm`.

    Source: published, except ``amount_sent`` and ``is_verified``, which the SDK adds.
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
        """The same text for all deliveries of this event, and only for them: a JSON array in ASCII.

        It has the event's name, its id and the refund's id, if there is one. It may be as long as a
        delivery (64 KiB), so hash it for a shorter column.
        """
        refund = self.refund_transaction_id
        parts = [self.event, self.id] if refund is None else [self.event, self.id, refund]
        return json.dumps(parts)

    async def confirm(self, client: PaywintClient) -> Payment:
        """Requests the payment (Get Payment), and returns its current state; uses only the event's id.

        Raises:
            InvalidRequestError: the event has no payment, or the payment's id is not a UUID.
            NotFoundError: there is no such payment in this account: the event is forged.
            APIError, TransportError, ResponseDecodeError, ClientClosedError: as `Payments.get`.

        Cancellation: as `Payments.get`.
        """
        if self.payment_id is None:
            raise InvalidRequestError(
                "payment_id", f"the event {str(self.event)[:40]!r} has none that can be asked for"
            )
        return await client.payments.get(self.payment_id)
