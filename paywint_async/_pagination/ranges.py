"""A snapshot cut into ranges that are read each by itself, wherever and whenever. Pure.

A range begins at a position like any other: so many ranks delivered, and the ids that stand right
before its first payment to prove the place. Those come from one answer, whose own total tells the
ranks of its rows; should that total lie, the range before does not end on these ids, which is noticed
when both have been read. So ranges that join hold what one read of the snapshot would have held.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import attrs
from msgspec.structs import replace

from paywint_async._errors import IncompleteHistoryError
from paywint_async._pagination.checkpoint import to_json
from paywint_async._pagination.decision import ContinuityError, PageAnswer, order_of_ends
from paywint_async._pagination.lookup import OUTRUN, last_page
from paywint_async._pagination.position import ANCHORS, Key, Order, Position, Selection
from paywint_async._pagination.span import DisorderError, SpanSearch

_PATIENCE = 12  # consecutive answers without the records they were requested for


@attrs.frozen(kw_only=True)
class ListingRange:
    """A part of a snapshot, as `PaymentListing.split` makes it; plain values, which pickle.

    Args:
        checkpoint: right before its first payment: where a listing that reads it begins.
        limit: how many payments it has; None: all that are left of the snapshot, whose end the
            listing proves.
        end: the ids it ends with, where another range follows.
    """

    checkpoint: dict[str, Any]
    limit: int | None = None
    end: tuple[str, ...] = ()

    def check(self, checkpoint: Mapping[str, Any] | None) -> None:
        """Proves that a reading of this range came to its end, and that the next one joins there.

        Args:
            checkpoint: of the listing that has read it.

        Raises:
            IncompleteHistoryError: payments were deleted or moved meanwhile, or a total lied.
        """
        place = self.checkpoint if checkpoint is None else checkpoint
        done = place["delivered"] - self.checkpoint["delivered"]
        if place["finished"] if self.limit is None else self._joins(done, place["last"]):
            return
        raise IncompleteHistoryError(
            "a range of payments does not end where the next one begins: payments were deleted or "
            "moved since the listing was split; read it in one piece",
            delivered=done,
            checkpoint=place,
        )

    def _joins(self, done: int, last: Sequence[str]) -> bool:
        common = min(len(self.end), len(last))  # a page's edge may have cut either short
        return done == self.limit and self.end[-common:] == tuple(last[-common:])


def cut(
    rows: int, parts: int, selection: Selection | None = None
) -> Generator[int, PageAnswer, list[Position]]:
    """Yields the pages it has to see, is sent their answers, and returns where the ranges begin.

    Args:
        rows: records a page.
        parts: how many ranges are wanted; there are fewer where they would be shorter than a page,
            and one where equal times do not tell the order.
        selection: of which records, and in which order; None: all, in the server's.

    Raises:
        ContinuityError: the answers never show what their totals say, or a span was asked for and the
            list is not in the order of time.
    """
    selection = selection or Selection()
    whole = yield from (_open if selection.span is None else _seek)(rows, selection)
    starts = [replace(whole, due=whole.head)] if whole.expected else []
    for delivered in (
        [] if whole.order is Order.UNKNOWN else _boundaries(whole.expected, rows, parts)
    ):
        start = replace(whole, delivered=delivered, remaining=whole.expected - delivered)
        starts.append(replace(start, last=(yield from _keys_before(start, rows))))
    return starts


def _open(rows: int, selection: Selection) -> Generator[int, PageAnswer, Position]:
    """The whole list."""
    first = yield from _get_first_page(rows)
    order, is_oldest_first = first.order(), selection.is_oldest_first
    if is_oldest_first and not first.is_sorted() and first.total > rows:
        order = order_of_ends(first, (yield from last_page(first.total, rows)))
    whole = Position(order=order, is_oldest_first=is_oldest_first).opened(first.total)
    if is_oldest_first and order is Order.NEWEST_FIRST:
        return replace(whole, is_from_end=True, tail=first.keys[0])
    if whole.is_ascending:
        # The end comes first, as in a listing: what is deleted before it is seen shifts rows unseen.
        *_, tail = yield from _keys_before(replace(whole, remaining=0), rows)
        whole = replace(whole, tail=tail)
        first = yield from _get_first_page(rows)
    return replace(whole, head=tuple(first.keys[:ANCHORS]))


def _seek(rows: int, selection: Selection) -> Generator[int, PageAnswer, Position]:
    """A span of the list."""
    assert selection.span is not None
    search = SpanSearch(selection.span, rows, is_oldest_first=selection.is_oldest_first)
    try:
        found = yield from search.run()
    except DisorderError as disorder:
        raise ContinuityError(str(disorder)) from None
    return replace(found.position, head=found.position.due, due=())


def make_ranges(starts: Sequence[Position], direction: str) -> list[ListingRange]:
    """The ranges that begin at these positions, each up to the next."""
    ranges = []
    for start, following in zip_longest(starts, starts[1:]):
        checkpoint = to_json(start, direction)
        if following is None:
            ranges.append(ListingRange(checkpoint=checkpoint))
            continue
        end = tuple(to_json(following, direction)["last"])
        limit = following.delivered - start.delivered
        ranges.append(ListingRange(checkpoint=checkpoint, limit=limit, end=end))
    return ranges


def _boundaries(snapshot: int, rows: int, parts: int) -> list[int]:
    """How many records stand before each range but the first.

    In the middle of a page: a few arrivals do not push the keys before it onto another one.
    """
    wanted = (snapshot * part // parts for part in range(1, parts))
    places = {each - each % rows + rows // 2 for each in wanted}
    return sorted(each for each in places if rows <= each < snapshot)


def _get_first_page(rows: int) -> Generator[int, PageAnswer, PageAnswer]:
    for _ in range(_PATIENCE):
        answer = yield 1
        if answer.fits(rows):
            return answer
    raise ContinuityError("page 1: its length does not fit its total")


def _keys_before(start: Position, rows: int) -> Generator[int, PageAnswer, tuple[Key, ...]]:
    """The keys right before the record that is due next."""
    total = start.snapshot
    for _ in range(_PATIENCE):
        answer = yield start.page_of(start.next_offset(total) - 1, total, rows)
        if not answer.fits(rows):
            continue
        if start.is_ascending and answer.total < start.snapshot:
            raise ContinuityError("payments were deleted meanwhile")
        if start.is_from_end:
            answer = answer.read_from_end()
        total = answer.total
        index = start.next_offset(total) - answer.first_offset(rows)
        if 0 < index <= len(answer.keys):
            return tuple(answer.keys[max(0, index - ANCHORS) : index])
    raise ContinuityError(OUTRUN)
