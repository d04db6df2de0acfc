"""Single conditions of the proof: what an answer or an earlier read must show before payments follow."""

from __future__ import annotations

from random import Random

import pytest
from history_model import History, Reader, read, stopped_after
from msgspec.structs import replace
from scheduled_changes import ScheduledHistory

from paywint_async._pagination.decision import PageAnswer
from paywint_async._pagination.planner import Planner
from paywint_async._pagination.position import Position


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


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_read_of_nothing_new_does_not_decide_an_unknown_order(is_oldest_first: bool) -> None:
    history = History(25, is_oldest_first=is_oldest_first, ties=1000)
    first = read(history)
    second = read(history, first.position)
    for _ in range(5):
        history.insert()
    third = read(history, second.position)
    assert (third.doubt, sorted(third.delivered)) == (None, [*range(26, 31)])


def test_a_read_that_ends_before_its_first_payment_has_no_checkpoint() -> None:
    history, planner = History(30, is_oldest_first=True), Planner(10)
    assert planner.accept(history.answer(1, 10)).ask_first == 3
    assert planner.total == 30
    assert planner.position() is None


@pytest.mark.parametrize("arrivals", [9, 10, 19])
def test_the_latest_known_payment_may_be_the_last_one_of_a_page(arrivals: int) -> None:
    history = History(30)
    start = read(history).position
    for _ in range(arrivals):
        history.insert()
    reading = read(history, start)
    assert (reading.doubt, reading.delivered) == (None, [*range(30 + arrivals, 30, -1)])


@pytest.mark.parametrize("is_oldest_first", [False, True])
@pytest.mark.parametrize("is_time_ordered", [False, True])
@pytest.mark.parametrize("count", [1, 25, 60])
def test_a_checkpoint_keeps_the_ids_of_eight_payments_at_each_place(
    count: int, is_time_ordered: bool, is_oldest_first: bool
) -> None:
    history = History(60, is_oldest_first=is_oldest_first)
    reader = Reader(
        history,
        Random(0),
        rows=20,
        window=1,
        stop_after=count,
        is_time_ordered=is_time_ordered,
    )
    position = reader.read().position
    assert position is not None
    places = (position.last, position.head, position.due, position.tail)
    assert max(map(len, places)) == 8


