"""Where a listing stands, as an immutable value: rank arithmetic, and the keys that prove it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from paywint_async._pagination.decision import PageAnswer

ANCHORS = 8  # ids kept to prove a place: all of them would have to be deleted to lose it

Key: TypeAlias = int  # a payment's id as an integer: UUID objects hash in Python, integers in C


def page_of(offset: int, rows: int) -> int:
    """The page that shows an offset."""
    return max(0, offset) // rows + 1


class Order(StrEnum):
    """In which order the server lists. None is published; detected from the data."""

    UNKNOWN = "unknown"
    NEWEST_FIRST = "newest_first"
    OLDEST_FIRST = "oldest_first"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time: ``since <= time < until``; None: unbounded."""

    since: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        bounds = (("since", self.since), ("until", self.until))
        return " ".join(f"{name} {time.isoformat()}" for name, time in bounds if time)

    def contains(self, time: datetime) -> bool:
        """Whether a moment is in it."""
        return not self.begins_after(time) and (self.until is None or time < self.until)

    def begins_after(self, time: datetime) -> bool:
        """Whether a moment is before it."""
        return self.since is not None and time < self.since


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which records of a list are read, and in which order.

    Args:
        span: those created within it; None: all.
        is_oldest_first: in the order of time; else in the server's.
    """

    span: Span | None = None
    is_oldest_first: bool = False

    def __str__(self) -> str:
        """What follows the name of a list."""
        order = " oldest first" if self.is_oldest_first else ""
        return order if self.span is None else f"{order} {self.span}"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a listing stands; the fields are those of `checkpoint` (its ``floor``: `low_watermark`)."""

    order: Order = Order.UNKNOWN
    snapshot: int = 0
    low_watermark: int = 0
    expected: int = 0
    delivered: int = 0
    remaining: int = 0
    last: tuple[Key, ...] = ()
    head: tuple[Key, ...] = ()
    earlier_head: tuple[Key, ...] = ()
    due: tuple[Key, ...] = ()
    tail: Key | None = None
    is_changed: bool = False
    span: Span | None = None
    is_closed: bool = False  # records newer than the span were there already: none can come into it
    is_filtered: bool = (
        False  # the list is read whatever its times, and delivered as far as they fit
    )
    handed: int = 0  # delivered in all, earlier reads included; not what was filtered out
    is_oldest_first: bool = False  # it is to be delivered in the order of time
    is_from_end: bool = (
        False  # so a newest-first list is read from its end; offsets count from there
    )

    @property
    def selection(self) -> Selection:
        """What the listing reads."""
        return Selection(span=self.span, is_oldest_first=self.is_oldest_first)

    @property
    def is_by_time(self) -> bool:
        """Whether only the pages of a span are read, whose ranks were looked up."""
        return self.span is not None and not self.is_filtered

    @property
    def is_finished(self) -> bool:
        """True once every record of the snapshot has been delivered."""
        return self.remaining == 0 and self.delivered == self.expected

    @property
    def is_ascending(self) -> bool:
        """Whether ranks are read upwards. An unknown order counts as newest first."""
        return self.is_from_end or self.order is Order.OLDEST_FIRST

    @property
    def is_undecided(self) -> bool:
        """Whether the order is still unknown. Above a watermark, arrivals have shown it."""
        return self.order is Order.UNKNOWN and not self.low_watermark

    @property
    def ends_before_the_list(self) -> bool:
        """Whether it ends at a rank, before records that are not part of it; a span, at a time."""
        if self.span is None or self.is_filtered:
            return self.low_watermark > 0 or self.is_ascending
        return self.is_ascending and not self.is_closed

    def page_of(self, offset: int, total: int, rows: int) -> int:
        """The page that shows an offset, in a list of that total."""
        if self.is_from_end:
            offset = total - 1 - max(0, offset)
        return max(0, offset) // rows + 1

    def next_offset(self, total: int) -> int:
        """The offset at which the record due next stands, in a list of that total."""
        base = self.snapshot if self.is_ascending else total - self.low_watermark
        return base - self.remaining

    def opened(self, total: int) -> Position:
        """A read of all that stands above the watermark in a list of that total."""
        size = max(0, total - self.low_watermark)
        return replace(self, snapshot=total, expected=size, remaining=size)

    def reopened(self) -> Position:
        """From a finished read: one of what has arrived above it; newest first."""
        return Position(
            order=self.order,
            low_watermark=self.snapshot,
            earlier_head=self.head,
            is_changed=self.is_changed,
            span=self.span,
            is_filtered=self.span is not None,
            is_oldest_first=self.is_oldest_first,
            handed=self.handed,
        )

    def extended(self) -> Position:
        """From a finished read: one of what has arrived behind it; ranks upwards."""
        return Position(
            order=self.order if self.is_from_end else Order.OLDEST_FIRST,
            is_oldest_first=self.is_oldest_first,
            is_from_end=self.is_from_end,
            snapshot=self.snapshot,
            last=self.last,
            head=self.head or self.earlier_head,
            is_changed=self.is_changed,
            span=self.span,
            is_filtered=self.span is not None,
            handed=self.handed,
        )

    def extended_to(self, total: int, offset: int) -> Position:
        """What stands behind ``offset`` in a list of that total is read next."""
        rest = total - offset
        return replace(self, snapshot=total, expected=rest, remaining=rest)

    def anchored(self, offset: int, total: int) -> Position:
        """With the record due next at ``offset`` of a list of that total, where it was found."""
        if self.is_undecided and total != self.snapshot:
            is_still = offset == self.snapshot - self.remaining
            order = Order.OLDEST_FIRST if is_still else Order.NEWEST_FIRST
            return replace(self, order=order).anchored(offset, total)
        if self.is_by_time:
            return self.placed(offset, total, self.remaining)
        if not self.is_ascending:
            return replace(self, remaining=total - self.low_watermark - offset)
        return replace(self, snapshot=offset + self.remaining).shrunk(total)

    def placed(self, offset: int, total: int, remaining: int) -> Position:
        """A span, with so many records due from ``offset`` on: a guess until its end is seen."""
        left = min(remaining, total - offset)
        if self.is_ascending:
            return replace(self, snapshot=offset + left, remaining=left)
        return replace(self, low_watermark=total - offset - left, remaining=left)

    def shrunk(self, total: int) -> Position:
        """Oldest first: as much of the rest as a list of that total can hold."""
        lost = max(0, self.snapshot - total)
        return replace(self, snapshot=self.snapshot - lost, remaining=self.remaining - lost)

    def anchor_offsets(self, total: int) -> list[int]:
        """Where the key delivered last (else the one due) stands; undecided: one of two offsets."""
        back = 0 if self.due else 1
        offsets = [self.next_offset(total) - back]
        return [*offsets, self.snapshot - self.remaining - back] if self.is_undecided else offsets

    def end_offset(self, total: int) -> int:
        """Where the far end stands: the last record, or the earlier read's newest one."""
        return min(total, self.snapshot) - 1 if self.is_ascending else total - self.low_watermark

    def with_end_in(self, answer: PageAnswer, first_offset: int) -> Position | None:
        """With its far end where this answer shows it; None: it does not."""
        if self.is_ascending:
            shrunk = self.shrunk(answer.total)
            index = shrunk.snapshot - 1 - first_offset
            return (
                replace(shrunk, tail=answer.keys[index]) if 0 <= index < len(answer.keys) else None
            )
        index = _find_head(self.earlier_head, answer.keys)
        if index < 0:
            return None
        low_watermark = answer.total - first_offset - index
        size = max(0, self.snapshot - low_watermark)
        return replace(
            self,
            low_watermark=low_watermark,
            remaining=size,
            expected=size,
            is_changed=self.is_changed or low_watermark != self.low_watermark,
        )

    def differs_from(self, other: Position) -> bool:
        """Whether ranks are not what they are there."""
        return (self.snapshot, self.low_watermark, self.remaining) != (
            other.snapshot,
            other.low_watermark,
            other.remaining,
        )

    def with_delivered(self, keys: Sequence[Key], shown: Sequence[Key]) -> Position:
        """After the delivery of ``keys``; an earlier read had the others of ``shown``."""
        withheld = len(shown) - len(keys)
        return replace(
            self,
            remaining=self.remaining - len(shown),
            expected=self.expected - withheld,
            delivered=self.delivered + len(keys),
            head=self.head if len(self.head) >= ANCHORS else (*self.head, *shown)[:ANCHORS],
            due=(),
            is_changed=self.is_changed or withheld > 0,
        )


def _find_head(head: Sequence[Key], keys: Sequence[Key]) -> int:
    """Where the earlier read's newest records stand in a row (one alone may have been moved), or -1."""
    places = {key: index for index, key in enumerate(keys)}
    for rank, key in enumerate(head):
        index = places.get(key)
        if index is None:
            continue
        below = head[rank + 1 : rank + 2]
        if not below or index + 1 >= len(keys) or keys[index + 1] == below[0]:
            return index
    return -1
