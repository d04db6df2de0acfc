"""Single rules of the planner: which pages it requests, how long it tries, what it discards."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from history_model import EPOCH, History, Reader, read, stopped_after
from msgspec.structs import replace

from paywint_async._pagination.decision import PageAnswer
from paywint_async._pagination.planner import Planner


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("arrivals", [10, 25, 60])
def test_a_read_ends_even_if_pages_of_payments_arrive_with_each_answer(
    arrivals: int, window: int
) -> None:
    history = History(200)
    snapshot, history.arrivals = history.listed(), arrivals
    reading = read(history, window=window)
    assert reading.doubt is None
    assert reading.delivered[-200:] == snapshot
    assert len(reading.delivered) == len(set(reading.delivered)) == 200 + arrivals


class Accelerating(History):
    """Before each answer, twice as many payments arrive as before the previous one."""

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        self.arrivals = max(10, 2 * self.arrivals)
        return super().answer(page_no, rows)


def test_payments_that_arrive_ever_faster_end_the_read_with_an_error() -> None:
    history = Accelerating(100)
    reading = read(history)
    assert reading.doubt == "payments arrive faster than they can be read"
    assert reading.requests <= 20


class Stuck(History):
    """Answers every page with the payments of page 1."""

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        answer = super().answer(1, rows)
        return PageAnswer(page_no, answer.total, answer.records, answer.keys, answer.times)


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_repeated_contradictions_end_the_read_with_an_error(
    is_oldest_first: bool,
) -> None:
    history = Stuck(100, is_oldest_first=is_oldest_first)
    reading = read(history)
    problem = "a payment that was already delivered stands further on again"
    assert reading.doubt == f"page 2: {problem}"
    assert reading.requests <= 8


def test_after_a_lagging_answer_the_neighbouring_pages_are_requested_again() -> None:
    history = LagsOnce(200)
    start = stopped_after(history, 98)  # the last delivered payments are on one page
    rest = history.listed()[98:]
    history.before = history.listed()
    for _ in range(40):
        history.insert()
    history.lags_at = 14  # the page that is due now
    reading = read(history, start)
    assert history.lags_at is None
    assert (reading.doubt, reading.delivered) == (None, rest)


class LagsOnce(History):
    """The first answer to one page is from before the latest arrivals."""

    lags_at: int | None = None

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        if page_no == self.lags_at:
            self.lag, self.lags_at = self.before, None
        return super().answer(page_no, rows)


@pytest.mark.parametrize("size", [0, 5, 25])
def test_only_existing_pages_are_searched_for_a_missing_anchor(size: int) -> None:
    start = stopped_after(History(100), 37)
    other = History(size)
    other.keys = [key + 1_000 for key in other.keys]
    other.times = {key + 1_000: time for key, time in other.times.items()}
    assert read(other, start).doubt is not None
    assert {*other.asked[1:]} <= {*range(1, max(1, -(-size // 10)) + 1)}


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_checkpoint_before_the_first_payment_completes_its_snapshot_despite_a_wrong_answer(
    is_oldest_first: bool,
) -> None:
    history = History(55, is_oldest_first=is_oldest_first)
    snapshot = history.listed()
    reader = Reader(history, Random(0), rows=10, window=1, stop_after=1)
    reader.read()
    start = reader.planner.position(unhanded=10)
    assert start is not None
    assert (start.delivered, start.expected) == (0, 55)
    for _ in range(7):
        history.insert()
    history.total_error = 1
    reading = read(history, start)
    assert (reading.doubt, reading.delivered) == (None, snapshot)


def test_oldest_first_a_later_wrong_answer_does_not_change_the_snapshot() -> None:
    history = Misfit(55, is_oldest_first=True)
    snapshot = history.listed()
    history.arrivals, history.misfits_at = 1, 3  # the first page, requested again at the end
    reading = read(history)
    assert len(history.asked) > 3
    assert (reading.doubt, len(reading.delivered)) == (None, 55 + 1)
    assert reading.delivered == [*snapshot, 56]


class Misfit(History):
    """The answer to the request with this number has a total that contradicts its length."""

    misfits_at = 0

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        if len(self.asked) + 1 == self.misfits_at:
            self.total_error = -len(self.keys)
        return super().answer(page_no, rows)


def test_pages_are_fetched_ahead_again_once_the_read_has_caught_up_with_the_arrivals() -> None:
    history, planner = History(200), Planner(10)
    assert planner.first_page is not None
    planner.accept(history.answer(planner.first_page, 10))
    due, ahead = (planner.take_next_page(is_idle=is_idle) for is_idle in (True, False))
    assert (due, ahead) == (2, 3)
    for _ in range(40):
        history.insert()
    planner.accept(history.answer(2, 10))
    planner.accept(history.answer(3, 10))  # only payments that arrived after the snapshot
    assert planner.take_next_page(is_idle=False) is None
    offers: list[PageAnswer] = []
    asked, records = planner.take_next_page(is_idle=True), ()
    while not records:
        answer = offers.pop() if asked is None else history.answer(asked, 10)
        decision = planner.accept(answer)
        offers += [decision.offer] if decision.offer else []
        asked, records = decision.ask_first, decision.records
    assert planner.take_next_page(is_idle=False) is not None


def test_oldest_first_an_end_that_was_unknown_before_the_interruption_is_verified() -> None:
    history = History(100, is_oldest_first=True, ties=1000)  # equal times: the order is unknown
    start = stopped_after(history, 35)
    for _ in range(7):
        history.insert()

    def delete(history: History, delivered: int) -> None:
        if 60 in history.keys:
            history.keys.remove(60)

    reader = Reader(history, Random(0), rows=10, window=1, start=start, on_delivered=delete)
    assert reader.read().doubt is not None


def test_an_anchor_below_the_low_watermark_is_an_error() -> None:
    history = History(30)
    finished = read(history).position
    for _ in range(20):
        history.insert()
    part = Reader(history, Random(0), rows=10, window=1, start=finished, stop_after=5).read()
    history.keys = [*range(1, 30), *range(46, 51), *range(30, 46)]
    reading = read(history, part.position)
    assert reading.delivered == []
    assert reading.doubt == "fewer payments are left than were already read"


def test_no_page_beyond_the_last_one_is_requested_after_a_deletion() -> None:
    history = History(55)
    start = stopped_after(history, 53)
    history.keys.remove(3)
    history.asked.clear()
    reading = read(history, start)
    assert (reading.doubt, reading.delivered) == (None, [2, 1])
    assert {*history.asked} == {6}


def test_a_payment_that_replaces_the_latest_known_one_is_reported() -> None:
    history = History(30)
    finished = read(history).position
    for _ in range(25):
        history.insert()

    def replace(history: History, delivered: int) -> None:
        if 30 in history.keys:
            history.keys.remove(30)
            history.insert(29)

    reader = Reader(history, Random(0), rows=10, window=1, start=finished, on_delivered=replace)
    assert reader.read().doubt is not None


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_pages_with_one_time_each_are_read_in_either_order(is_oldest_first: bool) -> None:
    history = History(50, is_oldest_first=is_oldest_first)
    history.times = {key: EPOCH + timedelta(days=(key - 1) // 10) for key in history.keys}
    reading = read(history)
    assert (reading.doubt, reading.delivered) == (None, history.listed())
    assert reading.requests == 6  # all pages, and one beyond the last, which is full


def test_oldest_first_the_end_is_verified_if_the_first_page_does_not_show_the_order() -> None:
    history = History(100, is_oldest_first=True)
    history.times |= {key: EPOCH for key in history.keys if key <= 15}

    def change(history: History, delivered: int) -> None:
        if 60 in history.keys and delivered >= 20:
            history.keys.remove(60)
            history.insert()

    reading = Reader(history, Random(0), rows=10, window=1, on_delivered=change).read()
    assert reading.doubt is not None


@pytest.mark.parametrize("is_oldest_first", [False, True])
@pytest.mark.parametrize("change", ["delete", "backdate", "move"])
def test_after_the_error_the_checkpoint_continues_with_new_payments(
    change: str, is_oldest_first: bool
) -> None:
    history = History(100, is_oldest_first=is_oldest_first)
    left = [change]

    def change_once(history: History, delivered: int) -> None:
        if left and delivered >= 20:
            left.clear()
            if change == "backdate":
                history.insert(50)
            else:
                key = history.keys.pop(50)
                history.keys += [key] if change == "move" else []

    first = Reader(history, Random(0), rows=10, window=1, on_delivered=change_once).read()
    assert first.doubt is not None
    assert first.position is not None
    known, position = {*first.delivered}, first.position
    for _ in range(3):
        for _ in range(5):
            history.insert()
        following = read(history, position)
        assert following.position is not None
        position = following.position
        assert following.doubt is None
        assert {*history.keys[-5:]} <= {*following.delivered}
        assert known.isdisjoint(following.delivered)
        known |= {*following.delivered}
    assert known >= {*history.keys}


@pytest.mark.parametrize("count", [10, 12])
@pytest.mark.parametrize("arrivals", [0, 1, 8])
@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_payment_moved_after_its_delivery_does_not_shift_the_others(
    is_oldest_first: bool, arrivals: int, count: int
) -> None:
    history = History(55, is_oldest_first=is_oldest_first)
    snapshot = history.listed()
    start = stopped_after(history, count)
    history.keys.append(history.keys.pop(history.keys.index(snapshot[count - 1])))
    for _ in range(arrivals):
        history.insert()
    reading = read(history, start)
    if reading.doubt is None:
        assert reading.delivered == snapshot[count:]
    assert reading.delivered == snapshot[count : count + len(reading.delivered)]


@pytest.mark.parametrize("size", [12, 18, 30])
@pytest.mark.parametrize("is_interrupted", [False, True])
def test_an_arrival_before_the_last_payment_is_noticed_even_if_that_was_moved_past_it(
    size: int, is_interrupted: bool
) -> None:
    """As many payments were moved away as arrived, so the total is unchanged."""
    history = History(size, is_oldest_first=True)

    def change() -> None:
        history.insert()
        for key in (size, 9):
            history.keys.append(history.keys.pop(history.keys.index(key)))

    if is_interrupted:
        start = stopped_after(history, 3)
        change()
        reading = read(history, start)
    else:
        reader = Reader(history, Random(0), rows=10, window=1)
        reader.on_delivered = lambda history, delivered: change() if delivered == 0 else None
        asked = history.answer

        def answer(page_no: int, rows: int) -> PageAnswer:
            if len(history.asked) == 2:  # the first page and the last one are known
                change()
            return asked(page_no, rows)

        history.answer = answer  # type: ignore[method-assign]
        reading = reader.read()
    assert reading.doubt == "the last payments are not those that were last at the beginning"


def test_a_last_page_answered_with_the_first_does_not_decide_the_order() -> None:
    """All times on the first page are equal, so only the last page can show the order."""
    history = History(20, ties=11)
    reader = Reader(history, Random(0), rows=10, window=1, is_time_ordered=True)
    asked = history.answer

    def answer(page_no: int, rows: int) -> PageAnswer:
        history.repeats_page = 1 if len(history.asked) == 1 else None
        return asked(page_no, rows)

    history.answer = answer  # type: ignore[method-assign]
    reading = reader.read()
    assert (reading.doubt, reading.delivered) == (None, history.keys)


def test_the_last_page_is_requested_next_if_the_first_shows_no_order() -> None:
    history = History(20, ties=100)
    Reader(history, Random(0), rows=10, window=1, is_time_ordered=True).read()
    assert history.asked[:2] == [1, 2]


def test_a_checkpoint_before_the_first_payment_keeps_its_ids_after_a_change() -> None:
    reader = Reader(History(55), Random(0), rows=10, window=1, stop_after=1)
    reader.read()
    start = reader.planner.position(unhanded=10)
    assert start is not None
    assert len(start.due) == 8
    changed = replace(start, is_changed=True)
    assert Planner(10, changed).position() == changed
