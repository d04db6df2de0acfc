"""JSON as the API sends it, in which any field can be replaced by any text."""

from __future__ import annotations

import pytest

from paywint_async import Payment, ResponseDecodeError
from paywint_async._codec import decode

COLUMNS = [
    "payment_id",
    "payer_id",
    "payer_name",
    "payee_id",
    "payee_name",
    "amount",
    "currency",
    "description",
    "payment_method",
    "receiving_method",
    "created_at",
    "payment_date",
    "status",
    "failure_reason",
]
NEEDED = {
    "payment_id": '"d4211545-cfc9-4aa0-8fcc-e4c2639e8052"',
    "amount": "150.75",
    "created_at": '"2025-06-16T10:04:51.739761Z"',
    "status": '"success"',
}


def payment_json(**fields: str | None) -> bytes:
    """A payment as JSON; each given field has that JSON text, and None omits it."""
    wanted = {name: text for name, text in {**NEEDED, **fields}.items() if text is not None}
    return ("{" + ",".join(f'"{name}":{text}' for name, text in wanted.items()) + "}").encode()


def page_json(*records: bytes, total: str = "100") -> bytes:
    return b'{"records":[%s],"totalRecords":%s}' % (b",".join(records), total.encode())


def problem_of(data: bytes, wire_type: type = Payment) -> ResponseDecodeError:
    with pytest.raises(ResponseDecodeError) as caught:
        decode(data, wire_type)
    return caught.value
