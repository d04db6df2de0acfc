"""Finds the ranks of a span of time in a list, by binary search. Pure.

The API cannot select by time, but a list in the order of time can be searched. Two *edges* bound a
span: the ranks below `since`, and those below `until`. Each answer shows some ranks with their times,
and halves the pages on which an edge may still be.

**Why the answers are consistent.** Arrivals never change ranks; a deletion or a move shifts them. So:

* no total may fall, no rank may show two keys, no key may have two ranks, and no time may contradict
  the order;
* where the span ends before the list's newest record, that record, seen at the start of the search, is
  looked up again after both edges are found. If it has kept its rank, nothing below it was deleted or
  moved meanwhile, and all answers describe the same list.

If answers contradict each other, the search starts over; the snapshot is then what existed at the last
start. Changes after the search are noticed by the pages of the read itself: see `span_planner`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Sequence
from datetime import datetime
from itertools import pairwise, takewhile

import msgspec
from msgspec.structs import replace

from paywint_async._pagination.decision import ContinuityError, PageAnswer, order_of_ends
from paywint_async._pagination.lookup import last_page
from paywint_async._pagination.position import ANCHORS, Key, Order, Position, Span, page_of

Asking = Generator[int, PageAnswer, PageAnswer]

_PATIENCE = 12  # consecutive answers without the records they were requested for
_ATTEMPTS = 4  # starts of a search before it gives up
_MOVED = "two answers name different payments at one rank"
_UNORDERED = "the times of two pages contradict the order of the list"


class DisorderError(Exception):
    """The list is not in the order of time; ``order`` is that of most of its records."""

    def __init__(self, order: Order = Order.UNKNOWN) -> None:
        super().__init__("the list is not in the order of time")
        self.order = order


class _MovedError(Exception):
    """The answers contradict each other: the list has changed during the search.

    ``ranks`` are those whose times contradict the order of the list.
    """

    def __init__(self, problem: str, ranks: tuple[int, ...] = ()) -> None:
        super().__init__(problem)
        self.ranks = ranks


class FoundSpan(msgspec.Struct, frozen=True):
    """The start of a read of the span, and the list's first page if the span begins on it."""

    position: Position
    total: int
    first: PageAnswer | None = None


class _Edge:
    """The two ranks between which a time falls: ``lower`` is before it, ``upper`` is not."""

    def __init__(self, time: datetime | None, lower: int, upper: int) -> None:
        self.time, self.lower, self.upper = time, lower, upper
        self.shown_by: PageAnswer | None = None  # the answer that shows the rank `lower`

    @property
    def is_found(self) -> bool:
        return self.upper - self.lower == 1

    def learn(self, answer: PageAnswer, lowest: int, times: Sequence[datetime]) -> None:
        """Narrows the interval by an answer, whose ``times`` begin at the rank ``lowest``, upwards."""
        if self.time is None or not times:
            return
        count = bisect_left(times, self.time)
        if count and lowest + count - 1 > self.lower:
            self.lower, self.shown_by = lowest + count - 1, answer
        if count < len(times):
            self.upper = min(self.upper, lowest + count)
        if self.lower >= self.upper:
            raise _MovedError(_UNORDERED, (self.lower, self.upper))


