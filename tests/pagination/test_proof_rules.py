"""Single conditions of the proof: what an answer or an earlier read must show before payments follow."""

from __future__ import annotations

from random import Random

import pytest
from history_model import History, Reader, Reading
from msgspec.structs import replace

from paywint_async._pagination.decision import PageAnswer
from paywint_async._pagination.position import Position


def read(
    history: History, start: Position | None = None, *, rows: int = 10, window: int = 1
) -> Reading:
    return Reader(history, Random(0), rows=rows, window=window, start=start).read()


def stopped_after(history: History, count: int) -> Position:
    position = Reader(history, Random(0), rows=10, window=1, stop_after=count).read().position
    assert position is not None
    return position


def unhanded_start(history: History) -> Position:
    """A position before the first payment, with the ids of those that are due."""
    reader = Reader(history, Random(0), rows=10, window=1, stop_after=1)
    reader.read()
    start = reader.planner.position(unhanded=10)
    assert start is not None
    return start


class ShowsPage1Once(History):
    """The first answer to page 3 shows the payments of page 1."""

    is_due = False

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        answer = super().answer(page_no, rows)
        if page_no != 3 or not self.is_due:
            return answer
        self.is_due, first = False, super().answer(1, rows)
        return replace(answer, records=first.records, keys=first.keys, times=first.times)


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_after_a_resume_payments_whose_ids_the_checkpoint_lacks_are_told_by_their_times(
    is_oldest_first: bool,
) -> None:
    history = ShowsPage1Once(30, is_oldest_first=is_oldest_first)
    start = stopped_after(history, 20)
    history.is_due = True
    reading = read(history, start)
    assert not history.is_due
    assert (reading.doubt, reading.delivered) == (None, history.listed()[20:])


class ShowsOnePaymentTwice(History):
    """Page 2 shows its first payment in place of its second, too."""

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        answer = super().answer(page_no, rows)
        if page_no != 2:
            return answer
        keys = [answer.keys[0], answer.keys[0], *answer.keys[2:]]
        return replace(answer, records=keys, keys=keys, times=[self.times[key] for key in keys])


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_payment_that_a_page_shows_twice_is_an_error(is_oldest_first: bool) -> None:
    history = ShowsOnePaymentTwice(30, is_oldest_first=is_oldest_first)
    reading = read(history)
    assert reading.delivered == history.listed()[:10]
    problem = "a payment that was already delivered stands further on again"
    assert reading.doubt == f"page 2: {problem}"


@pytest.mark.parametrize("deleted", [17, 20])
def test_oldest_first_an_insertion_that_replaces_a_known_payment_is_reported(deleted: int) -> None:
    """The new payments stand where they are expected, so the places alone do not tell."""
    history = History(20, is_oldest_first=True)
    start = read(history).position
    history.keys.remove(deleted)
    history.insert(5)
    history.insert()
    reading = read(history, start)
    assert reading.delivered == [22]
    assert reading.doubt is not None


def test_the_first_payment_is_looked_for_on_the_page_before_if_another_due_one_begins_a_page() -> (
    None
):
    """The first answer's total is one too high, so the page after the right one is requested."""
    history = History(55)
    snapshot = history.listed()
    start = unhanded_start(history)
    for _ in range(19):
        history.insert()
    history.total_error = 1
    history.asked.clear()
    reading = read(history, start)
    assert history.asked[:3] == [1, 3, 2]
    assert (reading.doubt, reading.delivered) == (None, snapshot)


@pytest.mark.parametrize("arrivals", [0, 10, 15])
def test_a_read_begins_with_the_next_payment_if_the_first_due_one_was_deleted(
    arrivals: int,
) -> None:
    history = History(55)
    start = unhanded_start(history)
    history.keys.remove(55)
    for _ in range(arrivals):
        history.insert()
    reading = read(history, start)
    assert reading.delivered == [*range(54, 0, -1)]
    assert reading.doubt == "54 payments were there, where 55 had been counted"


def test_no_page_before_the_one_that_begins_with_the_first_due_payment_is_requested() -> None:
    history = History(55)
    start = unhanded_start(history)
    for _ in range(20):
        history.insert()
    history.asked.clear()
    reading = read(history, start)
    assert reading.delivered == [*range(55, 0, -1)]
    assert history.asked == [1, 3, 4, 5, 6, 7, 8]


def test_in_the_order_of_time_the_first_page_of_a_newest_first_list_is_requested_once() -> None:
    history = History(55)
    reading = Reader(history, Random(0), rows=10, window=1, is_time_ordered=True).read()
    assert reading.delivered == [*range(1, 56)]
    assert history.asked == [1, 6, 5, 4, 3, 2]
