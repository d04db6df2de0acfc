"""The values between the planner and the fetcher: answers of pages in, decisions out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from paywint_async._pagination.position import Key, Order


class ContinuityError(Exception):
    """The answers cannot prove any more that nothing is missing; the message says why."""


class Contradiction(Exception):
    """An answer disagrees with what was delivered; ``key``: where only the times do."""

    def __init__(self, answer: PageAnswer, problem: str, key: Key | None = None) -> None:
        super().__init__(f"page {answer.page_no}: {problem}")
        self.key = key


class PageAnswer(msgspec.Struct, frozen=True):
    """One page as the server returned it: opaque records with their keys and times."""

    page_no: int
    total: int
    records: Sequence[Any]
    keys: Sequence[Key]
    times: Sequence[datetime]
    page: Any = None

    def first_offset(self, rows: int) -> int:
        """The offset of its first record, with ``rows`` records a page."""
        return (self.page_no - 1) * rows

    def fits(self, rows: int) -> bool:
        """Whether it is as long as its own total says."""
        rest = self.total - self.first_offset(rows)
        return len(self.keys) == max(0, min(rows, rest))

    def order(self) -> Order:
        """The order that its times show."""
        falls = sum(later < earlier for earlier, later in pairwise(self.times))
        rises = sum(later > earlier for earlier, later in pairwise(self.times))
        if falls == rises:
            return Order.UNKNOWN
        return Order.NEWEST_FIRST if falls > rises else Order.OLDEST_FIRST


def page_of(offset: int, rows: int) -> int:
    """The page that shows an offset."""
    return max(0, offset) // rows + 1


class Decision(msgspec.Struct, frozen=True):
    """What to do after an answer, in the order of the fields."""

    records: Sequence[Any] = ()  # deliver these
    drop_window: bool = False  # end the requests under way, and forget their answers
    ask_first: int | None = None  # request this page before any other; its answer is taken next
    offer: PageAnswer | None = None  # then take this answer, before those under way
