"""Reads one list in the order of time: ranks upwards, whatever the server's order. Pure.

Every list of an oldest-first server is read in this way. A newest-first list is read *from its end*:
the records of each page are reversed, so that offsets count from the end (`offset = rank - 1`), and the
list then behaves like an oldest-first one. (Page p of R rows, in a list of T records, shows the ranks
`T - (p - 1)·R` down to `T - p·R + 1`.) The proof is in `planner`; two things differ:

* the first answer shows the snapshot's newest record, the `tail`, so that the end need not be looked up;
* arrivals do not change offsets, but they push records to other pages: an answer may begin after the
  next offset, and then waits for the page that shows it now.

Where all times are equal, every order is that of time, and the list is read in the server's order. Where
the times contradict the order of the list, the ranks are still delivered upwards, and
`Progress.is_disordered` is set.
"""

from __future__ import annotations

from collections.abc import Generator

from msgspec.structs import replace

from paywint_async._pagination.decision import (
    Contradiction,
    Decision,
    PageAnswer,
    order_of_ends,
)
from paywint_async._pagination.planner import Planner, Steps
from paywint_async._pagination.position import ANCHORS, Key, Order, Position, Selection, page_of
from paywint_async._pagination.span_planner import SpanPlanner

_OUTRUN = "payments arrive faster than the order of the list can be detected"


class OldestFirstPlanner(Planner):
    """One read of a whole list, oldest first; arguments as `Planner`."""

    _BLANK = Position(is_oldest_first=True)
    _waiting: PageAnswer | None = None  # begins behind the offset that is due
    _is_begin_seen = False  # that no record precedes the first one
    _sought_total = 0  # of the latest answer that was requested after all that is known

    def accept(self, answer: PageAnswer) -> Decision:
        """Does what `Planner.accept` does."""
        if self._is_sought:
            self._sought_total = answer.total
        return super().accept(answer)

    def _begin(self) -> Steps:
        start = self._start
        if start is None or not start.is_finished or start.is_ascending:
            return super()._begin()
        self.progress.begin(self._BLANK if not start.head else replace(start, last=()))
        return self._open() if not start.head else self._extend_unordered(start)

    def _resume(self, contradiction: Contradiction) -> Steps:
        is_unbegun = self._start is None and self._at.is_from_end and not self.progress.known
        return self._open() if is_unbegun else super()._resume(contradiction)

    def _extend_unordered(self, start: Position) -> Steps:
        """Continues a finished read of a list whose order is unknown, or known only from arrivals."""
        first = yield from self._get(1)
        yield from self._find_order(first)
        if self._at.order is Order.UNKNOWN:
            is_behind = first.total > start.snapshot and {*first.keys[:1]} == {*start.head[:1]}
            self.progress.settle_order(Order.OLDEST_FIRST if is_behind else Order.NEWEST_FIRST)
        if self._at.is_ascending:
            return (yield from self._extend(start, first))
        turned = replace(start, order=self._at.order, is_from_end=True, last=start.head[::-1])
        return (yield from self._extend(turned, first.read_from_end()))

    def _open(self) -> Steps:
        self._is_open = self._is_begin_seen = False
        first = yield from self._get(1)
        self._drift = 0
        yield from self._find_order(first)
        if self._at.order is not Order.NEWEST_FIRST:
            return (yield from self._open_with(first))
        first = first.read_from_end()
        at = replace(self._at, is_from_end=True, tail=tuple(first.keys[-ANCHORS:]))
        self.progress.at = at.opened(first.total)
        self._is_open, self._last_page, self._drift = True, 1, 0
        if first.first_offset(self._rows) == 0:
            return first
        self._kept = first
        return (yield Decision())

    def _find_order(self, first: PageAnswer) -> Generator[Decision, PageAnswer, None]:
        """Finds the order from the first page, or from both ends of the list if that is not enough."""
        if self._at.order is not Order.UNKNOWN:
            return
        last = first
        if not first.is_sorted() and first.total > self._rows:
            last = yield from self._see_end()
            if last.total == first.total and not {*first.keys}.isdisjoint(last.keys):
                raise Contradiction(last, "it shows payments of the first page")
        self.progress.settle_order(order_of_ends(first, last))

    def _see_end(self) -> Steps:
        """Requests the list's last page, again where arrivals have made another page the last one."""
        while True:
            answer = yield from self._get(page_of(self._total + self._drift - 1, self._rows))
            if answer.keys and answer.total <= answer.page_no * self._rows:
                return answer
            self._lose_patience(1, _OUTRUN)

    def _take(self, answer: PageAnswer, disputed: Key | None) -> Decision:
        if self._is_begin_unproved(answer):
            return Decision(ask_first=answer.page_no + 1, offer=answer)
        decision = super()._take(answer, disputed)
        if decision.offer is not answer or not self._at.is_from_end:
            return decision
        if answer is self._waiting and self._sought_total < answer.total:
            # Its total may have been wrong, and its offsets with it.
            self._total = self._sought_total
            return Decision(ask_first=self._due_page())
        self._waiting = answer
        return decision

    def _is_begin_unproved(self, answer: PageAnswer) -> bool:
        """Whether the page after a full page must be requested, to show that it is empty."""
        rows, at = self._rows, self._at
        if not at.is_from_end or self.progress.known or at.next_offset(answer.total) != 0:
            return False
        self._is_begin_seen = self._is_begin_seen or answer.total < answer.page_no * rows
        return not self._is_begin_seen and answer.first_offset(rows) == 0


class OldestFirstSpanPlanner(SpanPlanner, OldestFirstPlanner):
    """One read of a span of time, oldest first; arguments as `SpanPlanner`."""


def make_planner(
    rows: int, selection: Selection, start: Position | None = None, limit: int | None = None
) -> Planner:
    """Returns the planner for a read of the whole list or a span, in either order."""
    if selection.span is None:
        make = OldestFirstPlanner if selection.is_oldest_first else Planner
        return make(rows, start, limit)
    make_span = OldestFirstSpanPlanner if selection.is_oldest_first else SpanPlanner
    return make_span(rows, selection.span, start, limit)
