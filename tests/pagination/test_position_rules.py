"""Single rules of where a read begins, continues and ends, each with a history that needs it."""

from __future__ import annotations

from random import Random

import pytest
from history_model import History, Reader, Reading
from msgspec.structs import replace
from scheduled_changes import ScheduledHistory

from paywint_async._pagination.decision import PageAnswer
from paywint_async._pagination.planner import Planner
from paywint_async._pagination.position import Order, Position

ORDERS = pytest.mark.parametrize("is_oldest_first", [False, True], ids=["newest", "oldest"])


def read(history: History, start: Position | None = None, **settings: object) -> Reading:
    options: dict[str, object] = {"rows": 10, "window": 1, "start": start, **settings}
    return Reader(history, Random(0), **options).read()  # type: ignore[arg-type]


def insert(history: History, count: int) -> None:
    for _ in range(count):
        history.insert()


@pytest.mark.parametrize("is_time_ordered", [False, True])
@ORDERS
def test_a_checkpoint_has_the_order_of_the_list_and_the_number_handed_over(
    is_oldest_first: bool, is_time_ordered: bool
) -> None:
    history = History(25, is_oldest_first=is_oldest_first)
    start, order = None, Order.OLDEST_FIRST if is_oldest_first else Order.NEWEST_FIRST
    for size in (25, 30, 30, 45):
        insert(history, size - len(history.keys))
        history.ties = 1000  # the later ones all have one time
        start = read(history, start, is_time_ordered=is_time_ordered).position
        assert start is not None
        assert (start.order, start.handed) == (order, size)


def test_no_page_below_1_is_requested_if_more_was_deleted_than_is_left_before_the_next_one() -> (
    None
):
    def delete(history: History, delivered: int) -> None:
        if delivered == 10:
            del history.keys[39:45], history.keys[-8:]  # eight of those delivered, and six more

    history = History(55)
    reading = read(history, on_delivered=delete)
    assert reading.delivered == [*range(55, 45, -1)]
    assert reading.doubt == "payments arrive faster than they can be read"
    assert min(history.asked) == 1


def test_the_place_of_arrivals_is_not_guessed_where_the_order_is_known() -> None:
    history = History(200)
    start = read(history, stop_after=98).position
    del history.keys[:10]
    insert(history, 20)
    history.asked.clear()
    assert read(history, start).doubt is not None
    assert history.asked[:3] == [10, 11, 12]


@pytest.mark.parametrize("deleted", [1, 60])
def test_oldest_first_the_end_is_looked_up_although_payments_were_deleted(deleted: int) -> None:
    history = ScheduledHistory(101, is_oldest_first=True)
    history.schedule = {2: [("delete", 0)] * deleted}
    reading = read(history)
    assert reading.delivered == [*range(deleted + 1, 102)]
    assert reading.doubt == f"{101 - deleted} payments were there, where 101 had been counted"
    assert reading.position is not None
    assert reading.position.tail[-1:] == (101,)


@ORDERS
def test_a_page_shown_in_place_of_the_next_does_not_tell_where_a_resumed_read_continues(
    is_oldest_first: bool,
) -> None:
    history = History(60, is_oldest_first=is_oldest_first)
    expected, start = history.listed()[25:], read(history, stop_after=25).position
    if is_oldest_first:
        insert(history, 10)
    history.repeats_page = 1  # once
    reading = read(history, start)
    assert (reading.doubt, reading.delivered) == (None, expected)


def test_two_answers_that_differ_do_not_move_a_resumed_read() -> None:
    history = ScheduledHistory(95)
    expected, start = history.listed()[35:], read(history, stop_after=35).position
    history.schedule, history.answers = {1: [("total", 1)], 2: [("total", -1)]}, 0
    history.asked.clear()
    reading = read(history, start)
    assert history.asked == [4, 4, 4, 5, 6, 7, 8, 9, 10]
    assert (reading.doubt, reading.delivered) == (None, expected)


def test_the_ids_of_the_newest_payments_are_collected_over_pages() -> None:
    position = read(History(30), rows=3).position
    assert position is not None
    assert position.head == (30, 29, 28, 27, 26, 25, 24, 23)


def test_a_read_resumed_before_its_first_payment_continues_after_those_it_delivered() -> None:
    history = History(55)
    reader = Reader(history, Random(0), rows=10, window=1, stop_after=1)
    reader.read()
    start = reader.planner.position(unhanded=10)

    def repeat(history: History, delivered: int) -> None:
        history.repeats_page = 1 if delivered == 10 else None

    reading = read(history, start, on_delivered=repeat)
    assert (reading.doubt, reading.delivered) == (None, [*range(55, 0, -1)])


class Misfit(History):
    """The first answers have a total that contradicts their length."""

    left = 0

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        self.left -= 1
        self.total_error = -50 if self.left >= 0 else 0
        return super().answer(page_no, rows)


