"""One payment as the emulator holds it, in units that lose nothing. It knows no JSON."""

import attrs


@attrs.frozen(kw_only=True)
class EmulatedPayment:
    """A payment's facts; the fields are the API's, save that times are Unix microseconds.

    `amount` is text: the very digits that go on the wire. `invoice_number` is kept for the account,
    the API never shows it. Nor does it show `refunded_cents`, what was paid back, and `refunds`, the
    number of refunds, those of fees counted, too.
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