def test_in_the_order_of_time_an_arrival_in_place_of_a_moved_payment_is_noticed() -> None:
    """The last payment is again the last one of the snapshot, and the total is unchanged."""
    history = ScheduledHistory(30)
    history.schedule = {2: [("arrive", 1), ("move", 29), ("move", 8)]}
    reading = Reader(history, Random(0), rows=10, window=1, is_time_ordered=True).read()
    assert reading.delivered[-2:] == [31, 30]
    assert reading.doubt == "the last payments are not those that were last at the beginning"


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("size", [7, 10, 55])
def test_the_page_that_shows_the_end_is_requested_once(size: int, window: int) -> None:
    pages, beyond = -(-size // 10), size == 10
    oldest = read(History(size, is_oldest_first=True), window=window)
    assert oldest.delivered == [*range(1, size + 1)]
    assert oldest.requests == pages + (pages > 1)  # the first one again, after the end
    newest = Reader(History(size), Random(0), rows=10, window=window, is_time_ordered=True).read()
    assert newest.delivered == [*range(1, size + 1)]
    assert newest.requests == pages + beyond


def test_the_last_request_before_the_planner_gives_up_may_prove_the_end() -> None:
    """Twelve answers come too late, each but the last with more arrivals than the one before it."""
    history = ScheduledHistory(10)
    history.schedule = {number: [("arrive", 10 * number)] for number in range(2, 13)}
    reading = read(history)
    assert (reading.doubt, reading.delivered) == (None, [*range(10, 0, -1)])
    assert reading.requests == 1 + 12 + 1


@pytest.mark.parametrize(("size", "last"), [(20, 3), (25, 3)])
def test_the_page_that_proves_the_end_is_fetched_ahead(size: int, last: int) -> None:
    history, planner = History(size), Planner(10)
    planner.accept(history.answer(1, 10))
    asked = [planner.take_next_page(is_idle=is_idle) for is_idle in (True, False, False)]
    assert asked == [2, last, None]


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("new", [5, 20, 25])
def test_new_payments_cost_their_pages_and_one_request_at_most(new: int, window: int) -> None:
    history = History(40)
    start = read(history).position
    for _ in range(new):
        history.insert()
    reading = read(history, start, window=window)
    assert (reading.doubt, reading.delivered) == (None, [*range(40 + new, 40, -1)])
    assert reading.requests <= -(-new // 10) + 1


@pytest.mark.parametrize("window", [1, 4])
def test_oldest_first_a_resumed_read_that_looks_up_the_end_requests_each_page_once(
    window: int,
) -> None:
    history = History(100, is_oldest_first=True, ties=1000)  # equal times: the order is unknown
    start = stopped_after(history, 35)
    for _ in range(7):
        history.insert()
    history.asked.clear()
    reading = read(history, start, window=window)
    assert (reading.doubt, reading.delivered) == (None, [*range(36, 101)])
    assert reading.requests == len({*history.asked})


def test_no_total_is_known_before_the_first_answer() -> None:
    finished = read(History(30)).position
    planner = Planner(10, finished)
    assert (planner.total, planner.position()) == (None, finished)


class TestAnAnswerFromBeforeArrivals:
    """Page 3 is answered first; then ten payments arrive, and page 2 shows only delivered ones."""

    @pytest.fixture
    def history(self) -> History:
        return History(60)

    @pytest.fixture
    def planner(self) -> Planner:
        return Planner(10)

    @pytest.fixture
    def early(self, history: History, planner: Planner) -> PageAnswer:
        planner.accept(history.answer(1, 10))
        assert [planner.take_next_page(is_idle=is_idle) for is_idle in (True, False)] == [2, 3]
        early = history.answer(3, 10)
        for _ in range(10):
            history.insert()
        assert planner.accept(history.answer(2, 10)).records == ()
        return early

    def test_waits_for_the_page_that_is_due(
        self, history: History, planner: Planner, early: PageAnswer
    ) -> None:
        decision = planner.accept(early)
        assert (decision.records, decision.ask_first, decision.offer) == ((), 4, early)
        assert planner.accept(history.answer(4, 10)).ask_first == 3  # no more have arrived
        assert planner.accept(history.answer(3, 10)).records == [*range(50, 40, -1)]
        assert planner.accept(early).records == [*range(40, 30, -1)]

    def test_does_not_make_a_later_one_doubtful(
        self, history: History, planner: Planner, early: PageAnswer
    ) -> None:
        for answer in (early, history.answer(3, 10), early):
            planner.accept(answer)
        assert planner.accept(history.answer(5, 10)).records == [*range(30, 20, -1)]


class Arriving(History):
    """So many payments arrive before each of the next answers."""

    next_arrivals: tuple[int, ...] = ()

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        self.arrivals, self.next_arrivals = (*self.next_arrivals, 0)[0], self.next_arrivals[1:]
        return super().answer(page_no, rows)


def test_a_payment_that_arrivals_pushed_off_the_next_page_is_not_taken_for_a_deleted_one() -> None:
    history = Arriving(100)
    snapshot, start = history.listed(), stopped_after(history, 25)
    history.next_arrivals = (6, 20)
    history.asked.clear()
    reading = read(history, start)
    assert history.asked[:4] == [3, 4, 6, 7]
    assert (reading.doubt, reading.delivered) == (None, snapshot[25:])


def test_a_first_payment_that_arrivals_pushed_off_the_page_before_is_looked_for_elsewhere() -> None:
    """The first answer's total is one too high, so the page after the right one is requested."""
    history = Arriving(100)
    snapshot, start = history.listed(), unhanded_start(history)
    for _ in range(19):
        history.insert()
    history.total_error, history.next_arrivals = 1, (0, 0, 30)
    history.asked.clear()
    reading = read(history, start)
    assert history.asked[:5] == [1, 3, 2, 5, 6]
    assert (reading.doubt, reading.delivered) == (None, snapshot)
