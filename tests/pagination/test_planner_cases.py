"""The planner against single histories: the effect of one wrong answer, one deletion, one move."""

from __future__ import annotations

from collections import deque
from random import Random

import pytest
from history_model import History, Reader, Reading
from msgspec.structs import replace

from paywint_async._pagination.decision import ContinuityError, PageAnswer
from paywint_async._pagination.planner import Planner
from paywint_async._pagination.position import Order, Position


@pytest.mark.parametrize("lie", [-3, -1, 1, 5])
@pytest.mark.parametrize("size", [15, 20, 25])
def test_a_total_that_is_always_wrong_is_not_trusted(lie: int, size: int) -> None:
    history = WrongTotalHistory(size, lie=lie)
    reading = Reader(history, Random(0), rows=10, window=2).read()
    assert reading.doubt is not None


class WrongTotalHistory(History):
    """Every total is wrong by the same number."""

    def __init__(self, size: int, *, lie: int) -> None:
        super().__init__(size)
        self.lie = lie

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        self.total_error = self.lie
        return super().answer(page_no, rows)


def test_the_checkpoint_of_another_history_is_noticed() -> None:
    mine, other = History(100), History(120)
    other.keys = [key + 1_000_000 for key in other.keys]
    other.times = {key + 1_000_000: time for key, time in other.times.items()}
    for stop_after in (37, None):
        start = Reader(mine, Random(0), rows=10, window=2, stop_after=stop_after).read().position
        reading = Reader(other, Random(0), rows=10, window=2, start=start).read()
        assert reading.doubt is not None
        assert reading.delivered == []


def test_a_deleted_anchor_is_replaced_by_the_one_before_it() -> None:
    history = History(50)
    first = Reader(history, Random(0), rows=10, window=1, stop_after=25).read()
    for key in first.delivered[-3:]:
        history.keys.remove(key)
    rest = Reader(history, Random(0), rows=10, window=1, start=first.position).read()
    assert rest.doubt is None
    assert rest.delivered == list(range(25, 0, -1))


def test_the_order_is_unknown_until_two_times_differ() -> None:
    history = History(1)
    reading = Reader(history, Random(0), rows=10, window=1).read()
    assert reading.position is not None
    assert reading.position.order is Order.UNKNOWN


def test_no_page_beyond_the_limit_is_requested() -> None:
    reader = Reader(History(500), Random(0), rows=10, window=4, limit=25)
    reading = reader.read()
    assert reading.requests == 3
    assert len(reading.delivered) == 25


def sync(history: History, start: Position | None, rows: int = 10) -> Reading:
    return Reader(history, Random(0), rows=rows, window=1, start=start).read()


@pytest.mark.parametrize("rank", [1, 5, 22, 23, 25, 30])
def test_a_payment_moved_to_the_head_between_two_reads_hides_no_new_one(rank: int) -> None:
    history = History(30)
    start = sync(history, None).position
    for _ in range(5):
        history.insert()
    history.keys.append(history.keys.pop(rank - 1))
    second = sync(history, start)
    new = set(range(31, 36))
    assert second.doubt is not None
    assert new <= set(second.delivered)
    if rank > 30 - 8:  # the checkpoint has its id
        assert set(second.delivered) == new
    third = sync(history, second.position)
    assert (third.doubt, third.delivered) == (None, [])


@pytest.mark.parametrize("change", ["delete", "move"])
@pytest.mark.parametrize("rank", [1, 15, 30])
def test_a_change_among_known_payments_is_reported_once(change: str, rank: int) -> None:
    history = History(30)
    start = sync(history, None).position
    key = history.keys.pop(rank - 1)
    if change == "move":
        history.keys.append(key)
    second = sync(history, start)
    known = change == "delete" or rank > 30 - 8
    assert second.delivered == ([] if known else [key])
    assert second.doubt is not None or (change, rank) == ("move", 30)
    third = sync(history, second.position)
    assert (third.doubt, third.delivered) == (None, [])


def test_a_page_repeated_right_after_a_resume_is_noticed() -> None:
    for rows in ((10, 20), (100, 100), (20, 10)):
        history = History(180)
        first = Reader(history, Random(0), rows=rows[0], window=1, stop_after=100).read()
        for seed in range(20):
            random = Random(seed)
            rest = Reader(
                history,
                random,
                rows=rows[1],
                window=random.choice((1, 4)),
                kinds=("repeat",),
                change_rate=0.3,
                start=first.position,
            ).read()
            whole = first.delivered + rest.delivered
            assert rest.doubt or whole == history.listed(), (rows, seed)
            assert len(set(whole)) == len(whole)


