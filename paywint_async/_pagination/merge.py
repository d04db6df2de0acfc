"""Both directions read at once, merged by time into one stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from paywint_async._errors import InvalidRequestError
from paywint_async._models import Direction, HistoryEntry, Payment
from paywint_async._pagination.checkpoint import VERSION
from paywint_async._pagination.iterator import ListingIterator
from paywint_async._pagination.listing import Listing, Register, read_start
from paywint_async._pagination.position import Order, Selection
from paywint_async._pagination.run import PageSource, Run

if TYPE_CHECKING:
    from paywint_async._arrow import RecordBatch

R = TypeVar("R")

_KIND = "history"


class _Side:
    """One direction's read, with its payments that were received and not handed over yet."""

    def __init__(self, direction: Direction, run: Run) -> None:
        self.direction = direction
        self.run = run
        self._batch: Sequence[Payment] = ()
        self._index = 0  # of the payment to merge next
        self._handed = 0
        self._has_begun = False

    @property
    def head(self) -> Payment:
        """The payment of this direction to merge next."""
        return self._batch[self._index]

    @property
    def has_head(self) -> bool:
        """Whether it was received already."""
        return self._index < len(self._batch)

    def begin(self) -> None:
        """Requests the first pages, once."""
        if not self._has_begun:
            self._has_begun = True
            self.run.prefetch()

    async def fill(self) -> bool:
        """Fetches the next batch if the last one is used up; returns False at the end of the read.

        All that was merged must have been handed over: from here on the checkpoint counts it.
        """
        if not self.has_head:
            batch = await self.run.next_batch()
            if batch is None:
                return False
            self._batch, self._index, self._handed = batch, 0, 0
            self.run.unhanded = self._unhanded
        return True

    def take(self) -> HistoryEntry:
        """Returns the head as an entry, and moves past it."""
        entry = HistoryEntry(direction=self.direction, payment=self.head)
        self._index += 1
        return entry

    def hand_over(self) -> None:
        """Notes that the caller is given all that was taken."""
        self._handed = self._index

    def _unhanded(self) -> int:
        return len(self._batch) - self._handed


class _Merge:
    """Both sides, merged.

    Args:
        sides: of both directions.
        limit: entries wanted at most; None: all.
        max_concurrency: pages that may wait or be under way for both sides together.
        is_oldest_first: whether the entries are wanted in the order of time.
    """

    def __init__(
        self, sides: list[_Side], limit: int | None, max_concurrency: int, *, is_oldest_first: bool
    ) -> None:
        self.runs = [side.run for side in sides]
        self._sides = sides  # those that have not ended
        self._left = limit
        self._max_concurrency = max_concurrency
        self._is_oldest_first = is_oldest_first

    @property
    def can_take(self) -> bool:
        """Whether the next entry is known without fetching a page."""
        return bool(self._sides) and self._left != 0 and all(s.has_head for s in self._sides)

    async def fill(self) -> bool:
        """Waits until an entry can be taken; returns False at the end."""
        if self._left == 0:
            return False
        for side in self._sides:  # both requests start before either is awaited
            side.begin()
        self._sides = [side for side in self._sides if await side.fill()]
        if len(self._sides) == 1:
            self._sides[0].run.widen(self._max_concurrency)
        return bool(self._sides)

    def take(self) -> HistoryEntry:
        """Returns the next entry."""
        if self._left is not None:
            self._left -= 1
        return self._due().take()

    def hand_over(self) -> None:
        """Notes that the caller is given all that was taken."""
        for side in self._sides:
            side.hand_over()

    def _due(self) -> _Side:
        if len(self._sides) == 1:
            return self._sides[0]
        first, second = self._sides
        if self._is_oldest_first or Order.OLDEST_FIRST in (first.run.order, second.run.order):
            return second if second.head.created_at < first.head.created_at else first
        return second if second.head.created_at > first.head.created_at else first


class _Entries(ListingIterator[HistoryEntry]):
    """Entries, one by one."""

    def __init__(self, merge: _Merge) -> None:
        super().__init__(merge.runs)
        self._merge = merge

    async def _next_batch(self) -> Iterable[HistoryEntry] | None:
        merge = self._merge
        if not (merge.can_take or await merge.fill()):
            return None
        entry = merge.take()
        merge.hand_over()
        return (entry,)


class _EntryPages(ListingIterator[R]):
    """As many entries at once as can be merged without waiting, converted to something else."""

    def __init__(self, merge: _Merge, convert: Callable[[Sequence[HistoryEntry]], R]) -> None:
        super().__init__(merge.runs)
        self._merge = merge
        self._convert = convert

    async def _next_batch(self) -> Iterable[R] | None:
        merge = self._merge
        if not await merge.fill():
            return None
        entries = [merge.take()]
        while merge.can_take:
            entries.append(merge.take())
        page = self._convert(entries)  # entries that cannot be converted stay unhanded
        merge.hand_over()
        return (page,)


