"""Reads listings by whole pages, with a checkpoint after the last page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar

from paywint_async import (
    HistoryEntry,
    HistoryListing,
    Payment,
    PaymentListing,
    PaymentPage,
    Payments,
)
from paywint_async.export._sink import Checkpoint

R_co = TypeVar("R_co", covariant=True)


class PageIterator(Protocol[R_co]):
    """An iterator that can be closed, as an async generator can."""

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> R_co: ...

    async def aclose(self) -> None:
        """Ends the iteration, and returns when every request has ended. Idempotent."""


class Reading(Protocol[R_co]):
    """A listing, page by page."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The position right after the page handed over last."""

    @property
    def total(self) -> int | None:
        """The number of records of the snapshot; None before the first answer."""

    def pages(self) -> PageIterator[Sequence[R_co]]:
        """Yields pages of at least one record. Before an error, all earlier records are yielded."""
        ...


class PaymentReading:
    """The payments of one direction, in the listing's own pages.

    Args:
        listing: one that has not been iterated.
        limit: payments at most; None: all.
    """

    def __init__(self, listing: PaymentListing, limit: int | None = None) -> None:
        self._listing = listing
        self._limit = limit

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The position right after the page handed over last."""
        return self._listing.checkpoint

    @property
    def total(self) -> int | None:
        """The number of payments of the snapshot; None before the first answer."""
        return self._listing.total

    def pages(self) -> PageIterator[Sequence[Payment]]:
        """Yields pages of at least one payment."""
        return _Records(self._listing.pages(self._limit))


class _Records:
    """The records of each page."""

    def __init__(self, pages: PageIterator[PaymentPage]) -> None:
        self._pages = pages

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[Payment]:
        return (await anext(self._pages)).records

    async def aclose(self) -> None:
        await self._pages.aclose()


class HistoryReading:
    """The entries of both directions, merged, in the listing's own pages."""

    def __init__(self, listing: HistoryListing) -> None:
        self._listing = listing

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The position right after the page handed over last."""
        return self._listing.checkpoint

    @property
    def total(self) -> int | None:
        """The number of entries of both snapshots; None before it is known."""
        return self._listing.total

    def pages(self) -> PageIterator[Sequence[HistoryEntry]]:
        """Yields pages of at least one entry."""
        return self._listing.pages()


def reader(
    payments: Payments, direction: str, **options: Any
) -> Callable[[Checkpoint | None], Reading[Any]]:
    """Returns the function that begins a reading of a direction at a checkpoint.

    Args:
        payments: of the client.
        direction: ``sent`` or ``received``, whose records are payments; or ``both``: entries.
        options: of the listing.
    """
    if direction == "both":
        return lambda start: HistoryReading(payments.history(checkpoint=start, **options))
    list_ = payments.sent if direction == "sent" else payments.received
    return lambda start: PaymentReading(list_(checkpoint=start, **options))


def delivered(checkpoint: Checkpoint | None) -> int:
    """The number of records of its snapshot that a listing's checkpoint counts as delivered.

    0 if it is finished: the next read has its own snapshot, of the new payments.
    """
    if checkpoint is None:
        return 0
    if checkpoint.get("kind") == "history":
        return sum(delivered(checkpoint.get(direction)) for direction in ("sent", "received"))
    return 0 if checkpoint.get("finished") else int(checkpoint.get("delivered", 0))


def is_of_a_span(checkpoint: Checkpoint) -> bool:
    """Whether it belongs to a span of time, not to a whole listing."""
    sides = [checkpoint, *(checkpoint.get(direction) for direction in ("sent", "received"))]
    return any(side and (side.get("since") or side.get("until")) for side in sides)


def describe_span(checkpoint: Checkpoint | None) -> str | None:
    """Describes a checkpoint's span of time for people; None if it has none."""
    if checkpoint is None:
        return None
    if "snapshot" not in checkpoint:  # of both directions, which have the same span
        return describe_span(checkpoint.get("received"))
    ends = (("from", checkpoint.get("since")), ("before", checkpoint.get("until")))
    return " ".join(f"{word} {moment}" for word, moment in ends if moment) or None


def exported_count(checkpoint: Checkpoint | None) -> int:
    """The number of payments in the output of this checkpoint."""
    if checkpoint is None:
        return 0
    if "snapshot" not in checkpoint:  # of both directions
        return sum(exported_count(checkpoint.get(direction)) for direction in ("sent", "received"))
    if "handed" in checkpoint:  # of a span of time, whose ranks need not begin at 1
        return int(checkpoint["handed"])
    return int(checkpoint["snapshot"]) - int(checkpoint["remaining"])  # all above and below the gap
