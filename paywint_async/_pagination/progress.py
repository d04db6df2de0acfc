"""The progress of a read: what was delivered, and which records of an answer may follow. Pure.

The proof is in `planner`. Methods that answer a question change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import compress, pairwise
from typing import Any

from msgspec.structs import replace

from paywint_async._pagination.decision import ContinuityError, PageAnswer
from paywint_async._pagination.known_keys import KnownKeys
from paywint_async._pagination.position import ANCHORS, Key, Order, Position

_CHANGED = "payments of the earlier read were deleted or moved since"


class Progress:
    """The position of a read (`at`), and the keys and times of what it has delivered."""

    def __init__(self, at: Position) -> None:
        self.handed = 0  # delivered by this read, without earlier reads
        self.passed = 0  # delivered, withheld or filtered out by this read
        self.is_disordered = False  # the list is not in the order of time
        self._batch_size = 0  # of a filtered read: records looked at for the latest batch,
        self._places: Sequence[int] = ()  # and where among them those of the span stand
        self._is_order_shown = at.order is not Order.UNKNOWN  # by times, not merely by places
        self._last_time: datetime | None = None  # of the record delivered last
        self._shift = 0  # oldest first: by how many offsets the rest of the snapshot moved
        # The rank at which a shift of ranks was noticed: newest first the first such, else the last.
        self._shifted_at: int | None = None
        self._is_reported = False  # an error has reported the change
        self.begin(at)

    def begin(self, at: Position) -> None:
        """Begins a read at this position."""
        self.at, self.known = at, KnownKeys(at.last)

    def begin_span(self, at: Position) -> None:
        """Begins a read of a span that was looked up, which has also shown the order."""
        self._is_order_shown = at.order is not Order.UNKNOWN
        self.begin(at)

    # -- questions -------------------------------------------------------------------------------

    @property
    def undelivered(self) -> int:
        """Number of records of the snapshot that have not been delivered."""
        return max(0, self.at.expected - self.at.delivered)

    @property
    def doubtful_ranks(self) -> tuple[int, int]:
        """The highest and the lowest rank that may be missing or moved, if the read ends here."""
        at = self.at
        if not at.is_ascending:
            return max(self._shifted_at or at.remaining, 1), at.low_watermark + 1
        is_read = not at.remaining
        first, due = at.snapshot - self._shift - at.expected + 1, at.snapshot - at.remaining + 1
        highest = self._shifted_at if is_read and self._shifted_at else at.snapshot
        return max(highest, 1), max(first if is_read or self._shifted_at else due, 1)

    def problem(self, answer: PageAnswer, skip: int, due: int, first: int) -> str | None:
        """The reason why the ``due`` records after the first ``skip`` must not be delivered, or None."""
        if not self.known.agree(answer.keys, skip):
            return "two answers name different payments at one rank"
        if not self.known.are_new(answer.keys[skip : skip + due]):
            return "a payment that was already delivered stands further on again"
        below = answer.total - self.at.low_watermark - first
        is_shown = 0 <= below < len(answer.keys)
        if is_shown and not self.at.is_by_time and answer.keys[below] not in self.at.earlier_head:
            return "the earlier read does not begin where this one ends"
        return None

    def time_jumps(self, time: datetime) -> bool:
        """Whether a record of that time cannot follow the one delivered last, in the list's order."""
        last = self._last_time
        is_out_of_order = self.at.is_filtered and self.is_disordered
        if last is None or is_out_of_order or self.at.order is Order.UNKNOWN:
            return False
        return time < last if self.at.is_ascending else time > last

    def position(self, unhanded: int) -> Position:
        """The position of the read; the last ``unhanded`` records do not count as delivered."""
        at, handed = self.at, self.at.handed + self.handed - unhanded
        if at.is_filtered and unhanded:  # what was filtered out before them counts as delivered
            unhanded = self._batch_size - self._places[-unhanded]
        is_over = at.remaining + unhanded == 0
        problem = self._final_problem() if is_over else at.is_changed
        last, unread = self.known.split(unhanded)
        return replace(
            at,
            order=at.order if self._is_order_shown else Order.UNKNOWN,
            snapshot=at.snapshot - (self._miscount if self._is_reported else self._shift),
            expected=at.delivered if self._is_reported else at.expected,  # else the next read does
            delivered=at.delivered - unhanded,
            handed=handed,
            remaining=at.remaining + unhanded,
            last=last[-ANCHORS:],
            # After a read of few records, those of the earlier read follow directly.
            head=(at.head + at.earlier_head)[:ANCHORS] if is_over else at.head,
            due=() if last else unread[:ANCHORS] or at.due,
            is_changed=bool(problem) and not self._is_reported,
        )

    @property
    def _miscount(self) -> int:
        """By how many ranks the newest record is lower than counted; 0 where that was corrected."""
        at = self.at
        return 0 if at.is_ascending or at.is_by_time else at.expected - at.delivered

    def _final_problem(self) -> str | None:
        at = self.at
        if at.delivered != at.expected:
            return f"{at.delivered} payments were there, where {at.expected} had been counted"
        if at.tail and not self.known.ends_with(at.tail[-at.delivered :]):
            return "the last payments are not those that were last at the beginning"
        if self._shift > 0:
            return "payments appeared among those that were already read"
        return _CHANGED if at.is_changed else None

    # -- what changes it -------------------------------------------------------------------------

    def conclude(self) -> None:
        """Raises ContinuityError if the finished read has a wrong count or a wrong last key."""
        if problem := self._final_problem():
            self._is_reported = True
            raise ContinuityError(problem)

    def detect_order(self, answer: PageAnswer) -> None:
        """Notes the order of the list, once the times of an answer show it."""
        if self.at.order is Order.UNKNOWN and (order := answer.order()) is not Order.UNKNOWN:
            self._is_order_shown, self.at = True, replace(self.at, order=order)

    def settle_order(self, order: Order) -> None:
        """Notes the order of the list for good; UNKNOWN where no times show one."""
        self._is_order_shown = order is not Order.UNKNOWN
        self.at = replace(self.at, order=order)

    def extend(self, answer: PageAnswer, offset: int, skip: int) -> None:
        """Begins at ``offset``, after an earlier read's last record; notes a change if that has moved."""
        is_still = skip and offset == self.at.snapshot and self.known.agree(answer.keys, skip)
        self.at = self.at.extended_to(answer.total, offset)
        if not is_still:
            self.at = replace(self.at, is_changed=True)

    def re_anchor(self, moved: Position, offset: int) -> None:
        """Continues at ``offset`` with the position ``moved``, and notes by how much ranks shifted."""
        at = self.at
        if moved.is_ascending:
            if shift := offset - at.snapshot + at.remaining:
                self._shift, self._shifted_at = self._shift + shift, offset
        elif self._shifted_at is None and moved.remaining != at.remaining:
            self._shifted_at = at.remaining
        self.at = moved

    def pass_over(self, answer: PageAnswer, skip: int) -> None:
        """Accepts a page's first ``skip`` records as those before the record due next."""
        self.known.re_anchor(answer.keys[:skip])
        if skip and self._last_time is None:  # else the time of the record delivered last stays
            self._last_time = answer.times[skip - 1]

    def deliver(self, answer: PageAnswer, skip: int, due: int) -> Sequence[Any]:
        """Notes ``due`` records as delivered; returns them without those of an earlier read."""
        shown = keys = answer.keys[skip : skip + due]
        records, earlier = answer.records[skip : skip + due], self.at.earlier_head
        if not {*earlier}.isdisjoint(shown):  # moved above the watermark since that read
            is_new = [key not in earlier for key in shown]
            keys, records = list(compress(keys, is_new)), list(compress(records, is_new))
        self.known.add(keys)
        self.at = self.at.with_delivered(keys, shown)
        if self.at.is_oldest_first and not self.is_disordered:
            times = [*answer.times][skip : skip + due]
            begin = self._last_time or times[0]
            self.is_disordered = any(one > other for one, other in pairwise((begin, *times)))
        self._last_time = answer.times[skip + due - 1]
        if self.at.is_filtered:
            records = self._filter(answer, keys, records)
        self.handed += len(records)
        self.passed += due
        return records

    def _filter(
        self, answer: PageAnswer, keys: Sequence[Key], records: Sequence[Any]
    ) -> Sequence[Any]:
        assert self.at.span is not None
        within = self.at.span.contains
        times = dict(zip(answer.keys, answer.times, strict=True))
        self._places = [index for index, key in enumerate(keys) if within(times[key])]
        self._batch_size = len(keys)
        return [records[index] for index in self._places]
