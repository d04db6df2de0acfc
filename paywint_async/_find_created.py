"""Finds the payment that a create of unknown outcome has made, in the list of payments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from paywint_async._errors import OutcomeUnknownError
from paywint_async._models import Payment, PaymentPage, PaymentStatus
from paywint_async._pagination.listing import PaymentListing

# `queryGeneratedTime` is rounded to whole seconds, so the server's clock may differ by this.
_TOLERANCE = timedelta(seconds=2)
# The page may have been on its way for as long as the call took, but for no more than this: the rest
# is retries and waiting.
_LONGEST_TRANSIT = timedelta(seconds=5)
# The difference between the clocks up to which payments are candidates if the server does not report its
# own clock. None outside the request's time by the local clock is certain then.
_UNKNOWN_SKEW = timedelta(minutes=5)
_UNPAID = frozenset({PaymentStatus.PENDING, PaymentStatus.INITIATED})


async def find_created(
    first_page: Awaitable[PaymentPage],
    listed_since: Callable[[datetime], PaymentListing],
    error: OutcomeUnknownError,
) -> Payment | None:
    """Returns the only payment that the request can have made, or None if there is none.

    Raises:
        OutcomeUnknownError: there are several, or one that was created after the request had ended (or
            before it, if the server does not report its clock). The server may have processed the request
            late, but another call may have made the payment, too.
    """
    skew = await _skew(first_page)
    least, most = skew or (-_TOLERANCE, _TOLERANCE)
    # The times in the list are of the server's clock.
    earliest, latest = error.started_at + least, error.ended_at + most
    listed = listed_since(earliest if skew else error.started_at - _UNKNOWN_SKEW)
    found = [payment async for payment in listed if _may_be_it(payment, error)]
    if len(found) > 1 or any(not earliest <= payment.created_at <= latest for payment in found):
        raise error.with_candidates(found)
    return found[0] if found else None


async def _skew(first_page: Awaitable[PaymentPage]) -> tuple[timedelta, timedelta] | None:
    """The least and the greatest difference between the server's clock and the local one.

    None if the server does not report its clock.
    """
    asked_at = datetime.now(UTC)
    page = await first_page
    received_at = datetime.now(UTC)
    try:
        server = datetime.fromtimestamp(page.query_generated_time, UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):  # None, or beyond the calendar
        return None
    skew, transit = server - received_at, min(received_at - asked_at, _LONGEST_TRANSIT)
    return skew - _TOLERANCE, skew + transit + _TOLERANCE


def _may_be_it(payment: Payment, error: OutcomeUnknownError) -> bool:
    return (
        payment.status in _UNPAID
        and payment.amount == error.amount
        and _stored(payment.description) == _stored(error.description)
    )


def _stored(description: str | None) -> str:
    """The description without the differences that a server may make when it stores it."""
    return (description or "").strip()
