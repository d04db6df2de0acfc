"""A split snapshot: ranges that are read separately at different times add up to one read of it.

How many random histories are split is set by PAYWINT_HISTORIES (nox session `exactly_once`: 10,000).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from effort import tries
from history_model import CHANGES, EPOCH, History, Reader

from paywint_async import (
    Handler,
    IncompleteHistoryError,
    InvalidRequestError,
    PaywintClient,
    Request,
    Response,
)
from paywint_async._pagination.checkpoint import from_json
from paywint_async._pagination.decision import ContinuityError, PageAnswer
from paywint_async._pagination.position import ANCHORS, Order, Position, Selection, Span
from paywint_async._pagination.ranges import ListingRange, cut, make_ranges
from paywint_async.emulator import Emulator

HISTORIES = tries(200, "PAYWINT_HISTORIES")
SIZES = (0, 1, 9, 20, 55, 100, 143, 260)


def split(
    history: History,
    parts: int,
    *,
    random: Random,
    rows: int = 10,
    kinds: tuple[str, ...] = (),
    rate: float = 0.3,
    selection: Selection | None = None,
) -> tuple[list[ListingRange], list[int]]:
    """The ranges, and the records that existed at the first answer."""
    ranges, seen = split_and_see(
        history, parts, random=random, rows=rows, kinds=kinds, rate=rate, selection=selection
    )
    return ranges, seen[0]


def split_and_see(
    history: History,
    parts: int,
    *,
    random: Random,
    rows: int = 10,
    kinds: tuple[str, ...] = (),
    rate: float = 0.3,
    selection: Selection | None = None,
) -> tuple[list[ListingRange], list[list[int]]]:
    """The ranges, and the records that existed at each answer."""
    asking, seen = cut(rows, parts, selection), []
    try:
        page_no = next(asking)
        while True:
            answer = history.answer(page_no, rows)
            seen.append(history.seen[:])
            while kinds and random.random() < rate:
                history.change(random.choice(kinds), random)
            page_no = asking.send(answer)
    except StopIteration as end:
        return make_ranges(end.value, "received"), seen


def read(
    history: History, ranges: list[ListingRange], random: Random, kinds: tuple[str, ...] = ()
) -> list[int]:
    """Reads each range separately, in random order, with interruptions; returns the keys in order.

    Raises:
        ContinuityError: as a read does.
        IncompleteHistoryError: ranges that do not join.
    """
    found: dict[int, list[int]] = {}
    for number in random.sample(range(len(ranges)), len(ranges)):
        found[number] = list(_read_one(history, ranges[number], random, kinds))
    keys = [key for number in sorted(found) for key in found[number]]
    if len(set(keys)) < len(keys):  # moved between ranges: only the caller can detect it
        raise IncompleteHistoryError("a payment is in two ranges")
    return keys


def _read_one(
    history: History, part: ListingRange, random: Random, kinds: tuple[str, ...]
) -> Iterator[int]:
    checkpoint, left = part.checkpoint, part.limit
    while left != 0 and not checkpoint["finished"]:
        reading = Reader(
            history,
            random,
            rows=random.choice((10, 20, 50)),
            window=random.choice((1, 4)),
            kinds=kinds,
            start=from_json(checkpoint, "received"),
            limit=left if left is None else min(left, random.choice((left, 17))),
            stop_after=random.choice((None, 12)),
        ).read()
        if reading.doubt:
            raise ContinuityError(reading.doubt)
        assert reading.position is not None
        yield from reading.delivered
        left = left if left is None else left - len(reading.delivered)
        checkpoint = make_checkpoint(reading.position)
    part.check(checkpoint)


def make_checkpoint(position: Position) -> dict[str, Any]:
    return make_ranges([position], "received")[0].checkpoint


@pytest.mark.parametrize("is_oldest_first", [False, True])
@pytest.mark.parametrize("kinds", [(), ("insert",)])
def test_separately_read_ranges_are_the_snapshot_while_payments_arrive(
    kinds: tuple[str, ...], is_oldest_first: bool
) -> None:
    for seed in range(HISTORIES):
        random = Random(seed)
        history = History(
            random.choice(SIZES), is_oldest_first=is_oldest_first, ties=random.choice((1, 1, 3))
        )
        ranges, snapshot = split(
            history, random.choice((1, 2, 3, 7)), random=random, kinds=kinds, rate=0.5
        )
        for _ in range(random.choice((0, 3, 10, 1000)) if kinds else 0):
            history.insert()
        assert read(history, ranges, random, kinds) == snapshot, seed


@pytest.mark.parametrize("is_oldest_first", [False, True])
@pytest.mark.parametrize("is_whole", [False, True])
def test_separately_read_ranges_oldest_first_are_the_snapshot_while_payments_arrive(
    is_whole: bool, is_oldest_first: bool
) -> None:
    for seed in range(HISTORIES):
        random = Random(seed)
        history = History(
            random.choice(SIZES), is_oldest_first=is_oldest_first, ties=random.choice((1, 1, 3, 25))
        )
        ends = sorted(EPOCH + timedelta(seconds=random.randrange(history.size + 2)) for _ in "12")
        span = None if is_whole else Span(since=ends[0], until=random.choice((ends[1], None)))
        selection = Selection(span=span, is_oldest_first=True)
        ranges, seen = split(history, 3, random=random, kinds=("insert",), selection=selection)
        for _ in range(random.choice((0, 3, 10, 1000))):
            history.insert()
        delivered = read(history, ranges, random, ("insert",))
        expected = [key for key in seen if not span or span.contains(history.times[key])]
        times = [history.times[key] for key in delivered]
        assert (sorted(delivered), times) == (sorted(expected), sorted(times)), seed


@pytest.mark.parametrize(
    ("is_oldest_first", "order"), [(False, Order.UNKNOWN), (True, Order.OLDEST_FIRST)]
)
def test_arrivals_while_the_order_is_determined_do_not_reverse_it(
    is_oldest_first: bool, order: Order
) -> None:
    """All times in the first answer are equal, and all times on the oldest page."""
    history = History(0, is_oldest_first=is_oldest_first, ties=25, arrivals=20)
    ranges, _ = split(history, 3, random=Random(1), selection=Selection(is_oldest_first=True))
    assert {part.checkpoint["order"] for part in ranges} == {order.value}


def test_a_list_that_is_emptied_while_its_order_is_determined_is_reported() -> None:
    history = History(20, ties=25)
    asking = cut(10, 3, Selection(is_oldest_first=True))
    page_no = asking.send(history.answer(next(asking), 10))
    history.keys.clear()
    with pytest.raises(ContinuityError):
        while True:
            page_no = asking.send(history.answer(page_no, 10))


@pytest.mark.parametrize("kind", [kind for kind in CHANGES if kind != "insert"])
def test_after_any_other_change_the_ranges_are_exact_or_it_is_reported(kind: str) -> None:
    check_all((kind,), is_oldest_first=False)


@pytest.mark.parametrize("kind", ["delete", "lag", "repeat"])
def test_oldest_first_after_a_change_the_ranges_are_exact_or_it_is_reported(kind: str) -> None:
    check_all((kind,), is_oldest_first=True)


def check_all(kinds: tuple[str, ...], *, is_oldest_first: bool) -> None:
    exact = 0
    for seed in range(HISTORIES):
        random = Random(seed)
        history = History(random.choice((55, 100, 143)), is_oldest_first=is_oldest_first)
        try:
            ranges, seen = split_and_see(history, 3, random=random, kinds=kinds, rate=0.1)
            delivered = read(history, ranges, random, kinds if seed % 2 else ())
        except (ContinuityError, IncompleteHistoryError):
            continue
        # Oldest first, a later answer may define the snapshot, as in a listing.
        possible = seen if is_oldest_first else seen[:1]
        size = len(delivered)
        assert any(sorted(delivered) == sorted(each[:size]) for each in possible), seed
        assert size == len(seen[0]), seed
        exact += 1
    assert exact


def test_ranges_are_about_equal_and_none_is_shorter_than_half_a_page() -> None:
    ranges, _ = split(History(1000), 4, random=Random(0))

    assert [each.limit for each in ranges] == [255, 250, 250, None]
    assert [each.checkpoint["delivered"] for each in ranges] == [0, 255, 505, 755]
    assert [len(each.end) for each in ranges] == [5, 5, 5, 0]


@pytest.mark.parametrize(("size", "parts", "count"), [(0, 4, 0), (9, 4, 1), (25, 4, 2), (60, 1, 1)])
def test_there_are_no_more_ranges_than_pages(size: int, parts: int, count: int) -> None:
    assert len(split(History(size), parts, random=Random(0))[0]) == count


def test_a_list_of_equal_times_is_one_range() -> None:
    ranges, snapshot = split(History(100, ties=1000), 4, random=Random(0))

    assert [each.limit for each in ranges] == [None]
    assert read(History(100, ties=1000), ranges, Random(0)) == snapshot


def test_a_range_that_ends_elsewhere_is_reported() -> None:
    history = History(100)
    ranges, _ = split(history, 2, random=Random(0))
    history.keys.remove(80)  # of the first range

    with pytest.raises((IncompleteHistoryError, ContinuityError)):
        read(history, ranges, Random(0))


def test_a_total_that_shrank_before_the_end_was_seen_is_reported() -> None:
    history = History(40, is_oldest_first=True)
    pages = cut(10, 3)
    page_no = pages.send(history.answer(next(pages), 10))
    history.keys.pop(4)
    with pytest.raises(ContinuityError, match="deleted"):
        for _ in range(2):  # the arrival restores the total
            page_no = pages.send(history.answer(page_no, 10))
            history.insert()


def test_a_page_that_always_contradicts_its_total_is_an_error() -> None:
    asking = cut(10, 2)
    page_no = next(asking)

    with pytest.raises(ContinuityError, match="its length does not fit its total"):
        while True:
            page_no = asking.send(PageAnswer(page_no, 7, [1], [1], [EPOCH]))


def test_a_boundary_that_is_never_found_is_an_error() -> None:
    history, asking = History(100), cut(10, 2)
    page_no = asking.send(history.answer(next(asking), 10))

    with pytest.raises(ContinuityError, match="faster than they can be read"):
        while True:
            history.keys = history.keys[:-60] + history.keys[-50:] if len(history.keys) > 60 else []
            page_no = asking.send(history.answer(page_no, 10))


async def test_a_listing_splits_and_the_ranges_are_read_by_other_clients() -> None:
    async with Emulator(hostile=True, payments=1000) as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            ranges = await client.payments.received().split(4)
        before = emulator.history("received")
        emulator.arrive("received", 333)
        found: list[str] = []
        for each in ranges:
            async with PaywintClient(*keys, base_url=emulator.url) as client:
                listing = client.payments.received(checkpoint=each.checkpoint, rows_per_page=50)
                async for page in listing.pages(each.limit):
                    found += [str(payment.payment_id) for payment in page.records]
                each.check(listing.checkpoint)

    assert [each.limit for each in ranges] == [250, 300, 200, None]
    assert [len(each.end) for each in ranges] == [ANCHORS] * 3 + [0]
    assert found == before


@pytest.mark.parametrize("parts", [0, -1, True, 1.5, "4"])
async def test_an_invalid_number_of_parts_is_refused(parts: object) -> None:
    async with PaywintClient("key", "secret") as client:
        with pytest.raises(InvalidRequestError) as caught:
            await client.payments.received().split(parts)  # type: ignore[arg-type]

    assert caught.value.field == "parts"


async def test_a_listing_that_continues_another_is_not_split() -> None:
    ranges, _ = split(History(100), 2, random=Random(0))
    async with PaywintClient("key", "secret") as client:
        listing = client.payments.received(checkpoint=ranges[1].checkpoint)
        with pytest.raises(InvalidRequestError) as caught:
            await listing.split(2)

    assert caught.value.field == "checkpoint"


async def test_a_listing_that_cannot_be_split_reports_it() -> None:
    async with Emulator(hostile=True, payments=100) as emulator:
        keys = emulator.api_key, emulator.api_secret

        async def shrink(request: Request, handler: Handler) -> Response:
            answer = await handler(request)
            for rank in range(1, 100):
                with suppress(ValueError):  # already deleted
                    emulator.delete("received", rank)
            return answer

        async with PaywintClient(*keys, base_url=emulator.url, middlewares=[shrink]) as client:
            listing = client.payments.received(rows_per_page=10)
            with pytest.raises(IncompleteHistoryError, match="received payments cannot be split"):
                await listing.split(2)


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_no_range_is_empty(is_oldest_first: bool) -> None:
    for size in range(1, 45):
        history = History(size, is_oldest_first=is_oldest_first)
        for parts in (1, 2, 3, 5, 9):
            ranges, _ = split(history, parts, random=Random(0))
            assert all(not each.checkpoint["finished"] for each in ranges), (size, parts)
            assert len(ranges) <= parts


def test_a_range_that_does_not_join_the_next_one_is_an_error_with_its_checkpoint() -> None:
    ranges, _ = split(History(100), 2, random=Random(0))
    with pytest.raises(IncompleteHistoryError) as caught:
        ranges[0].check(ranges[1].checkpoint | {"last": []})
    assert str(caught.value) == (
        "a range of payments does not end where the next one begins: payments were deleted or moved "
        "since the listing was split; read it in one piece"
    )
    assert caught.value.checkpoint == ranges[1].checkpoint | {"last": []}
    assert caught.value.delivered == ranges[0].limit


def test_a_deletion_while_a_list_is_split_is_reported() -> None:
    history = History(100, is_oldest_first=True)
    asking = cut(10, 2)
    answer = history.answer(next(asking), 10)
    page_no = asking.send(answer)
    history.keys.pop(0)
    with pytest.raises(ContinuityError, match=r"^payments were deleted meanwhile$"):
        asking.send(history.answer(page_no, 10))
