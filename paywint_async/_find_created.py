"""Finds the payments that a create of unknown outcome may have made, in the list of payments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from paywint_async._errors import OutcomeUnknownError
from paywint_async._models import Payment, PaymentPage, PaymentStatus
from paywint_async._pagination.listing import PaymentListing

# `queryGeneratedTime` is rounded to whole seconds, so the server's clock may differ by this.
_TOLERANCE = timedelta(seconds=2)
# Allowed difference between the clocks if the server does not report its own.
_UNKNOWN_SKEW = timedelta(minutes=5)
_UNPAID = frozenset({PaymentStatus.PENDING, PaymentStatus.INITIATED})


async def find_candidates(
    first_page: Awaitable[PaymentPage],
    listed_since: Callable[[datetime], PaymentListing],
    error: OutcomeUnknownError,
) -> list[Payment]:
    """Returns the unpaid payments since the start of the request that it may have made."""
    # The times in the list are of the server's clock.
    earliest = error.started_at + _skew(await first_page)
    return [payment async for payment in listed_since(earliest) if _may_be_it(payment, error)]


def _skew(page: PaymentPage) -> timedelta:
    """The difference to add to a local time to get the earliest server time that may match it."""
    if page.query_generated_time is None:
        return -_UNKNOWN_SKEW
    server = datetime.fromtimestamp(page.query_generated_time, UTC)
    return server - datetime.now(UTC) - _TOLERANCE


def _may_be_it(payment: Payment, error: OutcomeUnknownError) -> bool:
    return (
        payment.status in _UNPAID
        and payment.amount == error.amount
        and payment.description == error.description
    )
