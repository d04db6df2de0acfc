"""Every kind of delivery that Paywint's pages show, and what a shop must do for each.

The bodies follow the published examples: ids and amounts in each format shown there (``599``, which
one page calls cents and another dollars, ``"100.00"``, ``150.75``), and the events that only the
platform site lists. `MUST` is the table of ``docs/webhooks.md``.
"""

from __future__ import annotations

from typing import Any

import attrs

MUST = {
    "confirm": "ask Get Payment and store the status",
    "follow": "ask Get Payment; the payment in `retry_payment_id` replaces this one",
    "refund": "ask Get Payment; store the refund once, by its `refund_transaction_id`, and cancel "
    "what it refunds",
    "fee": "nothing: a fee was refunded, not the price",
    "look": "find the payment yourself: the id in `data` is not a UUID",
    "acknowledge": "nothing: the event is not about a payment",
}


@attrs.frozen
class Published:
    """A delivery's body, and `expected` fields of its event without a configured unit."""

    body: str
    must: str
    expected: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.expected['event']} {self.expected['id']}"


def of(event: str, id: str, data: str, must: str, at: str = "1756451608.069325", **expected: Any):
    body = f'{{"event": "{event}", "id": "{id}", "data": {data}, "eventGeneratedTime": {at}}}'
    return Published(body, must, {"event": event, "id": id, **expected})


PAYMENT = "b91a0f36-b10b-4a31-ae12-e8b4c5ee71f4"
OTHER = "5cd7a3c1-4b45-4148-b383-299553699745"
REFUND = "7d3f2f35-5b35-44a4-9e6f-3d8b0f3a8a10"
WHOLE = {"payment_id": PAYMENT, "amount_sent": "599", "amount": None}


def of_status(status: str, id: str, must: str, more: str = "", **expected: Any) -> Published:
    data = f'{{"payment_id": "{PAYMENT}", "status": "{status}", "amount": 599{more}}}'
    return of(f"payment.{status}", id, data, must, status=status, **WHOLE, **expected)


PUBLISHED = [
    of_status("initiated", "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a001", "confirm"),
    of_status("opened", "60a71435-d079-4126-81a2-1977bb70a306", "confirm"),
    of_status("processing", "b0ec03ca-822d-44fd-9407-de48a92a09a6", "confirm"),
    of_status("settling", "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a002", "confirm"),
    of_status("success", "99036bd3-a8b2-403c-867c-3d03dafbe4b7", "confirm"),
    of_status("rejected", "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a003", "confirm"),
    of_status("expired", "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a004", "confirm"),
    of_status(
        "failed",
        "77b568f8-cc38-4b5c-91aa-ac3c77020963",
        "confirm",
        ', "failed_reason": "Transaction could not be processed."',
        failed_reason="Transaction could not be processed.",
    ),
    of_status(
        "retried",
        "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a005",
        "follow",
        f', "retry_payment_id": "{OTHER}"',
        retry_payment_id=OTHER,
    ),
    of(
        "payment.success",  # the end of the published id is blotted out
        "a891bfc2-ffff-464b-89e4-xxxxx",
        f'{{"payment_id": "{PAYMENT}", "status": "success", "amount": 599}}',
        "confirm",
        at="1718006400.0",
        **WHOLE,
    ),
    of(
        "payment.success",
        "evt_83a2bfc1",
        '{"payment_id": "pay_93fdc2", "amount": "100.00", "currency": "USD", "status": "success"}',
        "look",
        at="1718006400",
        payment_id=None,
        amount_sent="100.00",
        amount="100.00",
        status="success",
    ),
    of(
        "payment.success",
        "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a006",
        f'{{"payment_id": "{PAYMENT}", "amount": 150.75, "status": "success"}}',
        "confirm",
        payment_id=PAYMENT,
        amount_sent="150.75",
        amount="150.75",
    ),
    of(
        "payment.success",  # "float, major currency unit"
        "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a007",
        f'{{"payment_id": "{PAYMENT}", "amount": 599.0, "status": "success"}}',
        "confirm",
        payment_id=PAYMENT,
        amount_sent="599.0",
        amount=None,
    ),
    *(
        of(
            name,
            PAYMENT,  # the refund's id is the payment's id
            f'{{"payment_id": "{PAYMENT}", "refund_transaction_id": "{REFUND}", "amount": 599, '
            '"status": "completed"}',
            "refund",
            status="completed",
            refund_transaction_id=REFUND,
            **WHOLE,
        )
        for name in ("payment.refund", "payment.refunded")
    ),
    of(
        "payment.fee_refunded",
        PAYMENT,
        f'{{"payment_id": "{PAYMENT}", "refund_transaction_id": "{REFUND}", "amount": 15.75, '
        '"status": "success"}',
        "fee",
        status="success",
        payment_id=PAYMENT,
        refund_transaction_id=REFUND,
        amount_sent="15.75",
        amount="15.75",
    ),
    *(
        of(name, f"evt_{n}", data, "acknowledge", payment_id=None, amount=None)
        for n, (name, data) in enumerate(
            [
                ("kyc.approved", '{"user_id": "1f6d8c1e-76a0-4f0e-9f0e-0c2a4be1a008"}'),
                ("kyb.rejected", '{"business_id": 7, "reasons": ["ein", {"code": 3}]}'),
                ("wallet.funding.success", '{"wallet_id": "w_1", "amount": 599}'),
                ("wallet.withdrawal.settling", '{"wallet_id": "w_1", "amount": 599, "fee": null}'),
                ("card.added", '{"card_id": "card_1", "last4": "4242"}'),
                ("card.images_uploaded", "null"),
            ]
        )
    ),
]
