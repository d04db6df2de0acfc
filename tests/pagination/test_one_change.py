"""One change of the list during a read, with arrivals that shift it by about a page."""

from __future__ import annotations

import os
from random import Random

import pytest
from history_model import Reader
from scheduled_changes import OneChange, ScheduledHistory

from paywint_async._pagination.checkpoint import from_json, to_json
from paywint_async._pagination.position import Span

HISTORIES = int(os.environ.get("PAYWINT_HISTORIES", "200")) // 2
ORDERS = pytest.mark.parametrize("is_oldest_first", [False, True], ids=["newest", "oldest"])
SEQUENCES = pytest.mark.parametrize("is_time_ordered", [False, True], ids=["servers", "of time"])


@pytest.mark.parametrize("stop_after", [None, 1, 10, 25])
@SEQUENCES
@ORDERS
def test_consecutive_reads_lose_and_repeat_nothing_without_an_error(
    is_oldest_first: bool, is_time_ordered: bool, stop_after: int | None
) -> None:
    doubts = 0
    for seed in range(HISTORIES):
        case = OneChange(seed, is_oldest_first=is_oldest_first, is_time_ordered=is_time_ordered)
        delivered, doubt = read_on(case, stop_after)
        doubled = {key for key in delivered if delivered.count(key) > 1}
        assert not doubled or (doubt and doubled <= case.history.moved), seed
        assert case.within(delivered) == delivered, seed
        assert doubt or case.has_one_time or not case.lost(delivered), seed
        doubts += doubt is not None
    assert doubts < HISTORIES / 3


def read_on(case: OneChange, stop_after: int | None) -> tuple[list[int], str | None]:
    """Reads, continues from there, and then reads new payments."""
    reading = case.read(stop_after=stop_after)
    delivered, reads_to_come = reading.delivered, 2 if stop_after else 1
    while reading.doubt is None and reading.position and reads_to_come:
        start = from_json(to_json(reading.position, "received"), "received")
        reading = case.read(start=start)
        delivered, reads_to_come = delivered + reading.delivered, reads_to_come - 1
        assert reading.doubt or reading.position is None or reading.position.is_finished
    return delivered, reading.doubt


@SEQUENCES
@ORDERS
def test_the_rest_of_an_unsorted_list_may_have_no_payment_of_the_span(
    is_oldest_first: bool, is_time_ordered: bool
) -> None:
    """A read resumed after the span's last payment ends, and the next one has the new payment."""
    case = OneChange(0, is_oldest_first=is_oldest_first, is_time_ordered=is_time_ordered)
    history = case.history = ScheduledHistory(60, is_oldest_first=is_oldest_first)
    times = history.times
    times[60], times[59] = times[59], times[60]  # on the first or the last page
    times[1], times[2] = times[2], times[1]
    case.span = Span(since=times[20], until=times[30])
    first = case.read(stop_after=10)
    rest = case.read(start=first.position)
    assert (sorted(first.delivered), rest.delivered) == ([*range(20, 30)], [])
    assert rest.position is not None
    assert rest.position.is_finished
    history.insert()
    times[61] = times[25]
    new = case.read(start=rest.position)
    assert (new.doubt, new.delivered) == (None, [61])


@pytest.mark.parametrize("arrivals", [2, 5])
def test_an_insertion_below_an_open_span_during_the_seek_loses_no_payment(arrivals: int) -> None:
    """The first page is read before the seek; arrivals shift the following one by whole pages."""
    history = ScheduledHistory(100)
    history.schedule = {2: [("insert", 15)], 5: [("arrive", arrivals)]}
    span = Span(since=history.times[18])
    reading = Reader(history, Random(0), rows=3, window=1, span=span).read()
    assert reading.doubt or {*range(18, 101)} <= {*reading.delivered}


def test_a_page_that_begins_with_a_moved_payment_does_not_begin_the_span() -> None:
    """Two pages contradicted each other, and the next attempt finds an edge without seeing both."""
    history = ScheduledHistory(31, is_oldest_first=True)
    history.schedule = {2: [("move", 0)], 4: [("arrive", 7)]}
    span = Span(since=history.times[4])
    reader = Reader(history, Random(0), rows=5, window=1, span=span)
    reading = reader.read()
    assert (reading.doubt, sorted(reading.delivered)) == (None, [*range(4, 39)])
    assert reader.planner.progress.is_disordered


@pytest.mark.parametrize("arrivals", [1, 2, 3, 4])
def test_a_span_is_finished_only_once_its_end_was_seen(arrivals: int) -> None:
    """A payment is inserted after the search; the read stops after as many as were counted."""
    silent = []
    for answers in range(2, 12):
        history = ScheduledHistory(60 - arrivals)
        span = Span(since=history.times[31], until=history.times[36])
        history.schedule = {answers: [("insert", 31), ("arrive", arrivals)]}
        first = Reader(history, Random(0), rows=5, window=1, span=span, stop_after=5).read()
        assert first.position is not None
        rest = Reader(history, Random(0), rows=5, window=1, start=first.position, span=span).read()
        left = {*range(31, 36)} - {*first.delivered, *rest.delivered}
        if left and rest.doubt is None:
            silent.append((answers, left))
    assert silent == []


def test_a_page_that_arrivals_pushed_away_does_not_tell_that_the_last_payment_is_gone() -> None:
    history = ScheduledHistory(100)
    history.schedule = {11: [("delete", 99), ("move", 59)], 16: [("arrive", 11), ("delete", 25)]}
    span = Span(since=history.times[28], until=history.times[68])
    reader = Reader(history, Random(0), rows=10, window=1, span=span, is_time_ordered=True)
    reading = reader.read()
    assert reading.doubt is not None
    assert reading.delivered == [*range(28, 61)]


@pytest.mark.parametrize("kept", range(77, 83))
def test_a_single_moved_payment_does_not_tell_where_a_read_continues(kept: int) -> None:
    """All others of the last eight were deleted, and payments that were delivered follow it.

    Their times are equal, so that only the ids of the last eight could tell.
    """
    history = ScheduledHistory(100)
    history.times.update(dict.fromkeys(range(70, 101), history.times[100]))
    first = Reader(history, Random(0), rows=5, window=1, stop_after=25).read()
    assert first.delivered[-8:] == [*range(83, 75, -1)]
    history.keys = [key for key in history.keys if key not in range(76, 84)] + [kept]
    rest = Reader(history, Random(0), rows=5, window=1, start=first.position).read()
    assert rest.doubt is not None
    assert {*rest.delivered}.isdisjoint(first.delivered)
