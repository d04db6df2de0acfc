"""Webhook deliveries in Paywint's published format, and their signatures, made without the SDK."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any

SECRET = "whsec_never_shown"
NOW = 1_750_068_284.5
ID = "5b7f6a3e-0a52-4f3b-9a3e-0d8f1f1c2b3a"
PAYMENT_ID = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"
RETRY_ID = "0c9de6d0-5a2b-4a8e-8f5d-6b4f0a7d9e11"


def clock() -> float:
    return NOW


def delivery(*, without: Iterable[str] = (), at: Any = NOW, **changes: Any) -> bytes:
    """A body; ``changes`` set fields of the envelope if it has them, else of ``data``."""
    data = {"payment_id": PAYMENT_ID, "status": "success", "amount": 599}
    body: dict[str, Any] = {"event": "payment.success", "id": ID, "data": data}
    body["eventGeneratedTime"] = at
    for name, value in changes.items():
        (body if name in body else data)[name] = value
    for name in without:
        body.pop(name, None)
        data.pop(name, None)
    return json.dumps(body).encode()


def signature(
    body: bytes, *, secret: bytes, delivery_id: str = ID, at: int | str = int(NOW)
) -> str:
    signed = f"{delivery_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def signed(
    body: bytes, *, secret: str = SECRET, delivery_id: str = ID, at: int | str = int(NOW)
) -> dict[str, str]:
    """The headers of a signed delivery."""
    return {
        "Webhook-Id": delivery_id,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": signature(
            body, secret=secret.encode(), delivery_id=delivery_id, at=at
        ),
    }