def test_an_unknown_order_is_not_decided_by_one_wrong_answer() -> None:
    history = History(12, ties=1000)
    history.total_error = -2
    first = sync(history, None)
    assert first.position is not None
    assert first.position.order is Order.UNKNOWN
    for _ in range(5):
        history.insert()
    second = sync(history, first.position)
    assert second.doubt is not None or set(second.delivered) >= set(range(13, 18))


def test_oldest_first_equal_times_and_a_deletion_hide_no_new_payment() -> None:
    history = History(10, is_oldest_first=True, ties=1000)
    start = sync(history, None).position
    del history.keys[0]
    for _ in range(5):
        history.insert()
    assert sync(history, start).delivered == list(range(11, 16))


def test_the_finished_checkpoint_of_another_history_is_noticed_even_if_this_one_is_empty() -> None:
    start = sync(History(25), None).position
    assert sync(History(0), start).doubt is not None


def test_an_unknown_order_is_decided_before_payments_are_delivered() -> None:
    history = History(100, is_oldest_first=True, ties=1000)
    before = history.listed()
    reader = Reader(history, Random(0), rows=10, window=1, on_delivered=insert_two_pages)
    reading = reader.read()
    assert len(history.keys) == 120
    assert (reading.doubt, reading.delivered) == (None, before)


def insert_two_pages(history: History, delivered: int) -> None:
    if delivered == 10:
        for _ in range(20):  # whole pages: no overlap shows a wrong order
            history.insert()


class RepeatsOnce(History):
    """Answers page 2 once with the first records of page 1, as many as page 2 has."""

    has_repeated = False

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        answer = super().answer(page_no, rows)
        if page_no == 2 and not self.has_repeated:
            self.has_repeated = True
            shown = self.listed()[: len(answer.keys)]
            times = [self.times[key] for key in shown]
            return PageAnswer(page_no, answer.total, shown, shown, times)
        return answer


def test_a_repeated_page_after_a_resume_is_detected_by_its_ids_if_times_are_equal() -> None:
    history = RepeatsOnce(28, ties=1000)
    history.has_repeated = True
    first = Reader(history, Random(0), rows=10, window=1, stop_after=20).read()
    history.has_repeated = False
    rest = Reader(history, Random(0), rows=20, window=1, start=first.position).read()
    assert history.has_repeated
    assert rest.doubt is None
    assert first.delivered + rest.delivered == history.listed()


def read_all(history: History, planner: Planner, answers: deque[PageAnswer]) -> list[int]:
    """Feeds these answers to the planner, then each page that it requests; returns the records."""
    delivered: list[int] = []
    asked: int | None = None
    while not planner.is_complete:
        if asked is None and answers:
            answer = answers.popleft()
        else:
            page_no = asked or planner.take_next_page(is_idle=True)
            assert page_no is not None
            answer = history.answer(page_no, 10)
        decision = planner.accept(answer)
        if decision.drop_window:
            answers.clear()
        if decision.offer is not None:
            answers.appendleft(decision.offer)
        asked = decision.ask_first
        delivered += decision.records
    return delivered


class TestAnInsertionInThePastWhilePagesAreInFlight:
    """Oldest first: page 2 is answered before the insertion, page 1 after it; one is on neither."""

    @pytest.fixture
    def history(self) -> History:
        return History(30, is_oldest_first=True)

    @pytest.fixture
    def planner(self, history: History) -> Planner:
        planner = Planner(10)
        assert planner.first_page is not None
        end = planner.accept(history.answer(planner.first_page, 10)).ask_first
        assert end is not None
        planner.accept(history.answer(end, 10))
        return planner

    @pytest.fixture
    def delivered(self, history: History, planner: Planner) -> list[int]:
        assert planner.take_next_page(is_idle=True) == 1
        assert planner.take_next_page(is_idle=False) == 2
        second = history.answer(2, 10)
        history.insert(5)
        return read_all(history, planner, deque([history.answer(1, 10), second]))

    def test_is_reported(self, planner: Planner, delivered: list[int]) -> None:
        assert len(delivered) == 30
        with pytest.raises(ContinuityError, match="appeared among those that were already read"):
            planner.conclude()

    def test_has_the_missing_payment_among_the_doubtful_ranks(
        self, history: History, planner: Planner, delivered: list[int]
    ) -> None:
        (missing,) = {*history.keys} - {*delivered}
        highest, lowest = planner.progress.doubtful_ranks
        assert lowest <= history.keys.index(missing) + 1 <= highest < len(history.keys)

    def test_is_reported_once_and_only_a_read_without_checkpoint_has_the_missing_payment(
        self, history: History, planner: Planner, delivered: list[int]
    ) -> None:
        (missing,) = {*history.keys} - {*delivered}
        with pytest.raises(ContinuityError):
            planner.conclude()
        following = sync(history, planner.position())
        assert (following.doubt, following.delivered) == (None, [])
        assert missing in sync(history, None).delivered