@pytest.mark.parametrize(("count", "is_read"), [(3, True), (4, False)])
def test_three_answers_that_contradict_themselves_are_healed(count: int, is_read: bool) -> None:
    history = Misfit(55)
    history.left = count
    reading = read(history)
    assert (reading.doubt is None) == is_read
    assert reading.requests == (count + 6 if is_read else count)


def test_the_checkpoint_of_equal_times_is_refused_for_an_empty_list() -> None:
    start = read(History(5, ties=1000)).position
    reading = read(History(0), start)
    assert reading.delivered == []
    assert reading.doubt is not None


def test_oldest_first_an_arrival_in_place_of_the_first_payment_is_delivered() -> None:
    """The total is the same, and the order is unknown: only the first id tells."""
    history = History(25, is_oldest_first=True, ties=1000)
    start = read(history).position
    history.keys.remove(1)
    history.insert()
    reading = read(history, start)
    assert reading.delivered == [26]
    assert reading.doubt is not None


@pytest.mark.parametrize("arrivals", [0, 1, 10])
@pytest.mark.parametrize("count", [20, 21, 22])
@ORDERS
def test_a_read_continues_if_the_last_payments_delivered_were_deleted(
    is_oldest_first: bool, count: int, arrivals: int
) -> None:
    """With 21 and no arrival, and with 20 and one, the payment delivered before it ends a page."""
    history = History(50, is_oldest_first=is_oldest_first)
    snapshot, start = history.listed(), read(history, stop_after=count).position
    history.keys.remove(snapshot[count - 1])
    insert(history, arrivals)
    reading = read(history, start)
    assert (reading.doubt, reading.delivered) == (None, snapshot[count:])


@ORDERS
def test_a_wrong_count_is_reported_after_an_interruption_at_the_last_payment(
    is_oldest_first: bool,
) -> None:
    def delete(history: History, delivered: int) -> None:
        if delivered == 10:
            history.keys.remove(15)

    history = History(30, is_oldest_first=is_oldest_first)
    first = read(history, stop_after=29, on_delivered=delete)
    assert len(first.delivered) == 29
    assert first.position is not None
    assert not first.position.is_finished
    rest = read(history, first.position)
    assert (rest.delivered, rest.doubt is None) == ([], False)


def test_the_number_of_new_payments_is_never_negative() -> None:
    history = History(30)
    start = read(history).position
    del history.keys[-5:]
    planner = Planner(10, start)
    assert planner.accept(history.answer(1, 10)).ask_first == 1  # a second answer must agree
    assert planner.total == 0


def test_a_total_that_is_once_too_low_does_not_make_nothing_new_an_error() -> None:
    history = History(30)
    start = read(history).position
    history.total_error = -1
    reading = read(history, start)
    assert (reading.doubt, reading.delivered) == (None, [])


def test_newest_first_the_doubtful_ranks_are_those_from_where_a_deletion_was_noticed() -> None:
    def delete(history: History, delivered: int) -> None:
        if delivered == 20:
            history.keys.remove(50)

    reader = Reader(History(100), Random(0), rows=10, window=1, on_delivered=delete)
    assert reader.read().doubt is not None
    assert reader.planner.progress.doubtful_ranks == (80, 1)


def test_oldest_first_the_doubtful_ranks_are_those_up_to_where_an_insertion_was_noticed() -> None:
    def backdate(history: History, delivered: int) -> None:
        if delivered == 10:
            history.insert(5)

    history = History(30, is_oldest_first=True)
    reader = Reader(history, Random(0), rows=10, window=1, on_delivered=backdate)
    assert reader.read().doubt is not None
    assert reader.planner.progress.doubtful_ranks == (11, 1)


class TestTheDuePage:
    @pytest.fixture
    def history(self) -> History:
        return History(200)

    @pytest.fixture
    def planner(self, history: History) -> Planner:
        planner = Planner(10)
        for page_no in (1, 2, 3):
            assert planner.accept(history.answer(page_no, 10)).records
            planner.take_next_page(is_idle=True)
        return planner

    def test_is_not_guessed_to_move_on_after_a_deletion(
        self, history: History, planner: Planner
    ) -> None:
        del history.keys[-10:]
        assert planner.accept(history.answer(4, 10)).ask_first == 3

    def test_of_further_arrivals_is_fetched_ahead(self, history: History, planner: Planner) -> None:
        assert planner.take_next_page(is_idle=False) == 5
        insert(history, 40)
        assert planner.accept(history.answer(4, 10)).records == ()
        assert planner.take_next_page(is_idle=False) == 12  # as many more are expected

    def test_is_told_by_a_page_fetched_ahead(self, history: History, planner: Planner) -> None:
        assert planner.take_next_page(is_idle=False) == 5
        planner.accept(history.answer(4, 10))
        insert(history, 20)
        assert planner.accept(history.answer(5, 10)).records == ()
        assert planner.take_next_page(is_idle=True) == 7


