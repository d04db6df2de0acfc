"""Deletions and moves between two reads: new payments are delivered and the change is reported."""

from __future__ import annotations

from random import Random

import pytest
from history_model import History, Reader, Reading

from paywint_async._pagination.checkpoint import from_json, to_json
from paywint_async._pagination.decision import PageAnswer
from paywint_async._pagination.position import Position


def sync(history: History, start: Position | None, rows: int = 10) -> Reading:
    return Reader(history, Random(0), rows=rows, window=1, start=start).read()


def checkpoint(reading: Reading) -> Position:
    assert reading.position is not None
    return from_json(to_json(reading.position, "received"), "received")


@pytest.mark.parametrize("ties", [1, 1000])
@pytest.mark.parametrize("rank", [1, 15, 20])
def test_oldest_first_a_move_of_known_payments_is_reported_once(rank: int, ties: int) -> None:
    history = History(30, is_oldest_first=True, ties=ties)
    start = checkpoint(sync(history, None))
    history.keys.append(history.keys.pop(rank - 1))
    history.insert()
    second = sync(history, start)
    assert second.doubt is not None
    assert 31 in second.delivered
    third = sync(history, checkpoint(second))
    assert (third.doubt, third.delivered) == (None, [])


@pytest.mark.parametrize("ties", [1, 1000])
def test_oldest_first_a_deletion_of_known_payments_is_reported_once(ties: int) -> None:
    history = History(30, is_oldest_first=True, ties=ties)
    start = checkpoint(sync(history, None))
    del history.keys[14]
    history.insert()
    history.insert()
    second = sync(history, start)
    assert second.doubt is not None
    assert second.delivered == [31, 32]
    third = sync(history, checkpoint(second))
    assert (third.doubt, third.delivered) == (None, [])


def test_a_deletion_and_an_arrival_hide_nothing_if_the_order_is_unknown() -> None:
    history = History(10, ties=1000)
    start = checkpoint(sync(history, None, rows=20))
    history.keys.remove(10)
    history.insert()
    second = sync(history, start)
    assert second.delivered == [11]
    assert second.doubt is not None


@pytest.mark.parametrize("deleted", [1, 12, 19])
def test_a_deletion_and_an_arrival_hide_nothing_on_an_oldest_first_page_of_equal_times(
    deleted: int,
) -> None:
    history = History(20, is_oldest_first=True, ties=1000)
    start = checkpoint(sync(history, None, rows=20))
    history.keys.remove(deleted)
    history.insert()
    second = sync(history, start, rows=20)
    assert second.delivered == [21]
    assert second.doubt is not None


@pytest.mark.parametrize("deleted", [1, 12, 22])
def test_a_deletion_never_reverses_an_order_that_arrivals_have_shown(deleted: int) -> None:
    history = History(21, ties=1000)
    start = checkpoint(sync(history, None, rows=20))
    history.insert()
    history.insert()
    start = checkpoint(sync(history, start, rows=20))
    history.keys.remove(deleted)
    third = sync(history, start)
    assert third.delivered == []
    assert third.doubt is not None


@pytest.mark.parametrize("size", [1, 3])
def test_deleting_the_latest_payment_delivers_no_old_one_again(size: int) -> None:
    history = History(size, ties=1000)
    start = checkpoint(sync(history, None))
    history.insert()
    history.insert()
    start = checkpoint(sync(history, start))
    history.keys.pop()
    third = sync(history, start)
    assert third.delivered == []
    assert third.doubt is not None


@pytest.mark.parametrize("new", [1, 2, 10, 12, 25])
@pytest.mark.parametrize("size", [10, 35, 40])
def test_oldest_first_new_payments_cost_their_pages_and_one_request(size: int, new: int) -> None:
    history = History(size, is_oldest_first=True)
    start = checkpoint(sync(history, None))
    for _ in range(new):
        history.insert()
    second = sync(history, start)
    assert second.delivered == list(range(size + 1, size + new + 1))
    assert second.requests <= -(-new // 10) + 1


@pytest.mark.parametrize("lag", [10, 14, 20])
def test_a_total_that_lags_behind_the_rows_hides_no_new_payment(lag: int) -> None:
    history = History(19)
    start = checkpoint(sync(history, None))
    for _ in range(lag):
        history.insert()
    history.total_error = -lag  # only in the next answer
    second = sync(history, start)
    assert second.delivered == list(range(19 + lag, 19, -1))
    assert second.doubt is None


@pytest.mark.parametrize("stop_after", [1, 12, 15])
@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_change_is_reported_even_if_the_read_that_saw_it_was_interrupted(
    stop_after: int, is_oldest_first: bool
) -> None:
    history = History(30, is_oldest_first=is_oldest_first)
    start = checkpoint(sync(history, None))
    history.keys.append(history.keys.pop(9))
    for _ in range(14):
        history.insert()
    part = Reader(history, Random(0), rows=10, window=1, start=start, stop_after=stop_after).read()
    assert part.doubt is None
    rest = sync(history, checkpoint(part))
    assert rest.doubt is not None
    assert sorted(part.delivered + rest.delivered) == [10, *range(31, 45)]
    last = sync(history, checkpoint(rest))
    assert (last.doubt, last.delivered) == (None, [])


def test_a_single_answer_does_not_move_the_low_watermark() -> None:
    history = FlickersOnPage4(24)
    start = checkpoint(sync(history, None))
    for _ in range(33):
        history.insert()
    history.is_due = True
    second = sync(history, start)
    assert not history.is_due
    assert second.delivered == list(range(57, 24, -1))
    assert second.doubt is None


class FlickersOnPage4(History):
    """The total in the next answer to page 4 is one too high."""

    is_due = False

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        if self.is_due and page_no == 4:
            self.is_due, self.total_error = False, 1
        return super().answer(page_no, rows)


def test_a_move_during_an_oldest_first_read_is_reported_by_the_next_one() -> None:
    history = History(40, is_oldest_first=True)
    part = Reader(history, Random(0), rows=10, window=1, stop_after=34).read()
    history.keys.append(history.keys.pop(25))
    history.insert()
    rest = sync(history, checkpoint(part))
    assert rest.doubt is None
    assert part.delivered + rest.delivered == list(range(1, 41))
    following = sync(history, checkpoint(rest))
    assert following.delivered == [26, 41]  # 26 is delivered again, which is reported
    assert following.doubt is not None


def test_a_wrong_last_payment_is_reported_after_a_checkpoint_at_it() -> None:
    history = History(30, is_oldest_first=True)
    part = Reader(history, Random(0), rows=10, window=1, stop_after=15).read()
    history.keys.remove(30)
    history.insert()
    rest = Reader(
        history, Random(0), rows=10, window=1, start=checkpoint(part), stop_after=15
    ).read()
    assert rest.delivered == [*range(16, 30), 31]
    assert rest.doubt is None  # the read was interrupted before its end
    assert sync(history, checkpoint(rest)).doubt is not None
