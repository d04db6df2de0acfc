"""Both directions read at once, merged by time into one stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paywint_async._errors import InvalidRequestError
from paywint_async._models import Direction, HistoryEntry, Payment
from paywint_async._pagination.checkpoint import VERSION
from paywint_async._pagination.iterator import ListingIterator
from paywint_async._pagination.listing import Listing, Register, read_start
from paywint_async._pagination.position import Order, Selection
from paywint_async._pagination.run import PageSource, Run

if TYPE_CHECKING:
    from paywint_async._arrow import RecordBatch

_KIND = "history"
_ENTRIES_IN_A_BATCH = 100


class _Side:
    """One direction's read, with its payments that were received and not merged yet."""

    def __init__(self, direction: Direction, run: Run) -> None:
        self.direction = direction
        self.run = run
        self._batch: Sequence[Payment] = ()
        self._index = 0
        self._has_begun = False

    @property
    def head(self) -> Payment:
        """The next payment of this direction."""
        return self._batch[self._index]

    def begin(self) -> None:
        """Requests the first pages, once."""
        if not self._has_begun:
            self._has_begun = True
            self.run.prefetch()

    async def fill(self) -> bool:
        """Fetches the next batch if the last one is used up; returns False at the end of the read."""
        if self._index == len(self._batch):
            batch = await self.run.next_batch()
            if batch is None:
                return False
            self._batch, self._index = batch, 0
            self.run.unhanded = self._unhanded
        return True

    def advance(self) -> None:
        """Moves past the head, which was handed over."""
        self._index += 1

    def _unhanded(self) -> int:
        return len(self._batch) - self._index


class _Entries(ListingIterator[HistoryEntry]):
    """The entries of both sides, merged."""

    def __init__(
        self, sides: list[_Side], limit: int | None, max_concurrency: int, *, is_oldest_first: bool
    ) -> None:
        super().__init__([side.run for side in sides])
        self._sides = sides
        self._is_oldest_first = is_oldest_first
        self._left = limit
        self._max_concurrency = max_concurrency

    async def _next_batch(self) -> Iterable[HistoryEntry] | None:
        if self._left == 0:
            return None
        for side in self._sides:  # both requests start before either is awaited
            side.begin()
        self._sides = await _filled(self._sides, self._max_concurrency)
        if not self._sides:
            return None
        side = _due(self._sides, is_oldest_first=self._is_oldest_first)
        entry = HistoryEntry(direction=side.direction, payment=side.head)
        side.advance()
        if self._left is not None:
            self._left -= 1
        return (entry,)


class _Batches(ListingIterator["RecordBatch"]):
    """Entries in Arrow batches; a cancelled ``anext`` keeps the entries gathered so far."""

    def __init__(self, entries: ListingIterator[HistoryEntry], runs: Sequence[Run]) -> None:
        super().__init__(runs)
        self._entries = entries
        self._gathered: list[HistoryEntry] = []

    async def _next_batch(self) -> Iterable[RecordBatch] | None:
        from paywint_async._arrow import entries_to_arrow

        while len(self._gathered) < _ENTRIES_IN_A_BATCH:
            try:
                self._gathered.append(await anext(self._entries))
            except StopAsyncIteration:
                break
        gathered, self._gathered = self._gathered, []
        return (entries_to_arrow(gathered),) if gathered else None


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
        if not self._runs:
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

    def arrow_batches(self) -> ListingIterator[RecordBatch]:
        """Iterates over Arrow batches of a hundred entries; the first column is ``direction``.

        Raises: as `PaymentListing.arrow_batches`.
        """
        from paywint_async._arrow import entries_to_arrow

        entries_to_arrow([])  # a missing extra is reported before anything is requested
        entries = self._iterate(None)
        return self._begin(_Batches(entries, self._runs), self._runs)

    def _iterate(self, limit: int | None) -> ListingIterator[HistoryEntry]:
        sides = self._open()
        entries = _Entries(
            sides, limit, self._max_concurrency, is_oldest_first=self._selection.is_oldest_first
        )
        return self._begin(entries, [side.run for side in sides])

    def _open(self) -> list[_Side]:
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
        return [_Side(s.direction, run) for s, run in zip(self._sources, runs, strict=True)]


async def _filled(sides: list[_Side], max_concurrency: int) -> list[_Side]:
    """Returns the sides that still have a payment; a single one gets the whole window."""
    left = [side for side in sides if await side.fill()]
    if len(left) == 1:
        left[0].run.widen(max_concurrency)
    return left


def _due(sides: list[_Side], *, is_oldest_first: bool) -> _Side:
    if len(sides) == 1:
        return sides[0]
    first, second = sides
    if is_oldest_first or Order.OLDEST_FIRST in (first.run.order, second.run.order):
        return second if second.head.created_at < first.head.created_at else first
    return second if second.head.created_at > first.head.created_at else first


def _open_checkpoint(value: object) -> Mapping[str, Any]:
    if value is None:
        return dict.fromkeys(Direction)
    if not isinstance(value, Mapping) or value.get("kind") != _KIND:
        raise InvalidRequestError("checkpoint", "must be the value of a history's checkpoint")
    if value.get("version") != VERSION or not {*Direction} <= value.keys():
        raise InvalidRequestError("checkpoint", "is damaged, or of another version")
    return value