class HistoryListing(Listing[HistoryEntry]):
    """Payments of both directions as one stream of `HistoryEntry`, newest first.

    With ``oldest_first``, or on an oldest-first server, it merges oldest first. Of entries with equal
    times, the sent one comes first. Each direction keeps its own order and snapshot; together they
    have at most ``max_concurrency`` requests in flight. Raises and Cancellation: as `PaymentListing`.
    """

    def __init__(
        self,
        sources: Sequence[PageSource],
        max_concurrency: int,
        checkpoint: dict[str, Any] | None,
        register: Register,
        selection: Selection,
    ) -> None:
        super().__init__(checkpoint, register)
        self._sources = sources
        self._max_concurrency = max_concurrency
        given = _open_checkpoint(checkpoint)
        self._starts = [read_start(given[s.direction], s.direction, selection) for s in sources]
        # One direction may have no position yet; the other one then holds the selection of both.
        selections = (start.selection for start in self._starts if start)
        self._selection = next(selections, selection)

    def __repr__(self) -> str:
        rows = self._sources[0].rows_per_page
        what = f"{self._selection}, " if f"{self._selection}" else " "
        return f"<HistoryListing{what}{self._progress(self._starts)}, pages of {rows}>"

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """The position of the latest read in both directions; payments fetched ahead do not count."""
        if not self._runs or self._is_collecting:
            return self._given_checkpoint
        places = {
            s.direction.value: run.checkpoint
            for s, run in zip(self._sources, self._runs, strict=True)
        }
        if all(place is None for place in places.values()):
            return None
        return {"version": VERSION, "kind": _KIND, **places}

    @property
    def total(self) -> int | None:
        """Number of payments of both directions in the latest read; None before it is known."""
        totals = [run.total for run in self._runs]
        known = [total for total in totals if total is not None]
        return sum(known) if known and len(known) == len(totals) else None

    def pages(self) -> ListingIterator[Sequence[HistoryEntry]]:
        """Iterates over lists of entries: at least one each, at most those of a page of each direction.

        `checkpoint` then counts whole lists. Raises: as `PaymentListing.pages`.
        """
        return self._pages(_unchanged)

    def arrow_batches(self) -> ListingIterator[RecordBatch]:
        """Iterates over Arrow batches, one for each list of `pages`; the first column is ``direction``.

        Raises: as `PaymentListing.arrow_batches`.
        """
        from paywint_async._arrow import entries_to_arrow

        entries_to_arrow([])  # a missing extra is reported before anything is requested
        return self._pages(entries_to_arrow)

    def _pages(self, convert: Callable[[Sequence[HistoryEntry]], R]) -> ListingIterator[R]:
        merge = self._open(None)
        return self._begin(_EntryPages(merge, convert), merge.runs)

    def _iterate(self, limit: int | None) -> ListingIterator[HistoryEntry]:
        merge = self._open(limit)
        return self._begin(_Entries(merge), merge.runs)

    def _open(self, limit: int | None) -> _Merge:
        # Half the window each, so that neither direction waits for pages of the other; when one ends,
        # the other gets the whole window.
        size = self._max_concurrency
        slots = asyncio.Semaphore(size)
        sizes = ((size + 1) // 2, max(1, size // 2))
        # A direction that is finished reads nothing until the other has completed its snapshot, too.
        is_resumed = not all(start and start.is_finished for start in self._starts)
        runs = [
            Run(
                source,
                share,
                start,
                self._selection,
                slots=slots,
                limit=0 if is_resumed and start and start.is_finished else None,
            )
            for source, share, start in zip(self._sources, sizes, self._starts, strict=True)
        ]
        sides = [_Side(s.direction, run) for s, run in zip(self._sources, runs, strict=True)]
        return _Merge(sides, limit, size, is_oldest_first=self._selection.is_oldest_first)


def _unchanged(entries: Sequence[HistoryEntry]) -> Sequence[HistoryEntry]:
    return entries


def _open_checkpoint(value: object) -> Mapping[str, Any]:
    if value is None:
        return dict.fromkeys(Direction)
    if not isinstance(value, Mapping) or value.get("kind") != _KIND:
        raise InvalidRequestError("checkpoint", "must be the value of a history's checkpoint")
    if value.get("version") != VERSION or not {*Direction} <= value.keys():
        raise InvalidRequestError("checkpoint", "is damaged, or of another version")
    return value