def test_oldest_first_the_doubtful_ranks_of_an_unfinished_read_are_those_not_yet_read() -> None:
    history, planner = History(30, is_oldest_first=True), Planner(10)
    assert planner.first_page is not None
    end = planner.accept(history.answer(planner.first_page, 10)).ask_first
    assert end is not None
    planner.accept(history.answer(end, 10))
    planner.accept(history.answer(1, 10))
    assert planner.progress.doubtful_ranks == (30, 11)


def test_newest_first_the_doubtful_ranks_of_an_unfinished_read_are_those_not_yet_read() -> None:
    history, planner = History(30), Planner(10)
    assert planner.first_page is not None
    planner.accept(history.answer(planner.first_page, 10))
    assert planner.progress.doubtful_ranks == (20, 1)


@pytest.mark.parametrize(("limit", "requests"), [(19, 2), (20, 2), (21, 3)])
def test_pages_are_requested_up_to_the_one_with_the_last_wanted_payment(
    limit: int, requests: int
) -> None:
    reading = Reader(History(500), Random(0), rows=10, window=4, limit=limit).read()
    assert (len(reading.delivered), reading.requests) == (limit, requests)


@pytest.mark.parametrize(
    ("is_oldest_first", "ties", "size", "asked"),
    [
        (False, 1, 15, [1]),
        (True, 1, 5, [1]),  # the page of the anchor
        (True, 1, 10, [1, 2]),
        (True, 1, 15, [2]),
        (False, 1000, 15, [1]),
        (True, 1000, 5, [1]),  # the first page shows where the arrivals are, and all of them
        (True, 1000, 15, [1, 2]),
    ],
)
def test_a_finished_list_is_continued_with_few_requests(
    is_oldest_first: bool, ties: int, size: int, asked: list[int]
) -> None:
    history = History(size, is_oldest_first=is_oldest_first, ties=ties)
    start = sync(history, None).position
    unchanged = sync(history, start)
    assert (unchanged.position, unchanged.requests) == (start, 1)
    for _ in range(3):
        history.insert()
    history.asked.clear()
    reading = sync(history, start)
    assert (reading.doubt, history.asked) == (None, asked)
    assert sorted(reading.delivered) == [*range(size + 1, size + 4)]


class FirstPageCountsNoArrivals(History):
    """The total of page 1 does not count the ten latest payments, and the first time none at all."""

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        if page_no == 1 and self.born > self.size:
            self.total_error = -10 if self.asked else -len(self.keys)
        return super().answer(page_no, rows)


def test_a_first_page_whose_total_does_not_count_its_new_payments_ends_the_read() -> None:
    history = FirstPageCountsNoArrivals(30)
    start = sync(history, None).position
    for _ in range(10):
        history.insert()
    history.asked.clear()
    reading = sync(history, start)
    assert reading.doubt == "page 1: it shows new payments, and its total none"
    assert reading.delivered == []


@pytest.mark.parametrize("arrivals", [5, 10, 12])
def test_the_record_due_first_is_found_where_the_arrivals_have_pushed_it(arrivals: int) -> None:
    history = History(55)
    snapshot = history.listed()
    reader = Reader(history, Random(0), rows=10, window=1, stop_after=1)
    reader.read()
    start = reader.planner.position(unhanded=10)
    for _ in range(arrivals):
        history.insert()
    history.asked.clear()
    reading = sync(history, start)
    assert (reading.doubt, reading.delivered) == (None, snapshot)
    assert history.asked == [*range(1, 8)]


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_change_that_no_error_has_reported_is_reported_by_the_next_read(
    is_oldest_first: bool,
) -> None:
    history = History(25, is_oldest_first=is_oldest_first)
    finished = sync(history, None).position
    assert finished is not None
    second = sync(history, replace(finished, is_changed=True))
    assert second.doubt == "payments of the earlier read were deleted or moved since"
    third = sync(history, second.position)
    assert (third.doubt, third.delivered) == (None, [])


@pytest.mark.parametrize("arrivals", [1, 3])
def test_oldest_first_a_deleted_last_payment_is_reported_with_the_new_ones(arrivals: int) -> None:
    history = History(25, is_oldest_first=True)
    start = sync(history, None).position
    history.keys.pop()
    new = range(26, 26 + arrivals)
    for _ in new:
        history.insert()
    second = sync(history, start)
    assert second.doubt == "payments of the earlier read were deleted or moved since"
    assert second.delivered == [*new]
