"""What a webhook says, as a frozen value, and the one way to believe it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import attrs

from paywint_async import Payment, PaymentStatus, PaywintClient, WebhookEventName


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """One change of a payment, as a delivery tells it; field names are the API's own.

    Attributes:
        id: of the delivery; a repeated delivery has the same.
        event: such as ``payment.success``; a name nobody has published yet is kept as it came.
        payment_id: the payment it is about.
        status: the payment's, when the event was made; later events may have overtaken this one.
        amount: in US dollars, exact, as everywhere in the SDK. (The webhook says cents.)
        event_generated_time: when the event was made.
        failed_reason: on ``payment.failed``.
        retry_payment_id: on ``payment.retried`` the new payment that takes this one's place.
        is_verified: a verifier has vouched for it. Where this is False anybody may have made it up:
            believe nothing but what `confirm` returns.

    Source: published, but for ``is_verified``, which is ours.
    """

    id: UUID
    event: WebhookEventName
    payment_id: UUID
    status: PaymentStatus
    amount: Decimal
    event_generated_time: datetime
    failed_reason: str | None = None
    retry_payment_id: UUID | None = None
    is_verified: bool = False

    async def confirm(self, client: PaywintClient) -> Payment:
        """The payment as it is now, by Get Payment; nothing of the event is believed but its id.

        Raises:
            NotFoundError: there is no such payment in this account: the event is made up.
            APIError, TransportError: as `Payments.get`.
        """
        return await client.payments.get(self.payment_id)
