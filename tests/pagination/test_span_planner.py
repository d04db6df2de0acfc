"""Spans of time against a model of a changing history: each kind of change, both orders.

How many random histories are read is set by PAYWINT_HISTORIES (nox session `exactly_once`: 10,000).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from math import ceil, log2
from random import Random

import pytest
from effort import slow_but, tries
from history_cases import ROWS, Case
from history_model import EPOCH, History, Reader
from msgspec.structs import replace

from paywint_async._pagination.checkpoint import from_json, to_json
from paywint_async._pagination.planner import Planner
from paywint_async._pagination.position import Order, Position, Span

HISTORIES = tries(200, "PAYWINT_HISTORIES")
ORDERS = pytest.mark.parametrize("is_oldest_first", [False, True], ids=["newest", "oldest"])
# How many of a hundred reads must be exact and without an error: newest first, oldest first.
SUCCESS_RATES = {
    ("insert",): (100, 100),
    ("lag",): (100, 100),
    ("repeat once",): (97, 96),
    ("delete",): (83, 82),
    ("move",): (81, 77),
    ("backdate",): (83, 79),
    ("flicker",): (86, 91),
    ("insert", "delete"): (88, 85),
    ("insert", "move"): (86, 81),
    ("insert", "flicker"): (91, 95),
    ("delete", "move"): (82, 78),
}


def cases(*, is_oldest_first: bool) -> Iterator[tuple[int, Case]]:
    for seed in range(HISTORIES):
        yield seed, Case(seed, is_oldest_first=is_oldest_first)


@ORDERS
def test_an_unchanged_list_gives_the_span_and_its_total_in_the_documented_requests(
    is_oldest_first: bool,
) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first):
        reading, expected = case.read(), case.within(case.history.listed())
        assert (reading.doubt, reading.delivered) == (None, expected), seed
        assert reading.total == len(expected), seed
        pages, span_pages = -(-len(case.history.keys) // ROWS) or 1, -(-len(expected) // ROWS)
        assert reading.requests <= span_pages + 2 * ceil(log2(pages)) + 4, seed


@pytest.mark.parametrize("kinds", SUCCESS_RATES, ids="+".join)
@ORDERS
def test_after_each_kind_of_change_the_span_is_exact_at_its_rate_or_an_error(
    kinds: tuple[str, ...], is_oldest_first: bool
) -> None:
    successes = 0
    for seed, case in cases(is_oldest_first=is_oldest_first):
        reading = case.read(kinds)
        assert len(set(reading.delivered)) == len(reading.delivered), seed
        assert reading.delivered == case.within(reading.delivered), seed
        is_blind = (case.has_one_time and not {*kinds} <= {"insert", "lag"}) or case.has_begun_moved
        assert reading.doubt or case.is_exact(reading) or is_blind, seed
        successes += reading.doubt is None
    assert successes >= SUCCESS_RATES[kinds][is_oldest_first] / 100 * HISTORIES


@pytest.mark.parametrize(
    ("seed", "kind", "is_oldest_first"),
    [
        (2209, "repeat once", False),  # an empty span: one page was answered with another
        (2226, "repeat once", True),
        (3860, "insert", False),  # equal times; arrivals shifted the last page before it was read
    ],
)
def test_a_history_that_once_hid_payments_is_exact_or_an_error(
    seed: int, kind: str, is_oldest_first: bool
) -> None:
    case = Case(seed, is_oldest_first=is_oldest_first)
    reading = case.read((kind,))
    assert reading.doubt or case.is_exact(reading)


@ORDERS
def test_a_checkpoint_taken_anywhere_completes_the_same_span(is_oldest_first: bool) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first):
        stop = case.random.choice((1, 3, 10, 25))
        first = case.read(("insert",), stop_after=stop)
        for _ in range(case.random.choice((0, 1, 12, 200))):
            case.history.insert()
        if first.position is None or first.position.is_finished:
            continue
        start = through_json(first.position)
        assert start.span == case.span
        rest = case.read(("insert",), start=start)
        assert rest.doubt is None, seed
        assert first.delivered + rest.delivered == first.snapshots[0], seed


@pytest.mark.parametrize(
    "kinds",
    [("delete",), ("move",), ("backdate",), ("insert", "delete"), ("insert", "move")],
    ids="+".join,
)
@ORDERS
def test_a_span_resumed_after_changes_is_exact_or_an_error(
    kinds: tuple[str, ...], is_oldest_first: bool
) -> None:
    completed = 0
    for seed, case in cases(is_oldest_first=is_oldest_first):
        history, random = case.history, case.random
        first = case.read(stop_after=random.choice((1, 3, 10, 25, 60)))
        if case.has_one_time or first.position is None or first.position.is_finished:
            continue
        snapshot = {*case.within(history.keys)}
        for _ in range(random.choice((1, 1, 2, 4))):
            history.change(random.choice(kinds), random)
        rest = case.read(start=through_json(first.position))
        whole = first.delivered + rest.delivered
        assert len({*whole}) == len(whole), seed
        assert case.within(whole) == whole, seed
        if rest.doubt is None:
            completed += 1
            left = snapshot & {*history.keys}
            assert left <= {*whole} <= snapshot, seed
    assert completed


@ORDERS
def test_a_finished_checkpoint_yields_new_payments_of_the_span(is_oldest_first: bool) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first):
        reading = case.read()
        seen = {*case.history.keys}
        for new in (0, 1, 25):
            for _ in range(new):
                case.history.insert()
            assert reading.position is None or reading.position.is_finished, seed
            start = reading.position and through_json(reading.position)
            reading = case.read(start=start)
            listed = [key for key in case.history.listed() if key not in seen]
            assert (reading.doubt, reading.delivered) == (None, case.within(listed)), seed
            seen |= {*case.history.keys}


def test_a_finished_span_followed_by_later_payments_needs_no_request() -> None:
    history = History(200)
    span = Span(until=history.times[100])
    start = Reader(history, Random(0), rows=ROWS, window=1, span=span).read().position
    assert start is not None
    assert start.is_closed
    assert Reader(
        history, Random(0), rows=ROWS, window=1, start=start, span=span
    ).planner.is_complete


@ORDERS
def test_a_list_not_sorted_by_time_is_read_completely(is_oldest_first: bool) -> None:
    for seed in range(HISTORIES):
        random = Random(seed)
        history = History(random.choice((12, 55, 143)), is_oldest_first=is_oldest_first)
        times = [history.times[key] for key in history.keys]
        random.shuffle(times)
        history.times = dict(zip(history.keys, times, strict=True))
        span = Span(since=EPOCH + timedelta(seconds=5), until=EPOCH + timedelta(seconds=40))
        reader = Reader(history, random, rows=ROWS, window=4, span=span)
        reading = reader.read()
        expected = [key for key in history.listed() if span.contains(history.times[key])]
        assert (reading.doubt, reading.delivered) == (None, expected), seed
        assert reader.planner.progress.is_disordered, seed
        assert reader.planner.total == len(expected), seed


@pytest.mark.parametrize("is_time_ordered", [False, True], ids=["servers", "of time"])
@ORDERS
def test_disorder_found_after_payments_were_delivered_is_an_error_and_these_are_correct(
    is_time_ordered: bool, is_oldest_first: bool
) -> None:
    late = 0
    for one in range(105, 195, 4):  # on pages of the span, most of which the search does not visit
        history = History(400, is_oldest_first=is_oldest_first)
        times = history.times
        times[one], times[one + 1] = times[one + 1], times[one]
        span = Span(since=times[101], until=times[200])
        reader = Reader(
            history, Random(0), rows=ROWS, window=4, span=span, is_time_ordered=is_time_ordered
        )
        reading = reader.read()
        expected = [key for key in history.listed() if span.contains(times[key])]
        if is_time_ordered and not is_oldest_first:
            expected.reverse()
        assert reading.delivered == expected[: len(reading.delivered)], one
        assert reading.doubt or len(reading.delivered) == len(expected), one
        late += reading.doubt is not None and "not in the order of time" in reading.doubt
    assert late > 10


@ORDERS
def test_the_read_of_an_unsorted_list_continues_where_it_stopped(is_oldest_first: bool) -> None:
    history = History(143, is_oldest_first=is_oldest_first)
    middle = [key for key in history.keys if 40 < key <= 60]
    for one, other in pairwise(middle):
        history.times[one], history.times[other] = history.times[other], history.times[one]
    history.times[history.listed()[4]] = EPOCH
    span = Span(since=EPOCH + timedelta(seconds=30), until=EPOCH + timedelta(seconds=90))
    for stop in (1, 9, 30, 59):
        first = Reader(history, Random(0), rows=ROWS, window=2, span=span, stop_after=stop).read()
        assert first.position is not None
        start = through_json(first.position)
        rest = Reader(history, Random(0), rows=ROWS, window=2, span=span, start=start).read()
        whole = [key for key in history.listed() if span.contains(history.times[key])]
        assert first.delivered + rest.delivered == whole


@ORDERS
def test_a_limit_counts_the_payments_of_the_span(is_oldest_first: bool) -> None:
    for seed, case in cases(is_oldest_first=is_oldest_first):
        limit = case.random.choice((0, 1, 7, 10, 30))
        expected = case.within(case.history.listed())[:limit]
        assert case.read(limit=limit).delivered == expected, seed


@ORDERS
def test_a_payment_moved_during_the_seek_is_not_lost_silently(
    is_oldest_first: bool,
) -> None:
    """At each request of the seek, and for payments around both ends of the span."""
    silent = []
    for request in range(2, 13):
        for key in (95, 100, 101, 150, 199, 200, 205):
            history = MovesOne(400, is_oldest_first=is_oldest_first, request=request, key=key)
            span = Span(since=history.times[100], until=history.times[200])
            reading = Reader(history, Random(0), rows=ROWS, window=2, span=span).read()
            if reading.doubt is None and sorted(reading.delivered) != [*range(100, 200)]:
                silent.append((request, key))
    assert silent == []


class MovesOne(History):
    """Before one answer, a payment is moved to where new ones appear, and others arrive."""

    def __init__(self, size: int, *, is_oldest_first: bool, request: int, key: int) -> None:
        super().__init__(size, is_oldest_first=is_oldest_first)
        self.request, self.key, self.answers = request, key, 0

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        self.answers += 1
        if self.answers == self.request:
            self.keys.remove(self.key)
            self.keys.append(self.key)
            for _ in range(12):
                self.insert()
        return super().answer(page_no, rows)


def test_the_seek_determines_the_order_if_the_first_page_does_not() -> None:
    history = History(100, ties=30)
    span = Span(since=history.times[35], until=history.times[75])
    reading = Reader(history, Random(0), rows=ROWS, window=1, span=span).read()
    assert reading.position is not None
    assert reading.position.order is Order.NEWEST_FIRST
    assert (reading.doubt, reading.delivered) == (None, [*range(59, 29, -1)])


class ShowsFirstPageOnce(History):
    """Answers page 2 once with page 1."""

    has_lied = False

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        answer = super().answer(page_no, rows)
        if page_no == 2 and not self.has_lied:
            self.has_lied = True
            shown = self.listed()[:rows]
            times = [self.times[key] for key in shown]
            answer = replace(answer, records=shown, keys=shown, times=times)
        return answer


def test_a_last_page_answered_with_the_first_does_not_hide_the_order() -> None:
    history = ShowsFirstPageOnce(20)
    history.times = {key: EPOCH + timedelta(seconds=key > 10) for key in history.keys}
    span = Span(since=EPOCH + timedelta(seconds=1))
    reading = Reader(history, Random(0), rows=ROWS, window=1, span=span).read()
    assert (reading.doubt, reading.delivered) == (None, [*range(20, 10, -1)])


def test_times_that_rise_as_often_as_they_fall_are_not_treated_as_equal() -> None:
    history = History(5)
    history.times = {key: EPOCH + timedelta(seconds=key % 2) for key in history.keys}
    span = Span(until=EPOCH + timedelta(seconds=1))
    reading = Reader(history, Random(0), rows=ROWS, window=1, span=span).read()
    assert (reading.doubt, reading.delivered) == (None, [4, 2])


def test_a_last_page_of_moved_payments_does_not_make_all_times_equal() -> None:
    history = History(25)
    history.times = {key: EPOCH + timedelta(seconds=not 5 < key <= 15) for key in history.keys}
    span = Span(until=EPOCH + timedelta(seconds=1))
    reading = Reader(history, Random(0), rows=ROWS, window=1, span=span).read()
    assert (reading.doubt, reading.delivered) == (None, [*range(15, 5, -1)])


def test_a_last_page_of_moved_payments_does_not_end_a_span_oldest_first() -> None:
    history = History(43, is_oldest_first=True)
    history.keys = [*history.keys[3:], *history.keys[:3]]
    span = Span(until=history.times[20])
    reading = Reader(history, Random(0), rows=ROWS, window=1, span=span).read()
    assert (reading.doubt, reading.delivered) == (None, [*range(4, 20), 1, 2, 3])


def test_a_list_with_contradicting_times_is_read_completely() -> None:
    history = History(200, is_oldest_first=True)
    history.times[50] = history.times[54]  # one page before that of 51, which precedes the span
    span = Span(since=history.times[52], until=history.times[57])
    reading = Reader(history, Random(0), rows=ROWS, window=1, span=span).read()
    assert (reading.doubt, reading.delivered) == (None, [50, 52, 53, 54, 55, 56])


class ReplacesNewest(History):
    """Before one answer, the newest payment is deleted, and another arrives."""

    def __init__(self, size: int, *, request: int) -> None:
        super().__init__(size)
        self.request, self.answers = request, 0

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        self.answers += 1
        if self.answers == self.request:
            self.keys.pop()
            self.insert()
        return super().answer(page_no, rows)


@pytest.mark.parametrize("request_no", range(2, 12))
def test_the_seek_restarts_if_the_newest_payment_was_replaced(request_no: int) -> None:
    history = ReplacesNewest(400, request=request_no)
    span = Span(since=history.times[100], until=history.times[200])
    reading = Reader(history, Random(0), rows=ROWS, window=1, span=span).read()
    assert (reading.doubt, reading.delivered) == (None, [*range(199, 99, -1)])


@ORDERS
def test_a_limit_on_the_last_page_of_a_span_leaves_the_rest_for_the_next_read(
    is_oldest_first: bool,
) -> None:
    history = History(100, is_oldest_first=is_oldest_first)
    span = Span(since=history.times[33], until=history.times[60])
    expected = [key for key in history.listed() if span.contains(history.times[key])]
    for limit in range(1, len(expected)):
        first = Reader(history, Random(0), rows=ROWS, window=2, span=span, limit=limit).read()
        assert first.position is not None
        start = through_json(first.position)
        rest = Reader(history, Random(0), rows=ROWS, window=2, start=start, span=span).read()
        assert first.delivered + rest.delivered == expected, limit


def test_pages_out_of_order_beside_the_span_are_noticed() -> None:
    history = History(400)
    for rank in range(191, 201):  # the page in the middle that the seek visits first
        history.times[rank] = EPOCH + timedelta(seconds=140, milliseconds=rank)
    span = Span(since=history.times[60], until=EPOCH + timedelta(seconds=140))
    reader = Reader(history, Random(0), rows=ROWS, window=1, span=span)
    reading = reader.read()
    assert (reading.doubt, reading.delivered) == (None, [*range(139, 59, -1)])
    assert reader.planner.progress.is_disordered


class HidesOldest(History):
    """Every total is one too low, so the page with the oldest payment is never requested."""

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        self.total_error = -1
        return super().answer(page_no, rows)


def test_a_span_is_not_treated_as_empty_if_wrong_totals_hide_its_payment() -> None:
    history = HidesOldest(21)
    span = Span(until=history.times[2])
    assert Reader(history, Random(0), rows=ROWS, window=1, span=span).read().doubt is not None


class ShiftsAfterTheSeek(History):
    """Right after the seek, the newest payment is deleted and another is inserted into the span."""

    planner: Planner | None = None
    has_shifted = False

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        if not self.has_shifted and self.planner and not self.planner._is_seeking:
            self.has_shifted = True
            self.keys.pop()
            self.insert(150)
        return super().answer(page_no, rows)


@ORDERS
def test_a_shift_of_ranks_right_after_the_seek_does_not_lose_the_first_payment(
    is_oldest_first: bool,
) -> None:
    silent = []
    for end in range(190, 212):
        history = ShiftsAfterTheSeek(400, is_oldest_first=is_oldest_first)
        span = Span(since=history.times[100], until=history.times[end])
        reader = Reader(history, Random(0), rows=ROWS, window=1, span=span)
        history.planner = reader.planner
        reading = reader.read()
        assert history.has_shifted
        if reading.doubt is None and not {*range(100, end)} <= {*reading.delivered}:
            silent.append(end)
    assert silent == []


def through_json(position: Position) -> Position:
    return from_json(to_json(position, "received"), "received")


@pytest.mark.parametrize("arrivals", slow_but((1, 3, 10, 50, 250), 10))
@ORDERS
def test_payments_that_arrive_before_each_answer_cost_no_more_requests_than_documented(
    is_oldest_first: bool, arrivals: int
) -> None:
    """With pages of 100. If half a page arrives before each answer, long spans cost more."""
    longest = 3000 if arrivals <= 10 else 200
    for seed in range(12):
        random = Random(seed)
        history = History(random.choice((1000, 4000, 10_000)), is_oldest_first=is_oldest_first)
        begin = random.randrange(history.size)
        end = min(history.size - 1, begin + random.choice((0, 20, 150, longest)))
        times = [history.times[key] for key in history.keys]
        span = Span(since=times[begin], until=times[end] + timedelta(milliseconds=1))
        history.arrivals = arrivals
        reading = Reader(history, random, rows=100, window=1, span=span).read()
        assert reading.doubt is None, seed
        assert len(reading.delivered) == end - begin + 1, seed
        pages, span_pages = -(-history.size // 100), -(-len(reading.delivered) // 100)
        further = 1 if arrivals <= 3 else 1 + ceil(arrivals / 100)
        assert reading.requests <= span_pages + 2 * ceil(log2(pages)) + 4 + further, seed
