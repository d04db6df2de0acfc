"""Settles whether a create of unknown outcome has happened, by what the list shows since."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from paywint_async._errors import OutcomeUnknownError
from paywint_async._models import Payment, PaymentPage, PaymentStatus
from paywint_async._pagination.listing import PaymentListing

# How far the server's clock may be from its own `queryGeneratedTime`, rounded to whole seconds.
_TOLERANCE = timedelta(seconds=2)
# Where the server does not tell its clock, ours may be this far off.
_UNKNOWN_SKEW = timedelta(minutes=5)
_UNPAID = frozenset({PaymentStatus.PENDING, PaymentStatus.INITIATED})


async def find_candidates(
    first_page: Awaitable[PaymentPage],
    listed_since: Callable[[datetime], PaymentListing],
    error: OutcomeUnknownError,
) -> list[Payment]:
    """The unpaid payments, from the start of the request on, that it may have made."""
    # The server's clock tells where the listing has to begin.
    earliest = error.started_at + _skew(await first_page)
    return [payment async for payment in listed_since(earliest) if _may_be_it(payment, error)]


def _skew(page: PaymentPage) -> timedelta:
    """What to add to our time to get the earliest the server may have written for it."""
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
