"""Cuts a snapshot into ranges that can be read independently of each other. Pure.

A range begins at an ordinary position: a number of delivered ranks, and the ids right before its first
payment, which prove the position. These ids come from one answer, whose total gives the ranks of its
rows. If that total is wrong, the previous range does not end with these ids, which `ListingRange.check`
notices. So adjacent ranges contain together what one read of the snapshot would have delivered.
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
    """A part of a snapshot, as `PaymentListing.split` returns it; plain values that can be pickled.

    Args:
        checkpoint: the checkpoint at which a listing starts to read the range.
        limit: number of payments in the range; None: the rest of the snapshot, whose end the listing
            proves.
        end: the last ids of the range, where another range follows.
    """

    checkpoint: dict[str, Any]
    limit: int | None = None
    end: tuple[str, ...] = ()

    def check(self, checkpoint: Mapping[str, Any] | None) -> None:
        """Checks that this range was read to its end, and that the next range begins there.

        Args:
            checkpoint: the checkpoint of the listing that has read the range.

        Raises:
            IncompleteHistoryError: payments were deleted or moved meanwhile, or a total was wrong.
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
    """Yields page numbers, is sent the answers, and returns the positions at which the ranges begin.

    Args:
        rows: records a page.
        parts: number of ranges wanted; fewer are returned where they would be shorter than a page, and
            one where equal times do not show the order.
        selection: the records, and their order; None: all, in the server's order.

    Raises:
        ContinuityError: the answers contradict their totals, or a span was asked for and the list is
            not in the order of time.
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
    """Returns the position before the first record of the whole list."""
    first = yield from _get_first_page(rows)
    order, is_oldest_first = first.order(), selection.is_oldest_first
    if is_oldest_first and not first.is_sorted() and first.total > rows:
        order = order_of_ends(first, (yield from last_page(first.total, rows)))
    whole = Position(order=order, is_oldest_first=is_oldest_first).opened(first.total)
    if is_oldest_first and order is Order.NEWEST_FIRST:
        return replace(whole, is_from_end=True, tail=tuple(first.keys[:ANCHORS][::-1]))
    if whole.is_ascending:
        # The end is read first, as in a listing: a deletion before that would shift rows unnoticed.
        tail = yield from _keys_before(replace(whole, remaining=0), rows)
        whole = replace(whole, tail=tail)
        first = yield from _get_first_page(rows)
    return replace(whole, head=tuple(first.keys[:ANCHORS]))


def _seek(rows: int, selection: Selection) -> Generator[int, PageAnswer, Position]:
    """Returns the position before the first record of a span."""
    assert selection.span is not None
    search = SpanSearch(selection.span, rows, is_oldest_first=selection.is_oldest_first)
    try:
        found = yield from search.run()
    except DisorderError as disorder:
        raise ContinuityError(str(disorder)) from None
    return replace(found.position, head=found.position.due, due=())


def make_ranges(starts: Sequence[Position], direction: str) -> list[ListingRange]:
    """Returns the ranges from each of these positions up to the next."""
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
    """The number of records before each range except the first.

    Boundaries are in the middle of a page, so that a few arrivals do not push the keys before a
    boundary onto another page.
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
    """Requests the keys right before the record that is due next."""
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