def test_the_place_is_found_although_fewer_payments_are_left_than_were_to_read() -> None:
    history = History(100)
    start = read(history, stop_after=50).position
    history.keys = history.keys[40:58]  # the last eight delivered, and ten more
    reading = read(history, start)
    assert reading.delivered == [*range(50, 40, -1)]
    assert reading.doubt == "60 payments were there, where 100 had been counted"


@pytest.mark.parametrize("repeated", [False, True])
def test_newest_first_the_first_deletion_that_was_noticed_bounds_the_doubtful_ranks(
    repeated: bool,
) -> None:
    def change(history: History, delivered: int) -> None:
        if delivered == 20 and repeated:
            history.repeats_page = 1  # heals, and moves nothing
        if delivered in (40, 60):
            history.keys.remove(10 + delivered // 20)

    reader = Reader(History(100), Random(0), rows=10, window=1, on_delivered=change)
    assert reader.read().doubt is not None
    assert reader.planner.progress.doubtful_ranks == (60, 1)


@pytest.mark.parametrize(("stop_after", "ranks"), [(None, (21, 1)), (25, (32, 1))])
def test_oldest_first_several_insertions_are_added_up_in_the_doubtful_ranks(
    stop_after: int | None, ranks: tuple[int, int]
) -> None:
    def backdate(history: History, delivered: int) -> None:
        if delivered == 10 or (delivered > 15 and len(history.keys) == 31):
            history.insert(5)

    history = History(30, is_oldest_first=True)
    reader = Reader(
        history, Random(0), rows=10, window=1, on_delivered=backdate, stop_after=stop_after
    )
    reader.read()
    assert reader.planner.progress.doubtful_ranks == ranks


def test_the_newest_ids_are_those_of_this_read_although_it_was_interrupted() -> None:
    history = History(30)
    start = read(history).position
    insert(history, 20)
    part = read(history, start, stop_after=3, rows=3)
    rest = read(history, part.position)
    assert rest.position is not None
    assert rest.position.head == (50, 49, 48, 47, 46, 45, 44, 43)


def test_nothing_is_lost_if_a_page_with_a_payment_moved_from_the_earlier_read_is_not_taken() -> (
    None
):
    history = History(30)
    start = read(history).position
    insert(history, 5)
    history.keys.append(history.keys.pop(24))  # 25, which the earlier read delivered
    insert(history, 5)
    reader = Reader(history, Random(0), rows=10, window=1, start=start, stop_after=1)
    reader.read()
    assert len(reader.delivered) == 9
    reading = read(history, reader.planner.position(unhanded=9))
    assert reading.delivered == [*range(40, 30, -1)]
    assert reading.doubt is not None


@pytest.mark.parametrize(("back", "ties"), [(1, 1), (1, 10_000), (11, 1)])
def test_a_page_shown_again_after_many_is_told_by_its_ids_or_by_its_times(
    back: int, ties: int
) -> None:
    """The ids of the latest 300 payments are kept; older ones are told by their times."""
    history = ShowsAnEarlierPageOnce(1500, ties=ties)
    history.back = back
    reading = read(history, rows=100)
    assert history.back == 0
    assert (reading.doubt, reading.delivered) == (None, history.listed())


class ShowsAnEarlierPageOnce(History):
    """The first answer to page 12 shows the payments of the page so many before it."""

    back = 0

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        answer = super().answer(page_no, rows)
        if page_no != 12 or not self.back:
            return answer
        earlier, self.back = super().answer(page_no - self.back, rows), 0
        return replace(answer, records=earlier.records, keys=earlier.keys, times=earlier.times)


@pytest.mark.parametrize("is_time_ordered", [False, True])
def test_only_a_read_in_the_order_of_time_tells_that_the_list_is_not(is_time_ordered: bool) -> None:
    history = History(30, is_oldest_first=True)
    history.keys[4], history.keys[5] = history.keys[5], history.keys[4]
    reading = read(history, is_time_ordered=is_time_ordered)
    assert (reading.delivered, reading.is_disordered) == (history.keys, is_time_ordered)


@ORDERS
def test_times_that_fall_where_a_read_was_interrupted_are_told_by_the_resumed_one(
    is_oldest_first: bool,
) -> None:
    history = History(30, is_oldest_first=is_oldest_first)
    history.keys[19], history.keys[20] = history.keys[20], history.keys[19]
    first = read(history, stop_after=20, is_time_ordered=True)
    rest = read(history, first.position)
    assert (first.is_disordered, rest.is_disordered) == (False, True)
    assert (rest.doubt, first.delivered + rest.delivered) == (None, history.keys)
