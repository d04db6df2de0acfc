"""The position of a read as an immutable value: rank arithmetic, and keys that prove it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from paywint_async._pagination.decision import PageAnswer

ANCHORS = 8  # ids kept to prove a position, which is lost only if all of them are deleted

Key: TypeAlias = int  # a payment's id as an integer: UUID objects hash in Python, integers in C


def page_of(offset: int, rows: int) -> int:
    """The page that shows an offset."""
    return max(0, offset) // rows + 1


class Order(StrEnum):
    """The server's list order. Source: none is published; it is detected from the data."""

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
        """Whether the span contains a moment."""
        return not self.begins_after(time) and (self.until is None or time < self.until)

    def begins_after(self, time: datetime) -> bool:
        """Whether a moment is before the span."""
        return self.since is not None and time < self.since


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The records of a list that are read, and their order.

    Args:
        span: only records created within it; None: all.
        is_oldest_first: read in the order of time; else in the server's order.
    """

    span: Span | None = None
    is_oldest_first: bool = False

    def __str__(self) -> str:
        """The description that is appended to the name of a list, such as " oldest first"."""
        order = " oldest first" if self.is_oldest_first else ""
        return order if self.span is None else f"{order} {self.span}"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """The position of a read. `checkpoint` explains the fields, and has their names in JSON."""

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
    tail: tuple[
        Key, ...
    ] = ()  # the last records of the snapshot, as far as they were seen together
    is_changed: bool = False
    span: Span | None = None
    is_closed: bool = False  # the list has newer records than the span, which cannot grow
    is_filtered: bool = (
        False  # the whole list is read, and its records within the span are delivered
    )
    handed: int = 0  # delivered in all, earlier reads included, without those filtered out
    is_oldest_first: bool = False  # deliver in the order of time
    is_from_end: bool = (
        False  # a newest-first list is read from its end, and offsets count from there
    )

    @property
    def selection(self) -> Selection:
        """The selection of the listing that is read."""
        return Selection(span=self.span, is_oldest_first=self.is_oldest_first)

    @property
    def is_by_time(self) -> bool:
        """Whether only the pages of a span are read, whose ranks were looked up before."""
        return self.span is not None and not self.is_filtered

    @property
    def is_finished(self) -> bool:
        """Whether every record of the snapshot has been delivered."""
        return self.remaining == 0 and self.delivered == self.expected

    @property
    def is_ascending(self) -> bool:
        """Whether ranks are read upwards. An unknown order counts as newest first."""
        return self.is_from_end or self.order is Order.OLDEST_FIRST

    @property
    def is_undecided(self) -> bool:
        """Whether the order is still unknown. A low watermark shows that arrivals come first."""
        return self.order is Order.UNKNOWN and not self.low_watermark

    @property
    def ends_before_the_list(self) -> bool:
        """Whether the read ends at a given rank; else it ends at a time, or with the list."""
        if self.span is None or self.is_filtered:
            return self.low_watermark > 0 or self.is_ascending
        return self.is_ascending and not self.is_closed

    def page_of(self, offset: int, total: int, rows: int) -> int:
        """The page that shows an offset, in a list of ``total`` records."""
        if self.is_from_end:
            offset = total - 1 - max(0, offset)
        return max(0, offset) // rows + 1

    def next_offset(self, total: int) -> int:
        """The offset of the record due next, in a list of ``total`` records."""
        base = self.snapshot if self.is_ascending else total - self.low_watermark
        return base - self.remaining

    def opened(self, total: int) -> Position:
        """The start of a read of all records above the watermark in a list of ``total`` records."""
        size = max(0, total - self.low_watermark)
        return replace(self, snapshot=total, expected=size, remaining=size)

    def reopened(self) -> Position:
        """Newest first: the start of a read of what has arrived since this one was finished."""
        return Position(
            order=self.order,
            low_watermark=self.snapshot,
            earlier_head=self.head,
            is_changed=self.is_changed,
            span=self.span,
            is_filtered=self.span is not None,
            handed=self.handed,
        )

    def extended(self) -> Position:
        """Ranks upwards: the start of a read of what has arrived since this one was finished."""
        return Position(
            order=self.order if self.is_from_end else Order.OLDEST_FIRST,
            is_oldest_first=self.is_oldest_first,
            is_from_end=self.is_from_end,
            snapshot=self.snapshot,
            last=self.last,
            head=self.head,
            is_changed=self.is_changed,
            span=self.span,
            is_filtered=self.span is not None,
            handed=self.handed,
        )

    def extended_to(self, total: int, offset: int) -> Position:
        """The position before a read of all records from ``offset`` on in a list of ``total`` records."""
        rest = total - offset
        return replace(self, snapshot=total, expected=rest, remaining=rest)

    def anchored(self, offset: int, total: int) -> Position:
        """The position adjusted to where the record due next was found: ``offset`` of ``total``."""
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
        """The position in a span with ``remaining`` records from ``offset`` on.

        The number is an estimate until the end of the span has been seen.
        """
        left = min(remaining, total - offset)
        if self.is_ascending:
            return replace(self, snapshot=offset + left, remaining=left)
        return replace(self, low_watermark=total - offset - left, remaining=left)

    def before_the_end(self) -> Position:
        """The position in a span whose end was not seen yet: another record may belong to it."""
        if not self.is_by_time or self.ends_before_the_list:
            return self
        if self.is_ascending:
            return replace(self, snapshot=self.snapshot + 1, remaining=1)
        low_watermark = self.low_watermark - 1
        return (
            self if low_watermark < 0 else replace(self, low_watermark=low_watermark, remaining=1)
        )

    def shrunk(self, total: int) -> Position:
        """Oldest first: the position with no more records remaining than a list of ``total`` can hold."""
        lost = max(0, self.snapshot - total)
        return replace(self, snapshot=self.snapshot - lost, remaining=self.remaining - lost)

    def anchor_offsets(self, total: int) -> list[int]:
        """Possible offsets of the key delivered last, else of the one due; two while undecided."""
        back = 0 if self.due else 1
        offsets = [self.next_offset(total) - back]
        return [*offsets, self.snapshot - self.remaining - back] if self.is_undecided else offsets

    def end_offset(self, total: int) -> int:
        """The offset of the snapshot's last record; newest first, of the earlier read's newest record."""
        return min(total, self.snapshot) - 1 if self.is_ascending else total - self.low_watermark

    def with_end_in(self, answer: PageAnswer, first_offset: int) -> Position | None:
        """The position corrected by an answer that shows the snapshot's end; None if it does not."""
        if self.is_ascending:
            shrunk = self.shrunk(answer.total)
            index = shrunk.snapshot - 1 - first_offset
            if not 0 <= index < len(answer.keys):
                return None
            return replace(shrunk, tail=tuple(answer.keys[: index + 1][-ANCHORS:]))
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
        """Whether the two positions have different ranks."""
        return (self.snapshot, self.low_watermark, self.remaining) != (
            other.snapshot,
            other.low_watermark,
            other.remaining,
        )

    def with_delivered(self, keys: Sequence[Key], shown: Sequence[Key]) -> Position:
        """The position after delivery of ``keys``; an earlier read delivered the others of ``shown``."""
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
    """The index at which two of the earlier read's newest records stand in a row, or -1.

    A single one is not enough, as it may have been moved, except at the end of ``head`` or ``keys``.
    """
    places = {key: index for index, key in enumerate(keys)}
    for rank, key in enumerate(head):
        index = places.get(key)
        if index is None:
            continue
        below = head[rank + 1 : rank + 2]
        if not below or index + 1 >= len(keys) or keys[index + 1] == below[0]:
            return index
    return -1
