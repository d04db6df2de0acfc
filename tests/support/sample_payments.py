"""Payments made without a server, each derived from a number, and a request of each kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from paywint_async import Payment, PaymentStatus, Request

GET = Request(operation="get", method="GET", path="/api/x")
POST = Request(operation="create_link", method="POST", path="/api/x", body=b"{}", repeatable=False)


def make_payment(number: int, **fields: Any) -> Payment:
    """The payment of that number; no two have the same id, amount or time."""
    defaults: dict[str, Any] = {
        "payment_id": UUID(int=number),
        "amount": Decimal(number) + Decimal("0.10"),
        "created_at": datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        "status": PaymentStatus.SUCCESS,
        "description": "Rent, June" if number % 3 else None,
    }
    return Payment(**{**defaults, **fields})
