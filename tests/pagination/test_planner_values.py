"""Values that the planner computes: the order of pages and lists, neighbouring pages, descriptions."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from random import Random

import pytest
from history_model import EPOCH, History, Reader, Reading
from msgspec.structs import replace

from paywint_async._pagination.decision import ContinuityError, PageAnswer, order_of_ends
from paywint_async._pagination.lookup import pages_around
from paywint_async._pagination.oldest_first import OldestFirstPlanner
from paywint_async._pagination.position import Order, Position, Selection, Span
from paywint_async._pagination.progress import Progress


def page_at(*days: int) -> PageAnswer:
    """A page whose payments were created on these days."""
    keys = [*range(len(days))]
    return PageAnswer(1, 100, keys, keys, [EPOCH + timedelta(days=day) for day in days])


def read_in_order_of_time(history: History, start: Position | None = None) -> Reading:
    reader = Reader(history, Random(0), rows=10, window=1, start=start, is_time_ordered=True)
    return reader.read()


@pytest.mark.parametrize(
    ("days", "is_sorted"),
    [
        ((1, 2, 2, 3), True),
        ((3, 2, 2, 1), True),
        ((1, 3, 2), False),
        ((2, 2), False),
        ((2,), False),
        ((), False),
    ],
)
def test_a_page_is_sorted_if_its_times_only_rise_or_only_fall(
    days: tuple[int, ...], is_sorted: bool
) -> None:
    assert page_at(*days).is_sorted() is is_sorted


@pytest.mark.parametrize(
    ("days", "order"),
    [
        ((1, 2, 2, 3, 0), Order.OLDEST_FIRST),
        ((3, 2, 2, 1, 4), Order.NEWEST_FIRST),
        ((1, 2, 1), Order.UNKNOWN),
        ((2, 2), Order.UNKNOWN),
    ],
)
def test_the_order_of_a_page_is_that_of_most_of_its_times(
    days: tuple[int, ...], order: Order
) -> None:
    assert page_at(*days).order() is order


@pytest.mark.parametrize(
    ("first", "last", "order"),
    [
        ((9, 8, 1, 7, 6), (1, 9, 0), Order.NEWEST_FIRST),
        ((1, 0, 9), (5, 6, 1), Order.OLDEST_FIRST),
        # Equal medians: the order of the first page counts, else that of the last one.
        ((3, 3, 3, 2, 1, 0, 0, 0, 0, 0), (3, 3, 3, 3, 3), Order.NEWEST_FIRST),
        ((3, 3), (3, 3, 4), Order.OLDEST_FIRST),
        ((), (), Order.UNKNOWN),
    ],
)
def test_the_order_of_a_list_is_told_by_the_medians_of_its_ends(
    first: tuple[int, ...], last: tuple[int, ...], order: Order
) -> None:
    assert order_of_ends(page_at(*first), page_at(*last)) is order


def test_the_nearest_pages_are_tried_first_and_none_twice() -> None:
    pages = pages_around(lambda: [5, 9], lambda: 9)
    assert [*islice(pages, 8)] == [5, 9, 6, 4, 7, 3, 8, 2]
    with pytest.raises(ContinuityError) as caught:
        next(pages)
    problem = "the payments read last are not in this history (another account's?)"
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        (Selection(), ""),
        (Selection(is_oldest_first=True), " oldest first"),
        (Selection(span=Span(since=EPOCH)), " since 2026-01-01T00:00:00+00:00"),
        (
            Selection(
                span=Span(since=EPOCH, until=EPOCH + timedelta(days=1)), is_oldest_first=True
            ),
            " oldest first since 2026-01-01T00:00:00+00:00 until 2026-01-02T00:00:00+00:00",
        ),
    ],
)
def test_a_selection_describes_its_order_and_its_bounds(selection: Selection, text: str) -> None:
    assert str(selection) == text


class TestANewestFirstListReadFromItsEnd:
    def test_is_read_with_one_request_per_page_and_one_beyond_the_full_last_page(self) -> None:
        history = History(30)
        reading = read_in_order_of_time(history)
        assert (reading.doubt, reading.delivered) == (None, history.keys)
        assert history.asked == [1, 3, 4, 2]

    def test_needs_no_page_beyond_a_last_page_that_is_not_full(self) -> None:
        history = History(25)
        read_in_order_of_time(history)
        assert history.asked == [1, 3, 2]

    def test_ends_with_the_eight_records_that_its_first_page_showed(self) -> None:
        history, planner = History(30), OldestFirstPlanner(10)
        assert planner.first_page == 1
        planner.accept(history.answer(1, 10))
        assert planner.progress.at.tail == tuple(range(23, 31))


class TestAListOfEqualTimes:
    @pytest.mark.parametrize("is_oldest_first", [False, True])
    @pytest.mark.parametrize("size", [1, 5, 15])
    def test_is_continued_with_the_payments_that_have_arrived(
        self, size: int, is_oldest_first: bool
    ) -> None:
        history = History(size, is_oldest_first=is_oldest_first, ties=1000)
        start = read_in_order_of_time(history).position
        assert start is not None
        assert start.order is Order.UNKNOWN
        arrived = range(size + 1, size + 4)
        for _ in arrived:
            history.insert()
        reading = read_in_order_of_time(history, start)
        assert (reading.doubt, reading.delivered) == (None, [*arrived])

    @pytest.mark.parametrize("is_changed", [False, True])
    def test_keeps_its_position_until_the_first_answer(self, is_changed: bool) -> None:
        finished = read_in_order_of_time(History(5, ties=1000)).position
        assert finished is not None
        start = replace(finished, is_changed=is_changed)
        planner = OldestFirstPlanner(10, start)
        assert (planner.total, planner.position()) == (None, start)


@pytest.mark.parametrize("is_time_ordered", [False, True])
@pytest.mark.parametrize("span", [None, Span(since=EPOCH)])
def test_no_more_records_than_the_limit_are_delivered(
    span: Span | None, is_time_ordered: bool
) -> None:
    reader = Reader(
        History(55),
        Random(0),
        rows=10,
        window=4,
        limit=25,
        span=span,
        is_time_ordered=is_time_ordered,
    )
    assert len(reader.read().delivered) == 25


SPAN = Span(since=EPOCH)
OLDEST_FIRST, NEWEST_FIRST = Order.OLDEST_FIRST, Order.NEWEST_FIRST


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            Position(span=SPAN, order=OLDEST_FIRST, snapshot=9, is_closed=True),
            Position(span=SPAN, order=OLDEST_FIRST, snapshot=10, remaining=1, is_closed=True),
        ),
        (
            Position(span=SPAN, order=NEWEST_FIRST, snapshot=9, low_watermark=1),
            Position(span=SPAN, order=NEWEST_FIRST, snapshot=9, low_watermark=0, remaining=1),
        ),
    ],
)
def test_before_the_end_of_a_span_was_seen_one_more_record_remains(
    before: Position, after: Position
) -> None:
    assert before.before_the_end() == after


@pytest.mark.parametrize(
    "position",
    [
        Position(span=SPAN, order=OLDEST_FIRST, snapshot=9),  # arrivals may follow
        Position(span=SPAN, order=NEWEST_FIRST, snapshot=9),  # no record is left
        Position(span=SPAN, order=NEWEST_FIRST, snapshot=9, low_watermark=1, is_filtered=True),
        Position(order=NEWEST_FIRST, snapshot=9, low_watermark=1),
    ],
)
def test_no_record_remains_where_the_end_is_known(position: Position) -> None:
    assert position.before_the_end() == position


def page_of_keys(*keys: int) -> PageAnswer:
    return PageAnswer(1, 30, keys, keys, [EPOCH] * len(keys))


@pytest.mark.parametrize(
    ("keys", "is_found"),
    [
        ((9, 5, 4), True),
        ((9, 8, 5), True),  # what follows is on the next page
        ((9, 5, 8), False),  # moved: it does not show where the others stand
        ((4, 8, 9), True),  # the last one that the checkpoint knows
    ],
)
def test_one_payment_of_an_earlier_read_shows_its_place_only_with_the_next(
    keys: tuple[int, ...], is_found: bool
) -> None:
    at = Position(order=NEWEST_FIRST, snapshot=30, low_watermark=20, earlier_head=(5, 4))
    assert (at.with_end_in(page_of_keys(*keys), 0) is not None) is is_found


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ((6, 5), None),
        ((8, 5), "two answers name different payments at one rank"),
        ((6, 7), "a payment that was already delivered stands further on again"),
    ],
)
def test_an_answer_contradicts_the_payments_delivered_last(
    keys: tuple[int, ...], problem: str | None
) -> None:
    progress = Progress(Position(order=NEWEST_FIRST, snapshot=30, last=(7, 6)))
    assert progress.problem(page_of_keys(*keys), 1, 1, 0) == problem


@pytest.mark.parametrize(
    ("key", "problem"), [(3, None), (2, "the earlier read does not begin where this one ends")]
)
def test_a_shown_earlier_read_must_begin_at_the_low_watermark(
    key: int, problem: str | None
) -> None:
    at = Position(order=NEWEST_FIRST, snapshot=30, low_watermark=29, earlier_head=(3,))
    assert Progress(at).problem(page_of_keys(4, key), 0, 1, 0) == problem
    assert Progress(at).problem(page_of_keys(key, 1), 0, 0, 1) == problem


@pytest.mark.parametrize(
    ("last", "delivered", "is_proved"),
    [((7, 8, 9), 3, True), ((6, 8, 9), 3, False), ((8, 9), 2, True), ((9, 8), 2, False)],
)
def test_the_end_of_a_read_is_proved_by_all_the_payments_that_were_last_at_the_beginning(
    last: tuple[int, ...], delivered: int, is_proved: bool
) -> None:
    tail = (7, 8, 9)
    at = Position(order=OLDEST_FIRST, snapshot=30, expected=delivered, delivered=delivered)
    progress = Progress(replace(at, tail=tail, last=last))
    assert progress.position(0).is_changed is (not is_proved)
    if not is_proved:
        with pytest.raises(ContinuityError, match="are not those that were last at the beginning"):
            progress.conclude()


def test_the_ranks_are_doubtful_from_where_they_first_shifted() -> None:
    at = Position(order=NEWEST_FIRST, snapshot=30, expected=30, delivered=10, remaining=20)
    progress = Progress(at)
    progress.re_anchor(replace(at, remaining=19), 11)
    progress.re_anchor(replace(at, remaining=17), 13)
    assert progress.doubtful_ranks == (20, 1)


def test_no_later_time_than_the_one_delivered_last_follows_newest_first() -> None:
    progress = Progress(Position(order=NEWEST_FIRST, snapshot=3, expected=3, remaining=3))
    progress.deliver(page_at(9, 8), 0, 2)
    jumps = [progress.time_jumps(EPOCH + timedelta(days=day)) for day in (9, 8, 7)]
    assert jumps == [True, False, False]


@pytest.mark.parametrize(("days", "is_disordered"), [((1, 2), False), ((2, 1), True)])
def test_delivered_times_that_fall_are_noted_in_a_read_in_the_order_of_time(
    days: tuple[int, ...], is_disordered: bool
) -> None:
    at = Position(is_oldest_first=True, snapshot=2, expected=2, remaining=2)
    progress = Progress(at)
    progress.deliver(page_at(*days), 0, 2)
    assert progress.is_disordered is is_disordered
