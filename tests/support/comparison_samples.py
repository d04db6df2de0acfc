"""Rows and payments for the tests of the comparison, with defaults for fields a test does not set."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from paywint_async.reconcile import Kind, LedgerRow, Matching, MatchResult, PaymentFact, Period

NEW_YEAR = datetime(2026, 1, 1, 12, tzinfo=UTC)


def day(number: int) -> datetime:
    """Noon of a day, counted from 2026-01-01."""
    return NEW_YEAR + timedelta(days=number)


def identity(number: int) -> UUID:
    return UUID(int=number)


def row(place: int, amount: object = 10, **values: Any) -> LedgerRow:
    values = {"direction": "received", "when": day(0), **values}
    if isinstance(values.get("payment_id"), int):
        values["payment_id"] = identity(values["payment_id"])
    return LedgerRow(place=place, amount=Decimal(str(amount)), **values)


def paid(number: int, amount: object = 10, **values: Any) -> PaymentFact:
    values = {"direction": "received", "when": day(0), "status": "success", **values}
    return PaymentFact(payment_id=identity(number), amount=Decimal(str(amount)), **values)


def match(
    rows: Iterable[LedgerRow],
    payments: Iterable[PaymentFact],
    *,
    directions: Iterable[str] = ("received",),
    period: Period | None = None,
    date_window: int = 3,
) -> MatchResult:
    matching = Matching(directions=directions, period=period, date_window=date_window)
    for each in rows:
        matching.add_row(each)
    for payment in payments:
        matching.add_payment(payment)
    return matching.finish()


def found(result: MatchResult) -> list[tuple[str, list[int], list[int]]]:
    """Each difference as its kind, the places of its rows and the numbers of its payments."""
    return [
        (
            str(each.kind),
            [each_row.place for each_row in each.rows],
            [payment.payment_id.int for payment in each.payments],
        )
        for each in result.differences
    ]


def pairs_by(result: MatchResult, kind: Kind) -> list[str | None]:
    """The evidence of each pair of a kind."""
    return [each.evidence for each in result.differences if each.kind is kind]


def kinds(document: Any) -> dict[str, int]:
    """The kinds of differences in a report's JSON, and their numbers."""
    return {kind: count for kind, count in document["kinds"].items() if count}
