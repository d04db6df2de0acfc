"""Fixtures: reports without files and network, and ledgers in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from comparison_samples import match
from ledger_reading import Write

from paywint_async import Payment, PaymentStatus
from paywint_async.reconcile import (
    LedgerFormat,
    LedgerRow,
    PaymentFact,
    Period,
    ReconcileOptions,
    Report,
)
from paywint_async.reconcile._activity import Activity

MakeReport = Callable[..., Report]


@pytest.fixture
def make_report() -> MakeReport:
    """`make_report(rows, payments)`: a report; each payment was paid an hour after its creation."""

    def make(
        rows: Iterable[LedgerRow] = (),
        payments: Sequence[PaymentFact] = (),
        *,
        ledger: str = "books.csv",
        direction: str = "received",
        period: Period | None = None,
    ) -> Report:
        options = ReconcileOptions(
            ledger=ledger, format=LedgerFormat(direction=direction), period=period or Period()
        )
        activities = {each: Activity() for each in options.directions}
        for payment in payments:
            activities[payment.direction].take(payment, timedelta(hours=1))
        return Report(
            options=options,
            result=match(rows, payments, directions=options.directions, period=period),
            activities=activities,
            made_at=datetime(2026, 2, 1, tzinfo=UTC),
        )

    return make


@pytest.fixture
def make_payment() -> Callable[..., Payment]:
    """`make_payment(**fields)`: a payment as the API returns it."""

    def make(**values: Any) -> Payment:
        fields: dict[str, Any] = {
            "payment_id": uuid4(),
            "amount": Decimal(10),
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
            "status": PaymentStatus.SUCCESS,
        }
        return Payment(**fields | values)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(text)`: writes a CSV file with this text, and returns its path."""

    def write(text: str | bytes, name: str = "books.csv") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return write
