"""Oldest-first reads of whole lists and spans against a model of a changing history, both orders.

How many random histories are read is set by PAYWINT_HISTORIES (nox session `exactly_once`: 10,000).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from math import ceil, log2
from random import Random

import pytest
from effort import tries
from history_cases import ROWS, Case
from history_model import EPOCH, History, Reader, Reading

from paywint_async._pagination.checkpoint import from_json, to_json
from paywint_async._pagination.position import Position, Span

HISTORIES = tries(200, "PAYWINT_HISTORIES")
ORDERS = pytest.mark.parametrize("is_oldest_first", [False, True], ids=["newest", "oldest"])
PARTS = pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "span"])
# How many of a hundred reads must be exact and without an error, for each kind of change: of a whole
# list (newest first, oldest first), of a span (newest first, oldest first).
HEAL_RATES = {
    ("insert",): (100, 100, 100, 100),
    ("lag",): (100, 100, 100, 100),
    ("repeat once",): (82, 96, 92, 96),
    ("delete",): (78, 69, 84, 85),
    ("move",): (73, 73, 78, 78),
    ("backdate",): (69, 70, 78, 80),
    ("flicker",): (85, 90, 87, 93),
    ("insert", "lag"): (99, 99, 98, 98),
    ("insert", "delete"): (81, 77, 87, 87),
    ("insert", "move"): (77, 79, 82, 83),
    ("delete", "move"): (75, 71, 80, 80),
}


def cases(
    *, is_oldest_first: bool, is_whole: bool, number: int = HISTORIES
) -> Iterator[tuple[int, Case]]:
    for seed in range(number):
        yield seed, Case(seed, is_oldest_first=is_oldest_first, is_whole=is_whole)


def read(case: Case, kinds: tuple[str, ...] = (), **settings: object) -> Reading:
    return case.read(kinds, is_time_ordered=True, **settings)


def is_in_order(case: Case, keys: list[int]) -> bool:
    times = case.history.times
    return all(times[one] <= times[other] for one, other in pairwise(keys))


@ORDERS
def test_an_unchanged_list_is_read_with_at_most_three_requests_more_than_pages(
    is_oldest_first: bool,
) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first, is_whole=True):
        reading = read(case)
        assert reading.doubt is None, seed
        if not case.has_one_time:
            assert reading.delivered == case.history.keys, seed
        assert sorted(reading.delivered) == case.history.keys, seed
        assert reading.total == len(reading.delivered), seed
        assert reading.requests <= max(1, -(-len(case.history.keys) // ROWS)) + 3, seed


@ORDERS
def test_a_span_of_an_unchanged_list_costs_no_more_requests_than_documented(
    is_oldest_first: bool,
) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first, is_whole=False):
        reading, expected = read(case), case.within(case.history.keys)
        assert reading.doubt is None, seed
        assert (sorted(reading.delivered), reading.total) == (expected, len(expected)), seed
        assert is_in_order(case, reading.delivered), seed
        pages, span_pages = -(-len(case.history.keys) // ROWS) or 1, -(-len(expected) // ROWS)
        assert reading.requests <= span_pages + 2 * ceil(log2(pages)) + 4, seed


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(kinds, marks=pytest.mark.slow) if len(kinds) > 1 else kinds
        for kinds in HEAL_RATES
    ],
    ids="+".join,
)
@PARTS
@ORDERS
def test_each_kind_of_change_is_healed_at_its_rate_or_an_error(
    kinds: tuple[str, ...], is_whole: bool, is_oldest_first: bool
) -> None:
    healed = 0
    for seed, case in cases(is_oldest_first=is_oldest_first, is_whole=is_whole):
        reading = read(case, kinds)
        delivered = reading.delivered
        assert len({*delivered}) == len(delivered), seed
        assert delivered == case.within(delivered), seed
        is_blind = (case.has_one_time and not {*kinds} <= {"insert", "lag"}) or case.has_begun_moved
        assert reading.doubt or case.is_exact(reading) or is_blind, seed
        if "move" not in kinds:
            is_told = reading.is_disordered and case.begins_with_one_time
            assert is_in_order(case, delivered) or is_told, seed
        healed += reading.doubt is None
    assert healed >= HEAL_RATES[kinds][2 * (not is_whole) + is_oldest_first] / 100 * HISTORIES


@pytest.mark.parametrize(
    ("seed", "kinds", "is_oldest_first"),
    [
        (4670, ("insert", "move"), False),  # moved away; two arrivals precede the last payment
        (8070, ("insert", "move"), True),
        (7914, ("repeat once",), False),  # the last page was answered with the first
        (
            5385,
            ("repeat once",),
            False,
        ),  # the last page was answered with another page of the same time
    ],
)
def test_a_history_that_once_caused_a_wrong_read_is_exact_or_reported(
    seed: int, kinds: tuple[str, ...], is_oldest_first: bool
) -> None:
    case = Case(seed, is_oldest_first=is_oldest_first, is_whole=True)
    reading = read(case, kinds)
    is_right = case.is_exact(reading) and is_in_order(case, reading.delivered)
    assert reading.doubt or is_right or reading.is_disordered


@PARTS
@ORDERS
def test_a_checkpoint_taken_anywhere_completes_the_same_snapshot(
    is_whole: bool, is_oldest_first: bool
) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first, is_whole=is_whole):
        stop = case.random.choice((1, 3, 10, 25, 60))
        first = read(case, ("insert",), stop_after=stop)
        for _ in range(case.random.choice((0, 1, 12, 200))):
            case.history.insert()
        if first.position is None or first.position.is_finished:
            continue
        rest = read(case, ("insert",), start=through_json(first.position))
        whole = first.delivered + rest.delivered
        assert rest.doubt is None, seed
        assert sorted(whole) == sorted(first.snapshots[0]), seed
        assert is_in_order(case, whole), seed


@PARTS
@ORDERS
def test_consecutive_reads_add_up_to_the_whole_list_in_order(
    is_whole: bool, is_oldest_first: bool
) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first, is_whole=is_whole):
        position: Position | None = None
        delivered: list[int] = []
        for new in (*case.random.choices((0, 1, 5, 10, 30, 123), k=3), 0):
            for _ in range(new):
                case.history.insert()
            while True:
                stop = case.random.choice((None, 1, 3, 12)) if new else None
                kinds = ("insert",) if new else ()
                reading = read(case, kinds, start=position, stop_after=stop)
                assert reading.doubt is None, seed
                delivered += reading.delivered
                position = through_json(reading.position) if reading.position else None
                if stop is None or position is None or position.is_finished:
                    break
        assert sorted(delivered) == case.within(case.history.keys), seed
        assert is_in_order(case, delivered), seed


@pytest.mark.parametrize(
    "kinds",
    [
        ("delete",),
        ("backdate",),
        ("insert", "move"),
        pytest.param(("move",), marks=pytest.mark.slow),
        pytest.param(("insert", "delete"), marks=pytest.mark.slow),
    ],
    ids="+".join,
)
@PARTS
@ORDERS
def test_a_read_resumed_after_changes_is_exact_or_an_error(
    kinds: tuple[str, ...], is_whole: bool, is_oldest_first: bool
) -> None:
    completed, number = 0, max(200, HISTORIES)
    for seed, case in cases(is_oldest_first=is_oldest_first, is_whole=is_whole, number=number):
        history, random = case.history, case.random
        first = read(case, stop_after=random.choice((1, 3, 10, 25, 60)))
        if case.has_one_time or first.position is None or first.position.is_finished:
            continue
        snapshot = {*case.within(history.keys)}
        for _ in range(random.choice((1, 1, 2, 4))):
            history.change(random.choice(kinds), random)
        rest = read(case, start=through_json(first.position))
        whole = first.delivered + rest.delivered
        assert rest.doubt or len({*whole}) == len(whole), seed
        assert case.within(whole) == whole, seed
        # A move and an arrival before the last payment, which was moved as well, look like an
        # unchanged list if no other payment was seen with the last one. Falling times are reported.
        is_blind = (
            "move" in kinds and len(first.position.tail) == 1 and not is_in_order(case, whole)
        )
        if rest.doubt is None and not is_blind:
            completed += 1
            assert snapshot & {*history.keys} <= {*whole} <= snapshot, seed
    assert completed


@PARTS
@ORDERS
def test_a_limit_counts_from_the_oldest_payment(is_whole: bool, is_oldest_first: bool) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first, is_whole=is_whole):
        limit = case.random.choice((0, 1, 7, 10, 30))
        expected = case.within(case.history.keys)[:limit]
        delivered = read(case, limit=limit).delivered
        assert len(delivered) == len(expected), seed
        assert case.has_one_time or delivered == expected, seed


@pytest.mark.parametrize("span", [None, Span(since=EPOCH + timedelta(seconds=5))])
@ORDERS
def test_a_list_not_sorted_by_time_is_read_completely_and_reported(
    span: Span | None, is_oldest_first: bool
) -> None:
    for seed in range(HISTORIES):
        random = Random(seed)
        history = History(random.choice((12, 55, 143)), is_oldest_first=is_oldest_first)
        times = [history.times[key] for key in history.keys]
        random.shuffle(times)
        history.times = dict(zip(history.keys, times, strict=True))
        reader = Reader(history, random, rows=ROWS, window=4, span=span, is_time_ordered=True)
        reading = reader.read()
        expected = [key for key in history.keys if not span or span.contains(history.times[key])]
        assert (reading.doubt, sorted(reading.delivered)) == (None, expected), seed
        assert reader.planner.progress.is_disordered, seed


@pytest.mark.parametrize("place", [0, 4, 9, 10, 44, 99])
@ORDERS
def test_one_payment_out_of_order_does_not_reverse_the_list(
    place: int, is_oldest_first: bool
) -> None:
    history = History(100, is_oldest_first=is_oldest_first)
    history.times[history.listed()[place]] = EPOCH + timedelta(days=1 if place > 50 else -1)
    reader = Reader(history, Random(0), rows=ROWS, window=4, is_time_ordered=True)
    reading = reader.read()
    assert (reading.doubt, reading.delivered) == (None, history.keys)
    times = [history.times[key] for key in history.keys]
    assert reader.planner.progress.is_disordered == (times != sorted(times))


@pytest.mark.slow
def test_the_read_ends_even_if_payments_arrive_faster_than_requests() -> None:
    for seed in range(HISTORIES):
        random = Random(seed)
        reader = Reader(
            History(300),
            random,
            rows=ROWS,
            window=4,
            kinds=("insert",),
            change_rate=0.85,
            is_time_ordered=True,
        )
        reading = reader.read()
        assert reading.is_exact or reading.doubt, seed


def test_arrivals_cost_few_requests() -> None:
    pages, requests, size = 0, 0, 5_000
    for seed in range(20):
        reader = Reader(
            History(size),
            Random(seed),
            rows=ROWS,
            window=8,
            kinds=("insert one",),
            change_rate=1 / 40,
            is_time_ordered=True,
        )
        requests += reader.read().requests
        pages += -(-size // ROWS)
    assert requests <= 1.2 * pages


def through_json(position: Position) -> Position:
    return from_json(to_json(position, "received"), "received")
