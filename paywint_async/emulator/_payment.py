"""One payment in exact units. Knows no JSON."""

import attrs


@attrs.frozen(kw_only=True)
class EmulatedPayment:
    """A payment; the fields are the API's, but times are Unix microseconds.

    `amount` is text with the digits that are sent. The API does not show `invoice_number`,
    `refunded_cents` (the refunded amount) and `refunds` (the number of refunds, including those of
    fees).
    """

    payment_id: str
    payer_id: str | None
    payer_name: str | None
    payee_id: str | None
    payee_name: str | None
    amount: str
    description: str | None
    payment_method: str | None
    receiving_method: str | None
    created_at_us: int
    payment_date_us: int | None
    status: str
    failure_reason: str | None
    invoice_number: str | None = None
    refunded_cents: int = 0
    refunds: int = 0
