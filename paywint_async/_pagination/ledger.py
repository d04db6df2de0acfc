"""What of a snapshot has been delivered, where the rest stands, what an answer proves. Pure.

**The invariant.** A snapshot is the records that existed at the first answer. They are delivered in
the server's order; `remaining` are left, and the one due next stands at offset ``base - remaining`` of
the server's list. Newest first, ``base`` is the list's total less the floor (arrivals push everything
down, so ranks count from the oldest end); oldest first, it is the snapshot (arrivals come behind).
`recent` holds the keys delivered last, the very last one at the end.

**The proof.** An answer to page ``p`` of ``R`` rows shows the offsets from ``(p-1)R`` on. Its part
behind the frontier is taken only if the page is as long as its total says, the offsets that overlap
what was delivered hold the same keys, nothing new repeats a recent key, and time does not jump
across the seam: then it follows the last delivered record without a gap, so nothing is lost and
nothing comes twice. What shifts ranks unseen (a deletion further on) shows at the end, where
`delivered` must equal `expected`, and an oldest-first read must end on `tail`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from paywint_async._pagination.position import ANCHORS, Key, Order, Position

_CHANGED = "payments of the earlier read were deleted or moved since"
_KNOWN = 1000  # keys that may not come again, before all but the recent ones are forgotten
_RECENT = 300  # three of the largest pages: an overlap is checked against up to that many keys


class Answer(msgspec.Struct, frozen=True):
    """One page as the server told it: opaque records with their keys and times."""

    page_no: int
    total: int
    records: Sequence[Any]
    keys: Sequence[Key]
    times: Sequence[datetime]
    page: Any = None


class Ledger:
    """The books of one read of one list. Fields: those of `Position`, and what this run adds."""

    def __init__(self, rows: int, start: Position | None) -> None:
        opening = start or Position(snapshot=0, expected=0, delivered=0, remaining=0)
        self.rows = rows
        self.order = opening.order
        self.snapshot = opening.snapshot
        self.floor = opening.floor
        self.expected = opening.expected
        self.delivered = opening.delivered
        self.remaining = opening.remaining
        self.handed = 0  # delivered by this run, earlier ones not counted
        self.tail = opening.tail
        self.floor_head: tuple[Key, ...] = opening.floor_head
        self.head = list(opening.head)
        self._kept_heads = len(self.head)  # of those, how many were delivered before this run
        self.recent: deque[Key] = deque(opening.last, maxlen=_RECENT)
        self._entered = list(self.recent)  # the same, and older ones that are still at hand
        self._known = set(self._entered)
        self.due: tuple[Key, ...] = opening.due
        self.is_anchored = (
            False  # the last delivered key was just seen: the seam needs no other proof
        )
        self.floor_problem = _CHANGED if start and start.is_changed else None
        self.is_told = False  # of that problem
        self._slid = 0  # oldest first: from under the snapshot; the next read says it
        self.shifted_at: int | None = None  # the rank at which ranks first turned out to have moved
        self._last_time: datetime | None = None
        self._disputed: Key | None = None
        self._is_certain = self.order is not Order.UNKNOWN  # told by times, not merely by places

    @property
    def undelivered(self) -> int:
        """How many records of the snapshot were not delivered; negative: more than there were."""
        return self.expected - self.delivered

    @property
    def is_oldest_first(self) -> bool:
        """Whether arrivals come behind the end. An unknown order counts as newest first."""
        return self.order is Order.OLDEST_FIRST

    @property
    def is_undecided(self) -> bool:
        """Whether arrivals may be on either side. With a floor they were seen before the head."""
        return self.order is Order.UNKNOWN and not self.floor

    # -- where things stand ----------------------------------------------------------------------

    def offset_of(self, page_no: int) -> int:
        """The offset of a page's first record."""
        return (page_no - 1) * self.rows

    def page_of(self, offset: int) -> int:
        """The page that shows an offset."""
        return max(0, offset) // self.rows + 1

    def frontier(self, total: int) -> int:
        """The offset at which the record due next stands, in a list of that total."""
        return (self.snapshot if self.is_oldest_first else total - self.floor) - self.remaining

    # -- how a read begins -----------------------------------------------------------------------

    def open(self, total: int) -> None:
        """Fixes the snapshot: all that stands above the floor now."""
        self.snapshot = total
        self.remaining = self.expected = max(0, total - self.floor)
        self.recent.clear()
        self._entered.clear()
        self._known.clear()

    def reopen(self) -> None:
        """Takes a finished read's snapshot as the floor of a new one; newest first."""
        self.floor, self.floor_head = self.snapshot, tuple(self.head)
        self.head, self._kept_heads, self.delivered = [], 0, 0

    def extend(self) -> None:
        """Takes a finished read's last record as the one before a new one; oldest first."""
        self.head = self.head or list(self.floor_head)  # of the list, which begins as it did
        self._kept_heads = len(self.head)
        self.delivered, self.remaining, self.tail = 0, 0, None
        self.floor, self.floor_head = 0, ()

    def claim(self, offset: int, answer: Answer) -> int:
        """How many ranks it would move, to continue at ``offset``; 0: all is where it should be."""
        if self.is_undecided and offset == self.snapshot - self.remaining:
            return 0
        return self.frontier(answer.total) - offset

    def claim_floor(self, answer: Answer) -> int:
        """How many ranks the floor would move, told by where the earlier read's records stand."""
        place = None if self.is_oldest_first else self._find_floor(answer.keys)
        if place is None:
            return 0
        return answer.total - self.offset_of(answer.page_no) - place - self.floor

    def anchor(self, offset: int, answer: Answer, *, is_extended: bool) -> bool:
        """Continues at ``offset``, right behind the last delivered key. False: that cannot be."""
        if self.is_undecided and answer.total != self.snapshot:
            is_still = offset == self.snapshot - self.remaining
            self.order = Order.OLDEST_FIRST if is_still else Order.NEWEST_FIRST
        remaining = self.remaining
        if is_extended:
            self.snapshot = answer.total
            self.remaining = self.expected = answer.total - offset
        elif self.is_oldest_first:
            self._slid += self.snapshot - offset - self.remaining
            self.snapshot = offset + self.remaining
        else:
            self.remaining = answer.total - self.floor - offset
        if remaining != self.remaining and not is_extended and self.shifted_at is None:
            self.shifted_at = remaining
        self._know(answer, offset - self.offset_of(answer.page_no))
        return self.remaining >= 0

    def check_extension(self, offset: int, answer: Answer) -> None:
        """Notes where the earlier read's last records do not stand right before ``offset`` any more."""
        skip = offset - self.offset_of(answer.page_no)
        if offset != self.snapshot or not skip or not self._overlap_agrees(answer.keys, skip):
            self.floor_problem = _CHANGED

    def _know(self, answer: Answer, index: int) -> None:
        self.is_anchored = True
        above = answer.keys[:index]  # the frontier: none of them may come again
        self._entered.extend(above)
        self._known.update(above)
        if index:
            self._last_time = answer.times[index - 1]

    # -- what an answer proves -------------------------------------------------------------------

    def fits(self, answer: Answer) -> bool:
        """Whether the page is as long as its own total says."""
        rest = answer.total - self.offset_of(answer.page_no)
        return len(answer.keys) == max(0, min(self.rows, rest))

    def detect_order(self, answer: Answer) -> Order:
        """The order, told from the first page whose times differ."""
        if self.order is Order.UNKNOWN:
            falls = sum(later < earlier for earlier, later in pairwise(answer.times))
            rises = sum(later > earlier for earlier, later in pairwise(answer.times))
            if falls != rises:
                self._is_certain = True
                self.order = Order.NEWEST_FIRST if falls > rises else Order.OLDEST_FIRST
        return self.order

    def problem(self, answer: Answer, skip: int, fresh: Sequence[Key]) -> str | None:
        """Why ``fresh`` (the answer's keys behind its first ``skip``) may not be delivered, or None.

        Where there is no problem they are known from now on, and have to be delivered or withheld.
        """
        if not self._overlap_agrees(answer.keys, skip):
            return "two answers name different payments at one rank"
        size = len(self._known)
        self._known.update(fresh)  # one walk: what was known, or comes twice, does not make it grow
        if len(self._known) != size + len(fresh):
            self._known = set(self._entered)
            return "a payment that was already delivered stands further on again"
        problem = self._misplacement(answer, skip, fresh)
        if problem is not None:
            self._known.difference_update(fresh)
        return problem

    def _misplacement(self, answer: Answer, skip: int, fresh: Sequence[Key]) -> str | None:
        if fresh and not self.is_anchored and self._time_jumps(answer.times[skip], fresh[0]):
            return "the times of two pages contradict the order of the list"
        floor = answer.total - self.floor - self.offset_of(answer.page_no)
        if (
            self.floor
            and 0 <= floor < len(answer.keys)
            and answer.keys[floor] not in self.floor_head
        ):
            return "the earlier read does not begin where this one ends"
        return None

    def _overlap_agrees(self, keys: Sequence[Key], skip: int) -> bool:
        start, stop = max(0, skip - len(self.recent)), min(skip, len(keys))
        if start >= stop:  # no overlap, as a rule
            return True
        recent, shift = list(self.recent), len(self.recent) - skip
        return list(keys[start:stop]) == recent[shift + start : shift + stop]

    def _time_jumps(self, time: datetime, key: Key) -> bool:
        if self._last_time is None or self.order is Order.UNKNOWN or key == self._disputed:
            return False
        jumps = time < self._last_time if self.is_oldest_first else time > self._last_time
        self._disputed = key if jumps else None  # two answers that agree outweigh the times
        return jumps

    def find_end(self, answer: Answer) -> bool:
        """Whether the answer shows the snapshot's far end, which is then noted."""
        first = self.offset_of(answer.page_no)
        if self.is_oldest_first:
            index = self.snapshot - 1 - first
            if 0 <= index < len(answer.keys):
                self.tail = answer.keys[index]
                return True
            return False
        if self._find_floor(answer.keys) is None:
            return False
        if claim := self.claim_floor(answer):
            self.floor_problem = _CHANGED
        self.floor += claim
        self.remaining = self.expected = max(0, self.snapshot - self.floor)
        return True

    def _find_floor(self, keys: Sequence[Key]) -> int | None:
        """Where the earlier read's newest records stand in a row: one alone may have been moved."""
        places = {key: index for index, key in enumerate(keys)}
        for rank, key in enumerate(self.floor_head):
            index = places.get(key)
            if index is None:
                continue
            below = self.floor_head[rank + 1 : rank + 2]
            if not below or index + 1 >= len(keys) or keys[index + 1] == below[0]:
                return index
        return None

    def find_last(self, answer: Answer) -> list[int]:
        """The indexes at which the answer shows recently delivered keys."""
        recent = set(self.recent)
        return [index for index, key in enumerate(answer.keys) if key in recent]

    def find_due(self, answer: Answer) -> int | None:
        """The offset of the first key that is due, where nothing was delivered yet, and it shows."""
        index = next((i for i, key in enumerate(answer.keys) if key in self.due), None)
        return None if index is None else self.offset_of(answer.page_no) + index

    def forget_missing(self, seen: Sequence[Key]) -> None:
        """Drops recent keys that should stand among ``seen`` (deleted since): they prove nothing."""
        recent = list(self.recent)
        if seen:
            self.recent = deque([*recent[: recent.index(seen[0])], *seen], maxlen=_RECENT)

    # -- keeping the books -----------------------------------------------------------------------

    def withhold(self, shown: Sequence[Key], fresh: Sequence[Key]) -> None:
        """Enters as delivered what the earlier read had already, and what was moved since."""
        withheld = len(shown) - len(fresh)
        self._known.difference_update(set(shown).difference(fresh))
        self.remaining -= withheld
        self.expected -= withheld
        self._kept_heads += withheld
        self.floor_problem = _CHANGED

    def deliver(self, shown: Sequence[Key], fresh: Sequence[Key], last_time: datetime) -> None:
        """Enters ``fresh`` as delivered, in order; ``shown`` also has what is withheld."""
        if len(self.head) < ANCHORS:
            self.head.extend(shown[: ANCHORS - len(self.head)])
        self.recent.extend(fresh)
        self._entered.extend(fresh)
        if len(self._entered) > _KNOWN:
            self._entered = list(self.recent)
            self._known = set(self._entered)
        self._last_time = last_time
        self.remaining -= len(fresh)
        self.delivered += len(fresh)
        self.handed += len(fresh)
        self.due = ()
        self.is_anchored = False

    def final_problem(self) -> str | None:
        """Why a read that is over does not add up, or None."""
        if self.delivered != self.expected:
            return f"{self.delivered} payments were there, where {self.expected} had been counted"
        if self.is_oldest_first and self.tail is not None and self.recent[-1] != self.tail:
            return "the last payment is not the one that was last at the beginning"
        return self.floor_problem

    def position(self, unhanded: int) -> Position:
        """Where the read stands, ``unhanded`` of the last records not counted as delivered."""
        recent, due = list(self.recent), list(self.due)
        if unhanded:
            recent, due = recent[:-unhanded], recent[-unhanded:]
        delivered = self.delivered - unhanded
        is_over = self.remaining + unhanded == 0
        problem = self.final_problem() if is_over else self.floor_problem
        head = tuple(self.head[: min(ANCHORS, self._kept_heads + self.handed - unhanded)])
        if is_over:  # a short read: the earlier one's come right behind
            head = (head + self.floor_head)[:ANCHORS]
        return Position(
            order=self.order if self._is_certain else Order.UNKNOWN,
            snapshot=self.snapshot + self._slid,
            floor=self.floor,
            expected=self.expected,
            delivered=delivered,
            remaining=self.remaining + unhanded,
            last=tuple(recent[-ANCHORS:]),
            head=head,
            floor_head=self.floor_head,
            due=() if recent else tuple(due[:ANCHORS]),
            tail=self.tail,
            is_changed=problem is not None and not self.is_told,
        )
