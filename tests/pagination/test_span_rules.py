"""The rules of the span search and of its read, each with a history that needs it."""

from __future__ import annotations

from random import Random

import pytest
from history_model import EPOCH, History, Reader
from msgspec.structs import replace
from scheduled_changes import ScheduledHistory

from paywint_async._pagination.position import Span

ORDERS = pytest.mark.parametrize("is_oldest_first", [False, True], ids=["newest", "oldest"])


class ShowsAnotherPageOnce(History):
    """One answer shows the payments of another page."""

    def __init__(self, size: int, *, is_oldest_first: bool, request: int, page_no: int) -> None:
        super().__init__(size, is_oldest_first=is_oldest_first)
        self.request, self.page_no, self.answers = request, page_no, 0

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        self.answers += 1
        answer = super().answer(page_no, rows)
        if self.answers != self.request:
            return answer
        other = super().answer(page_no + self.page_no if self.page_no < 0 else self.page_no, rows)
        return replace(answer, records=other.records, keys=other.keys, times=other.times)


@pytest.mark.parametrize("page_no", [-1, 3, 17, 31, 38])
@ORDERS
def test_a_page_shown_in_place_of_another_is_not_taken_for_disorder(
    is_oldest_first: bool, page_no: int
) -> None:
    """Its times contradict those of the others; the next attempt does not see it again."""
    doubts = 0
    for since in (60, 95, 103):
        for request in range(2, 14):
            history = ShowsAnotherPageOnce(
                400, is_oldest_first=is_oldest_first, request=request, page_no=page_no
            )
            span = Span(since=history.times[since], until=history.times[since + 90])
            reader = Reader(history, Random(0), rows=10, window=1, span=span)
            reading = reader.read()
            is_exact = sorted(reading.delivered) == [*range(since, since + 90)]
            assert reading.doubt or is_exact, (since, request)
            assert not reader.planner.progress.is_disordered, (since, request)
            doubts += reading.doubt is not None
    assert doubts <= 18  # of 36


@pytest.mark.parametrize("size", range(55, 62))
def test_more_payments_than_counted_do_not_make_the_position_negative(size: int) -> None:
    for request in range(2, 16):
        for stop_after in (None, 5, 6):
            history = ScheduledHistory(size)
            history.schedule = {request: [("insert", 32)] * 7}
            span = Span(since=history.times[31], until=history.times[36])
            reader = Reader(history, Random(0), rows=5, window=1, span=span, stop_after=stop_after)
            position = reader.read().position
            assert position is None or position.remaining >= 0, (request, stop_after)


@pytest.mark.parametrize("deleted", [110, 150, 190])
@pytest.mark.parametrize("request_no", [3, 4])
def test_the_newest_payment_is_looked_up_again_until_an_answer_shows_it(
    request_no: int, deleted: int
) -> None:
    """A deletion hidden by an arrival; more arrivals push the newest payment off the page."""
    history = ScheduledHistory(400)
    history.schedule = {request_no: [("delete", deleted), ("arrive", 1)]}
    history.schedule.setdefault(4, []).append(("arrive", 15))
    span = Span(since=history.times[100], until=history.times[200])
    reader = Reader(history, Random(0), rows=10, window=1, span=span, is_time_ordered=True)
    reading = reader.read()
    left = [key for key in range(100, 200) if key != deleted + 1]
    assert (reading.doubt, reading.delivered) == (None, left)


@ORDERS
def test_a_list_out_of_order_is_read_whole_without_a_page_twice(is_oldest_first: bool) -> None:
    history = History(200, is_oldest_first=is_oldest_first)
    keys = history.keys
    for low in range(0, 200, 20):  # the later half of each twenty before the earlier one
        times = [history.times[key] for key in keys[low : low + 20]]
        history.times.update(zip(keys[low : low + 20], times[10:] + times[:10], strict=True))
    span = Span(since=EPOCH, until=history.times[keys[-1]])
    reader = Reader(history, Random(0), rows=10, window=1, span=span)
    reading = reader.read()
    assert reading.doubt is None
    assert reader.planner.progress.is_disordered
    assert reading.requests <= 20 + 12


@pytest.mark.parametrize("request_no", [9, 10, 11])
def test_a_span_that_begins_with_a_page_needs_the_page_before_it(request_no: int) -> None:
    """One payment was inserted in the span, another one deleted before it: no total tells."""
    for seed in range(20):
        history = ScheduledHistory(20)
        history.schedule = {8: [("insert", 0)], request_no: [("delete", 20)]}
        span = Span(since=history.times[1], until=history.times[9])
        reading = Reader(history, Random(seed), rows=3, window=2, span=span).read()
        assert reading.doubt or {*range(1, 9)} <= {*reading.delivered}, seed


@ORDERS
def test_a_limit_counts_the_payments_of_the_span_in_a_list_out_of_order(
    is_oldest_first: bool,
) -> None:
    history = History(60, is_oldest_first=is_oldest_first)
    times = history.times
    for key in range(1, 60, 2):
        times[key], times[key + 1] = times[key + 1], times[key]
    span = Span(since=times[20], until=times[40])
    expected = [key for key in history.listed() if span.contains(times[key])]
    for limit in range(1, 20):
        reader = Reader(history, Random(0), rows=7, window=1, span=span, limit=limit)
        assert reader.read().delivered == expected[:limit], limit
