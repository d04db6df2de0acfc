"""Reads listings by whole pages, with a checkpoint after the last page."""

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
        """The position right after the page handed over last."""

    @property
    def total(self) -> int | None:
        """The number of records of the snapshot; None before the first answer."""

    def pages(self) -> AsyncGenerator[Sequence[R_co], None]:
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

    async def pages(self) -> AsyncGenerator[Sequence[Payment], None]:
        """Yields pages of at least one payment."""
        async with self._listing as listing, aclosing(listing.pages(self._limit)) as pages:
            async for page in pages:
                yield page.records
                del page  # so that its memory is reused for the next one


class HistoryReading:
    """The entries of both directions, merged, a hundred at a time."""

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

    async def pages(self) -> AsyncGenerator[Sequence[HistoryEntry], None]:
        """Yields pages of at least one entry."""
        gathered: list[HistoryEntry] = []
        # The checkpoint counts the gathered entries, so an error is raised after they are handed over.
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
