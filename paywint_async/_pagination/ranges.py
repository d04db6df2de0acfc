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

from paywint_async._errors import IncompleteHistoryError
from paywint_async._pagination.ledger import Answer, Ledger
from paywint_async._pagination.position import ANCHORS, Key, Order, Position, to_json
from paywint_async._pagination.verdict import Doubt

_PATIENCE = 12  # answers in a row that do not show what they were asked for


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


def cut(rows: int, parts: int) -> Generator[int, Answer, list[Position]]:
    """Yields the pages it has to see, is sent their answers, and returns where the ranges begin.

    Args:
        rows: records a page.
        parts: how many ranges are wanted; there are fewer where they would be shorter than a page,
            and one where equal times do not tell the order.

    Raises:
        Doubt: the answers never show what their totals say.
    """
    ledger = Ledger(rows, None)
    first = yield from _first_page(ledger)
    ledger.detect_order(first)
    ledger.open(first.total)
    if ledger.is_oldest_first:
        # The end comes first, as in a listing: what is deleted before it is seen shifts rows unseen.
        ledger.remaining = 0
        *_, ledger.tail = yield from _keys_before(ledger)
        first = yield from _first_page(ledger)
    ledger.head = list(first.keys[:ANCHORS])
    starts = [_position(ledger, 0, due=tuple(ledger.head))] if first.total else []
    for delivered in [] if ledger.order is Order.UNKNOWN else _boundaries(ledger, parts):
        ledger.remaining = ledger.snapshot - delivered
        last = yield from _keys_before(ledger)
        starts.append(_position(ledger, delivered, last=last))
    return starts


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


def _boundaries(ledger: Ledger, parts: int) -> list[int]:
    """How many records stand before each range but the first.

    In the middle of a page: a few arrivals do not push the keys before it onto another one.
    """
    rows, snapshot = ledger.rows, ledger.snapshot
    wanted = (snapshot * part // parts for part in range(1, parts))
    places = {each - each % rows + rows // 2 for each in wanted}
    return sorted(each for each in places if rows <= each < snapshot)


def _first_page(ledger: Ledger) -> Generator[int, Answer, Answer]:
    for _ in range(_PATIENCE):
        answer = yield 1
        if ledger.fits(answer):
            return answer
    raise Doubt("page 1: its length does not fit its total")


def _keys_before(ledger: Ledger) -> Generator[int, Answer, tuple[Key, ...]]:
    """The keys right before the record that the ledger has due next."""
    total = ledger.snapshot
    for _ in range(_PATIENCE):
        page_no = ledger.page_of(ledger.frontier(total) - 1)
        answer = yield page_no
        if not ledger.fits(answer):
            continue
        if ledger.is_oldest_first and answer.total < ledger.snapshot:
            raise Doubt("payments were deleted meanwhile")
        total = answer.total
        index = ledger.frontier(total) - ledger.offset_of(page_no)
        if 0 < index <= len(answer.keys):
            return tuple(answer.keys[max(0, index - ANCHORS) : index])
    raise Doubt("payments arrive, or are deleted, faster than they can be read")


def _position(
    ledger: Ledger, delivered: int, *, last: tuple[Key, ...] = (), due: tuple[Key, ...] = ()
) -> Position:
    return Position(
        order=ledger.order,
        snapshot=ledger.snapshot,
        expected=ledger.snapshot,
        delivered=delivered,
        remaining=ledger.snapshot - delivered,
        last=last,
        head=tuple(ledger.head),
        due=due,
        tail=ledger.tail,
    )
