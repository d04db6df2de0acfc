"""The values between the planner and the fetcher: answers of pages in, decisions out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.structs import replace

from paywint_async._pagination.position import Key, Order


class ContinuityError(Exception):
    """The answers no longer prove that nothing is missing; the message says why."""

    advice = "continue from the checkpoint, or read it again"


class LateDisorderError(ContinuityError):
    """A page of a span is out of the order of time, after payments of the span were delivered."""

    advice = "read the whole list, without since and until, and select by created_at"


class Contradiction(Exception):
    """An answer contradicts what was delivered.

    ``key`` is set where only the times contradict it: the first record whose time does.
    """

    def __init__(self, answer: PageAnswer, problem: str, key: Key | None = None) -> None:
        super().__init__(f"page {answer.page_no}: {problem}")
        self.key = key


class PageAnswer(msgspec.Struct, frozen=True):
    """One page: opaque records with their keys and times, in the order in which the list is read."""

    page_no: int
    total: int
    records: Sequence[Any]
    keys: Sequence[Key]
    times: Sequence[datetime]
    page: Any = None
    is_from_end: bool = False  # the list is read from its end: offsets count from there

    def read_from_end(self) -> PageAnswer:
        """The page with its records reversed, for a list that is read from its end."""
        if self.is_from_end:
            return self
        records, keys, times = self.records[::-1], self.keys[::-1], [*self.times][::-1]
        return replace(self, records=records, keys=keys, times=times, is_from_end=True)

    def first_offset(self, rows: int) -> int:
        """The offset of its first record, with ``rows`` records a page."""
        if self.is_from_end:
            return max(0, self.total - self.page_no * rows)
        return (self.page_no - 1) * rows

    def fits(self, rows: int) -> bool:
        """Whether the page is as long as its own total says."""
        rest = self.total - (self.page_no - 1) * rows
        return len(self.keys) == max(0, min(rows, rest))

    def shows_end(self, rows: int) -> bool:
        """Whether the page proves that no record follows its last one."""
        return self.page_no == 1 if self.is_from_end else self.total < self.page_no * rows

    def is_sorted(self) -> bool:
        """Whether the times only rise or only fall (equal neighbours are ignored), and differ at all."""
        steps = {(later > earlier) - (later < earlier) for earlier, later in pairwise(self.times)}
        return len(steps - {0}) == 1

    def order(self) -> Order:
        """The order that most of the page's times show; UNKNOWN where as many rise as fall."""
        falls = sum(later < earlier for earlier, later in pairwise(self.times))
        rises = sum(later > earlier for earlier, later in pairwise(self.times))
        if falls == rises:
            return Order.UNKNOWN
        return Order.NEWEST_FIRST if falls > rises else Order.OLDEST_FIRST


def order_of_ends(first: PageAnswer, last: PageAnswer) -> Order:
    """The order of a list in which single records are out of order, from its first and last page."""
    half = (len(first.times) + 1) // 2
    begin, end = sorted(list(first.times)[:half]), sorted(list(last.times)[-half:])
    if not begin or not end or begin[len(begin) // 2] == end[len(end) // 2]:
        return last.order() if first.order() is Order.UNKNOWN else first.order()
    is_falling = begin[len(begin) // 2] > end[len(end) // 2]
    return Order.NEWEST_FIRST if is_falling else Order.OLDEST_FIRST


class Decision(msgspec.Struct, frozen=True):
    """The steps to take after an answer, in the order of the fields."""

    records: Sequence[Any] = ()  # deliver these
    drop_window: bool = False  # end the requests under way, and forget their answers
    ask_first: int | None = None  # request this page before any other; its answer is taken next
    offer: PageAnswer | None = None  # then take this answer, before those under way
