"""Listings as a transfer sees them: whole pages, and a checkpoint that fits the last of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

from paywint_async import (
    HistoryEntry,
    HistoryListing,
    Payment,
    PaymentListing,
    Payments,
    PaywintError,
)
from paywint_async.export._sink import Checkpoint

R_co = TypeVar("R_co", covariant=True)

_ENTRIES_AT_ONCE = 100


class Reading(Protocol[R_co]):
    """A listing, page by page."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Right behind the page handed over last."""

    @property
    def total(self) -> int | None:
        """The number of records of the snapshot; None before the first answer."""

    def pages(self) -> AsyncGenerator[Sequence[R_co], None]:
        """The records, at least one a page. An error comes after every record before it."""
        ...


class PaymentReading:
    """The payments of one direction, in the listing's own pages.

    Args:
        listing: not begun.
        limit: payments at most; None: all.
    """

    def __init__(self, listing: PaymentListing, limit: int | None = None) -> None:
        self._listing = listing
        self._limit = limit

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Right behind the page handed over last."""
        return self._listing.checkpoint

    @property
    def total(self) -> int | None:
        """The number of payments of the snapshot; None before the first answer."""
        return self._listing.total

    async def pages(self) -> AsyncGenerator[Sequence[Payment], None]:
        """The payments, at least one a page."""
        async with self._listing as listing, aclosing(listing.pages(self._limit)) as pages:
            async for page in pages:
                yield page.records
                del page  # nothing holds on to one while the next is decoded: see the listing


class HistoryReading:
    """The entries of both directions, merged, a hundred at a time."""

    def __init__(self, listing: HistoryListing) -> None:
        self._listing = listing

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Right behind the page handed over last."""
        return self._listing.checkpoint

    @property
    def total(self) -> int | None:
        """The number of entries of both snapshots; None before it is known."""
        return self._listing.total

    async def pages(self) -> AsyncGenerator[Sequence[HistoryEntry], None]:
        """The entries, at least one a page."""
        gathered: list[HistoryEntry] = []
        # The checkpoint counts what is gathered, so an error waits until that is handed over.
        failure: BaseException | None = None
        async with self._listing as listing:
            try:
                async for entry in listing:
                    gathered.append(entry)
                    if len(gathered) == _ENTRIES_AT_ONCE:
                        yield gathered
                        gathered = []
            except (asyncio.CancelledError, PaywintError) as error:
                failure = error
            if gathered:
                yield gathered
        if failure is not None:
            raise failure


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

    None where it is finished: the next read has a snapshot of its own, of what is new.
    """
    if checkpoint is None:
        return 0
    if checkpoint.get("kind") == "history":
        return sum(delivered(checkpoint.get(direction)) for direction in ("sent", "received"))
    return 0 if checkpoint.get("finished") else int(checkpoint.get("delivered", 0))


def is_of_a_span(checkpoint: Checkpoint) -> bool:
    """Whether it is of a span of time, not of a whole listing."""
    sides = [checkpoint, *(checkpoint.get(direction) for direction in ("sent", "received"))]
    return any(side and (side.get("since") or side.get("until")) for side in sides)


def describe_span(checkpoint: Checkpoint | None) -> str | None:
    """The span of time that a listing's checkpoint remembers, for people; None where it has none."""
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
    if "handed" in checkpoint:  # of a span of time, say, whose ranks do not begin at one
        return int(checkpoint["handed"])
    return int(checkpoint["snapshot"]) - int(checkpoint["remaining"])  # all above and below the gap