class SpanSearch:
    """Looks up a span in one list; each `run` is a new search.

    Args:
        span: the times.
        rows: records a page.
        is_oldest_first: whether the span is to be delivered in the order of time.
    """

    def __init__(self, span: Span, rows: int, *, is_oldest_first: bool = False) -> None:
        self._span, self._rows, self._is_oldest_first = span, rows, is_oldest_first
        self._newest: Sequence[Key] = ()  # the newest keys of the list at the first attempt
        self._first: PageAnswer | None = None
        self._suspects: list[int] = []  # ranks whose times contradicted each other
        self._forget()

    def _forget(self) -> None:
        self._total = self._drift = self._snapshot = 0
        self._order = Order.UNKNOWN
        self._keys: dict[int, Key] = {}  # by rank, as far as they were seen
        self._ranks: dict[Key, int] = {}
        self._shown: list[
            tuple[int, datetime, datetime]
        ] = []  # lowest rank, its time, the last time

    def run(self) -> Generator[int, PageAnswer, FoundSpan]:
        """Yields page numbers, is sent the answers, and returns the position of the span.

        Raises:
            DisorderError: the list is not in the order of time.
            ContinuityError: the answers never agree with each other.
        """
        problems: list[str] = []
        while len(problems) < _ATTEMPTS:
            self._forget()
            try:
                return (yield from self._search())
            except _MovedError as problem:
                problems.append(str(problem))
                self._suspects.extend(problem.ranks)
                is_disordered = problems.count(_UNORDERED) > 1  # so no change between two answers
            except DisorderError:
                is_disordered = True
            if is_disordered:
                raise DisorderError((yield from self._compare_ends()))
        raise ContinuityError(problems[-1])

    @property
    def _is_ascending(self) -> bool:
        return self._order is Order.OLDEST_FIRST

    def _search(self) -> Generator[int, PageAnswer, FoundSpan]:
        first = self._first = yield from self._ask(1)
        self._snapshot = first.total
        last = yield from self._find_order(first)
        if self._order is Order.UNKNOWN:
            return (yield from self._all_or_none(first))
        begin = _Edge(self._span.since, 0, 1 if self._span.since is None else first.total + 1)
        end = _Edge(
            self._span.until, first.total if self._span.until is None else 0, first.total + 1
        )
        edges = (end, begin)
        for answer in (first, last):
            self._learn(answer, edges)
        yield from self._see_arrivals(last if self._is_ascending else first, edges)
        for rank in self._suspects:
            yield from self._see(rank, edges)
        for edge in edges:
            patience = _PATIENCE
            while not edge.is_found:
                width = edge.upper - edge.lower
                self._learn((yield from self._ask(self._middle_page(edge))), edges)
                patience = _PATIENCE if edge.upper - edge.lower < width else patience - 1
                if not patience:
                    raise ContinuityError("payments arrive faster than they can be searched")
        is_empty = begin.lower == end.lower and self._snapshot > 0
        if is_empty or (self._is_ascending and last in (begin.shown_by, end.shown_by)):
            yield from self._check_neighbours(begin.lower, edges)
        reference = last if self._is_ascending else first
        is_closed = end.lower < self._snapshot
        if is_closed and end.shown_by is not reference:
            yield from self._confirm(edges)
        position = self._position(begin.lower, max(begin.lower, end.lower), is_closed=is_closed)
        is_first = not is_closed and not position.is_ascending
        return FoundSpan(position, self._total, first if is_first else None)

    def _compare_ends(self) -> Generator[int, PageAnswer, Order]:
        """The order of a list in which single records are out of order, from its first and last page."""
        assert self._first is not None
        first = last = self._first
        if first.total > self._rows:
            last = yield from last_page(first.total, self._rows)
        return order_of_ends(first, last)

    def _ask(self, page_no: int) -> Asking:
        for _ in range(_PATIENCE):
            answer = yield page_no
            if answer.fits(self._rows):
                self._note_total(answer.total)
                return answer
        raise ContinuityError(f"page {page_no}: its length does not fit its total")

    def _note_total(self, total: int) -> None:
        if total < self._total:
            raise _MovedError("payments were deleted while the span was looked up")
        self._drift = total - self._total if self._total else 0
        self._total = total

    def _find_order(self, first: PageAnswer) -> Asking:
        """Finds the order from the first page, and from the last page if that is not enough.

        Returns the last page it has seen; oldest first, that one shows the newest record.
        """
        self._order = first.order()
        if self._order is Order.NEWEST_FIRST or first.total <= self._rows:
            last = first
        else:
            last = yield from self._see_end()
        if self._order is Order.UNKNOWN:
            self._order = last.order()
        if self._order is Order.UNKNOWN and last.keys and first.times[0] != last.times[-1]:
            is_falling = first.times[0] > last.times[-1]
            self._order = Order.NEWEST_FIRST if is_falling else Order.OLDEST_FIRST
        if self._is_ascending and last.first_offset(self._rows) >= self._snapshot:
            last = yield from self._ask(page_of(self._snapshot - 1, self._rows))
        is_repeated = last is not first and not {*first.keys}.isdisjoint(last.keys)
        if is_repeated and last.total == first.total:
            raise _MovedError(_MOVED)
        if self._order is Order.UNKNOWN and len({*first.times, *last.times}) > 1:
            raise DisorderError  # as many times rise as fall
        return last

    def _see_end(self) -> Asking:
        """Requests the list's last page, again where arrivals have made another page the last one."""
        for _ in range(_PATIENCE):
            answer = yield from self._ask(page_of(self._total + self._drift - 1, self._rows))
            if answer.keys and answer.total <= answer.page_no * self._rows:
                return answer
        raise ContinuityError("payments arrive faster than they can be searched")

    def _all_or_none(self, first: PageAnswer) -> Generator[int, PageAnswer, FoundSpan]:
        """The whole list or nothing, for a list in which all times are equal."""
        pages = page_of(first.total - 1, self._rows)
        if pages > 2:  # the few records of a last page can all have been moved there
            other = yield from self._ask(pages - 1)
            if {*other.times} != {*first.times}:
                raise DisorderError
        time = first.times[0] if first.times else None
        is_within = time is None or self._span.contains(time)
        is_closed = not is_within and time is not None and not self._span.begins_after(time)
        low = 0 if is_within else self._snapshot
        position = self._position(low, self._snapshot, is_closed=is_closed)
        due = tuple(first.keys[:ANCHORS]) if position.remaining else ()
        return FoundSpan(replace(position, due=due), self._total, first)

    def _learn(self, answer: PageAnswer, edges: Sequence[_Edge]) -> None:
        step, first = 1 if self._is_ascending else -1, answer.first_offset(self._rows)
        keys, times = answer.keys[::step], list(answer.times)[::step]
        lowest = first + 1 if self._is_ascending else answer.total - first - len(keys) + 1
        if any(above < below for below, above in pairwise(times)):
            raise DisorderError
        for rank, key in enumerate(keys, lowest):
            if self._keys.setdefault(rank, key) != key or self._ranks.setdefault(key, rank) != rank:
                raise _MovedError(_MOVED)
        if times:
            self._check_order(lowest, times[0], times[-1])
        size = max(0, self._snapshot - lowest + 1)  # without later arrivals
        for edge in edges:
            edge.learn(answer, lowest, times[:size])

    def _check_order(self, lowest: int, begin: datetime, end: datetime) -> None:
        for rank, first, last in self._shown:
            if (rank < lowest and first > end) or (rank > lowest and last < begin):
                raise _MovedError(_UNORDERED, (rank, lowest))
        self._shown.append((lowest, begin, end))

    def _see_arrivals(
        self, answer: PageAnswer, edges: Sequence[_Edge]
    ) -> Generator[int, PageAnswer, None]:
        """In a later attempt, requests all records that are newer than at the first attempt.

        Records that were moved, which may have caused the contradiction, are among them.
        """
        if not self._newest:
            self._newest = answer.keys
        left, page_no = {*self._newest}, answer.page_no
        while len(left := left - {*answer.keys}) > len(self._newest) // 2:
            page_no += -1 if self._is_ascending else 1
            if not 1 <= page_no <= page_of(self._total - 1, self._rows):
                return
            answer = yield from self._ask(page_no)
            self._learn(answer, edges)

    def _middle_page(self, edge: _Edge) -> int:
        pages = self._page_of(edge.lower + 1) + self._page_of(edge.upper - 1)
        return pages // 2

    def _page_of(self, rank: int) -> int:
        """The page of a rank, assuming that as many arrive during this request as during the last one."""
        if self._is_ascending:
            return page_of(rank - 1, self._rows)
        return page_of(self._total + self._drift - rank, self._rows)

    def _check_neighbours(
        self, rank: int, edges: Sequence[_Edge]
    ) -> Generator[int, PageAnswer, None]:
        """Requests the pages around an edge where no later page of the read could contradict it.

        This is needed for an empty span, and for a last page whose few records may all have been moved.
        """
        below, above = rank, rank + 1
        while below in self._keys:
            below -= 1
        while above in self._keys:
            above += 1
        is_end_full = below == 0 and not self._is_ascending and self._total % self._rows == 0
        for each in (below, above):
            if 0 < each <= self._snapshot or (each == 0 and is_end_full):
                self._learn((yield from self._ask(self._page_of(each))), edges)

    def _see(self, rank: int, edges: Sequence[_Edge]) -> Generator[int, PageAnswer, None]:
        if rank <= self._snapshot and rank not in self._keys:
            self._learn((yield from self._ask(self._page_of(rank))), edges)

    def _confirm(self, edges: Sequence[_Edge]) -> Generator[int, PageAnswer, None]:
        """Requests the newest record of the snapshot again, which must have kept its rank."""
        newest = self._keys[self._snapshot]
        for _ in range(_PATIENCE):
            answer = yield from self._ask(self._page_of(self._snapshot))
            self._learn(answer, edges)
            if newest in answer.keys:
                return
        raise ContinuityError("payments arrive faster than they can be searched")

    def _position(self, low: int, high: int, *, is_closed: bool) -> Position:
        size = high - low
        is_from_end = self._is_oldest_first and self._order is Order.NEWEST_FIRST
        is_upwards = is_from_end or self._is_ascending
        ranks = range(low + 1, high + 1)
        return Position(
            span=self._span,
            order=self._order,
            snapshot=high,
            low_watermark=0 if is_upwards else low,
            expected=size,
            remaining=size,
            due=self._seen_at(ranks if is_upwards else ranks[::-1]),
            tail=self._seen_at(ranks[::-1])[::-1] if is_upwards else (),
            is_closed=is_closed,
            is_oldest_first=self._is_oldest_first,
            is_from_end=is_from_end,
        )

    def _seen_at(self, ranks: range) -> tuple[Key, ...]:
        """The keys at the first of these ranks, as far as they were seen without a gap."""
        seen = takewhile(self._keys.__contains__, ranks[:ANCHORS])
        return tuple(map(self._keys.__getitem__, seen))
