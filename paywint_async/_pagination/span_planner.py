"""Reads a span of time. Pure: no I/O, no asyncio.

`span` finds the ranks of the span; from there `planner` reads as it reads a whole list, and its
invariant holds with the span in place of the snapshot. Three things differ:

* **The beginning.** The first page that is delivered must show the payment that the search found to be
  the span's first, and before it only payments outside the span; else the search starts over.
* **The end** is a time, not a rank: the read is over when a page shows the payment after the span's last
  one, or the list's end. The rank that the search found for the end is an estimate of how far to fetch
  ahead: a deletion below the span shifts it, and nothing is lost.
* **The delivery** is of payments of the span only: each page must be in the order of time.

**The proof** that none is missing: as many must be delivered as the search has counted. After the search,
a payment of the span that is deleted or moved away makes it one fewer, and one that is inserted among
those not yet read makes it one more; either is an error at the end. (On an oldest-first server a deletion
shifts an unread payment onto a page that was read already: then it is one fewer, too.)

A list that is not in the order of time is read whole, and its payments of the span are delivered. The
same is done where a finished read is continued, as all later arrivals stand together. If disorder shows
only after payments were delivered, it is an error: a payment that was moved produces the same pages,
and only the ids of all delivered payments could tell which ones must not be delivered again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator
from itertools import pairwise

from msgspec.structs import replace

from paywint_async._pagination.decision import (
    Contradiction,
    Decision,
    LateDisorderError,
    PageAnswer,
)
from paywint_async._pagination.planner import Found, Planner, Steps
from paywint_async._pagination.position import Key, Order, Position, Span
from paywint_async._pagination.span import DisorderError, FoundSpan, SpanSearch

_DISORDER = "the list is not in the order of time"


class _DisorderSeen(Contradiction):
    """A page is not in the order of time."""


class SpanPlanner(Planner):
    """One read of a span of one list.

    Args:
        rows: records a page.
        span: the span; that of ``start`` where there is one.
        start: where an earlier read stopped.
        limit: as `Planner`.
    """

    def __init__(
        self, rows: int, span: Span, start: Position | None = None, limit: int | None = None
    ) -> None:
        self._span = span
        self._search = SpanSearch(span, rows, is_oldest_first=self._BLANK.is_oldest_first)
        self._is_resumed = start is not None and not start.is_finished
        self._is_edge_seen = self._is_resumed  # the payment before the span's first one
        if start and start.is_finished and start.is_closed:
            limit = 0  # no new payment can be in the span
        super().__init__(rows, start, limit)

    @property
    def total(self) -> int | None:
        """Number of payments in the span; None before it is known.

        Where the list is read whole, it is known after the last page.
        """
        if self._at.is_filtered and (self.progress.is_disordered or self._span.until is not None):
            return self.progress.handed if self._start is None and self.is_complete else None
        return super().total

    def position(self, unhanded: int = 0) -> Position | None:
        """Does what `Planner.position` does; a span is not finished before its end was seen."""
        if self._is_resumed and self._is_end_seen:  # perhaps without another payment
            return self.progress.position(unhanded)
        position = super().position(unhanded)
        if position is None or position is self._start or position.remaining or self._is_end_seen:
            return position
        return position.before_the_end()

    def _begin(self) -> Steps:
        start = self._start
        if start is None or (start.is_finished and not start.head):
            self.progress.begin(replace(self._BLANK, span=self._span))
            return self._open()
        return super()._begin()

    def _resume(self, contradiction: Contradiction) -> Steps:
        if isinstance(contradiction, _DisorderSeen):
            if self._is_begun:
                raise LateDisorderError(f"{contradiction}, as the others had been")
            self._filter_all(self._at.order)
            return self._open()
        if not self._at.is_by_time:
            return super()._resume(contradiction)
        return self._anchor() if self._is_begun else self._open()

    def _filter_all(self, order: Order) -> None:
        whole = replace(self._BLANK, span=self._span, order=order, is_filtered=True)
        self.progress.begin_span(whole)
        self.progress.is_disordered = True

    def _open(self) -> Steps:
        if not self._at.is_filtered:
            self._is_open = self._is_end_seen = False
            self.progress.at = replace(
                self._at, is_from_end=False
            )  # the search does not reverse pages
            found = yield from self._seek()
            if isinstance(found, FoundSpan):
                return (yield self._begin_at(found))
            self._filter_all(found)
        return (yield from super()._open())

    def _seek(self) -> Generator[Decision, PageAnswer, FoundSpan | Order]:
        """Searches for the span; returns only the list's order where that is not the order of time."""
        search = self._search.run()
        page_no = next(search)
        self._is_streaming, self._is_seeking = False, True
        while True:
            answer = yield Decision(drop_window=True, ask_first=page_no)
            try:
                page_no = search.send(answer)
            except DisorderError as disorder:
                found: FoundSpan | Order = disorder.order
                break
            except StopIteration as end:
                found = end.value
                break
        self._is_streaming, self._is_seeking = True, False
        return found

    def _begin_at(self, found: FoundSpan) -> Decision:
        self.progress.begin_span(found.position)
        self._total = found.total
        # The search's later answers do not show the first page, and prove nothing of what follows it.
        self._agreed_total = (found.first or found).total
        self._drift = self._last_page = 0
        self._is_open = True
        self._is_end_seen = not found.position.remaining
        self._is_edge_seen = found.first is not None or self._at.next_offset(found.total) == 0
        if self._is_end_seen:
            return Decision()
        if found.first is None:
            self._last_page = self._due_page(back=1)
            return Decision(ask_first=self._last_page)
        seen = self._at.next_offset(found.total) + len(found.first.keys)
        self._last_page = self._page_of(seen) - 1
        return Decision(offer=found.first)

    def _find_anchor(self, answer: PageAnswer) -> Found:
        is_known = self.progress.known or not {*self._at.due}.isdisjoint(answer.keys)
        if self._at.is_by_time and not is_known:
            return None
        return (yield from super()._find_anchor(answer))

    def _take(self, answer: PageAnswer, disputed: Key | None) -> Decision:
        if not self._at.is_by_time:
            return super()._take(answer, disputed)
        offset, passed = self._at.next_offset(answer.total), self.progress.passed
        if offset == answer.first_offset(self._rows) and not self._is_edge_seen:
            return Decision(ask_first=self._due_page(back=1), offer=answer)
        decision = super()._take(answer, disputed)
        if decision.ask_first is None:
            self._note_end(answer, offset, self.progress.passed - passed)
        return decision

    def _note_end(self, answer: PageAnswer, offset: int, taken: int) -> None:
        """Ends the read where this page shows the end of the span, whatever rank was estimated."""
        at, first = self._at, answer.first_offset(self._rows)
        _, end = self._shown_span(answer)
        if offset + taken < first + end:  # a limit cut it
            return
        self._is_end_seen = end < len(answer.keys) or answer.shows_end(self._rows)
        if self._is_end_seen or at.remaining < 0:
            self.progress.at = at.placed(offset + taken, answer.total, 0)

    def _count_due(self, answer: PageAnswer, skip: int, due: int) -> int:
        at, expected = self._at, due
        if not at.is_by_time:
            return self._count_filtered(answer, skip, due)
        begin, end = self._shown_span(answer)
        if begin > skip or (not self._is_begun and begin < min(skip, len(answer.keys))):
            raise Contradiction(answer, "the span does not begin where it was found")
        found = zip(at.due, answer.keys[skip:], strict=False)
        if any(one != other for one, other in found):
            raise Contradiction(answer, "the span does not begin with the payment that was found")
        self._is_edge_seen = self._is_edge_seen or 0 < skip <= len(answer.keys)
        due = max(0, end - skip)
        if at.ends_before_the_list:
            if due < expected:
                raise Contradiction(answer, "the span ends before its last payment")
            due = expected
        return due if self._limit is None else min(due, self._limit - self.progress.handed)

    @property
    def _is_begun(self) -> bool:
        return bool(self.progress.known) or self._is_resumed

    def _count_filtered(self, answer: PageAnswer, skip: int, due: int) -> int:
        """Number of due records to pass so that at most the limit of them are within the span."""
        if self._limit is None:
            return due
        left = self._limit - self.progress.handed
        within = [i for i in range(due) if self._span.contains(answer.times[skip + i])]
        return within[left - 1] + 1 if left <= len(within) else due

    def _shown_span(self, answer: PageAnswer) -> tuple[int, int]:
        """The indexes at which the span begins and ends on a page."""
        times, (since, until) = list(answer.times), (self._span.since, self._span.until)
        is_ascending = self._at.is_ascending
        if any(
            (later < earlier) if is_ascending else (later > earlier)
            for earlier, later in pairwise(times)
        ):
            raise _DisorderSeen(answer, _DISORDER)
        if is_ascending:
            begin = 0 if since is None else bisect_left(times, since)
            return begin, len(times) if until is None else bisect_left(times, until)
        times.reverse()
        end = len(times) if since is None else len(times) - bisect_left(times, since)
        return 0 if until is None else len(times) - bisect_left(times, until), end
