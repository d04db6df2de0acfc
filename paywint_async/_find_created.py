"""Settles whether a create of unknown outcome has happened, by what the lists show since."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from paywint_async._errors import OutcomeUnknownError
from paywint_async._models import Payment, PaymentPage, PaymentStatus
from paywint_async._pagination.listing import PaymentListing
from paywint_async._pagination.position import Order

# How far the server's clock may be from its own `queryGeneratedTime`, rounded to whole seconds.
_TOLERANCE = timedelta(seconds=2)
# Where the server does not tell its clock, ours may be this far off.
_UNKNOWN_SKEW = timedelta(minutes=5)
_UNPAID = frozenset({PaymentStatus.PENDING, PaymentStatus.INITIATED})


async def find_candidates(listing: PaymentListing, error: OutcomeUnknownError) -> list[Payment]:
    """The unpaid payments, from the start of the request on, that it may have made."""
    found: list[Payment] = []
    earliest: datetime | None = None
    async with aclosing(listing.pages()) as pages:
        async for page in pages:
            if earliest is None:
                earliest = error.started_at + _skew(page)
            found += [payment for payment in page.records if _may_be_it(payment, error, earliest)]
            if listing.order is Order.NEWEST_FIRST and page.records[-1].created_at < earliest:
                break
    return found


def _skew(page: PaymentPage) -> timedelta:
    """What to add to our time to get the earliest the server may have written for it."""
    if page.query_generated_time is None:
        return -_UNKNOWN_SKEW
    server = datetime.fromtimestamp(page.query_generated_time, UTC)
    return server - datetime.now(UTC) - _TOLERANCE


def _may_be_it(payment: Payment, error: OutcomeUnknownError, earliest: datetime) -> bool:
    return (
        payment.created_at >= earliest
        and payment.status in _UNPAID
        and payment.amount == error.amount
        and payment.description == error.description
    )
