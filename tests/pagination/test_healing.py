"""A single change during a read costs nothing, or only the payment concerned, with an error.

How many random histories are read is set by PAYWINT_HISTORIES (nox session `exactly_once`: 10,000).
"""

from __future__ import annotations

from random import Random

import pytest
from effort import tries
from history_model import History, Reader, Reading

from paywint_async._pagination.checkpoint import from_json, to_json
from paywint_async._pagination.position import Position

HISTORIES = tries(200, "PAYWINT_HISTORIES")
SIZES = (12, 20, 25, 40, 55, 100)


def read_through_one_change(
    kind: str, seed: int, *, is_oldest_first: bool, windows: tuple[int, ...] = (1, 4)
) -> tuple[History, list[int], Reading]:
    """The history after the change, the snapshot, and the read during which it happened."""
    random = Random(seed)
    size = random.choice(SIZES)
    history = History(size, is_oldest_first=is_oldest_first, ties=random.choice((1, 1, 3)))
    left = [random.randrange(1, size)]  # the number of payments before the change

    def change_once(history: History, delivered: int) -> None:
        if left and delivered >= left[0]:
            left.clear()
            history.change(kind, random)

    snapshot, window = history.listed(), random.choice(windows)
    reader = Reader(history, random, rows=10, window=window, on_delivered=change_once)
    return history, snapshot, reader.read()


@pytest.mark.parametrize("is_oldest_first", [False, True], ids=["newest", "oldest"])
@pytest.mark.parametrize("kind", ["flicker", "repeat", "lag"])
def test_one_wrong_answer_costs_nothing(kind: str, is_oldest_first: bool) -> None:
    for seed in range(HISTORIES):
        _, snapshot, reading = read_through_one_change(kind, seed, is_oldest_first=is_oldest_first)
        assert (reading.doubt, reading.delivered) == (None, snapshot), seed


@pytest.mark.parametrize("kind", ["delete", "move", "backdate"])
def test_newest_first_one_change_costs_no_other_payment(kind: str) -> None:
    for seed in range(HISTORIES):
        history, snapshot, reading = read_through_one_change(kind, seed, is_oldest_first=False)
        concerned = {*snapshot} ^ {*history.keys} if kind != "move" else {history.keys[-1]}
        assert {*snapshot} - concerned <= {*reading.delivered}, seed
        assert (reading.doubt is None) == (reading.delivered == snapshot), seed


def test_oldest_first_a_deletion_costs_no_other_payment() -> None:
    for seed in range(HISTORIES):
        history, snapshot, reading = read_through_one_change("delete", seed, is_oldest_first=True)
        assert {*snapshot} & {*history.keys} <= {*reading.delivered}, seed
        assert (reading.doubt is None) == (reading.delivered == snapshot), seed


def test_oldest_first_payments_that_an_insertion_pushes_past_the_end_are_in_the_next_read() -> None:
    for seed in range(HISTORIES):
        history, snapshot, reading = read_through_one_change(
            "backdate", seed, is_oldest_first=True, windows=(1,)
        )
        if reading.doubt is None:
            assert reading.delivered == snapshot, seed
            continue
        following = resume(history, reading.position)
        assert {*snapshot} <= {*reading.delivered, *following.delivered}, seed


def resume(history: History, start: Position | None, **settings: int) -> Reading:
    assert start is not None
    start = from_json(to_json(start, "received"), "received")
    return Reader(history, Random(0), rows=10, window=1, start=start, **settings).read()


def stop_after(history: History, count: int, rows: int = 10) -> Reading:
    return Reader(history, Random(0), rows=rows, window=1, stop_after=count).read()


@pytest.mark.parametrize("is_oldest_first", [False, True])
@pytest.mark.parametrize("arrivals", [7, 60])
def test_a_read_of_equal_times_resumes_on_either_side_of_the_arrivals(
    arrivals: int, is_oldest_first: bool
) -> None:
    history = History(100, is_oldest_first=is_oldest_first, ties=1000)
    snapshot, first = history.listed(), stop_after(history, 35)
    for _ in range(arrivals):
        history.insert()
    rest = resume(history, first.position)
    assert rest.doubt is None
    assert first.delivered + rest.delivered == snapshot


@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_read_of_equal_times_resumes_despite_arrivals_before_each_answer(
    is_oldest_first: bool,
) -> None:
    history = History(100, is_oldest_first=is_oldest_first, ties=1000)
    snapshot, first = history.listed(), stop_after(history, 35)
    history.arrivals = 1
    rest = resume(history, first.position)
    assert rest.doubt is None
    assert first.delivered + rest.delivered == snapshot


@pytest.mark.parametrize("taken", [30, 35, 40])
@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_a_resumed_read_requests_only_the_page_of_its_anchor_and_those_after_it(
    taken: int, is_oldest_first: bool
) -> None:
    history = History(95, is_oldest_first=is_oldest_first)
    first = stop_after(history, taken)
    rest = resume(history, first.position)
    assert rest.requests == 10 - (taken - 1) // 10


def test_a_list_not_sorted_by_time_is_read_in_its_order() -> None:
    history = History(100)
    Random(3).shuffle(history.keys)
    reading = Reader(history, Random(0), rows=10, window=4).read()
    assert (reading.doubt, reading.delivered) == (None, history.listed())


def test_the_last_page_of_an_oldest_first_list_is_requested_once() -> None:
    history = History(55, is_oldest_first=True)
    reading = Reader(history, Random(0), rows=10, window=1).read()
    assert reading.requests == 6 + 1  # all pages, and the first one again at the end


def test_whole_pages_of_arrivals_do_not_hide_an_insertion_among_older_payments() -> None:
    history, snapshot = History(55), History(55).listed()

    def change(history: History, delivered: int) -> None:
        if delivered == 10:
            history.insert(20)
            for _ in range(19):  # with the insertion exactly two pages: no record repeats
                history.insert()

    reading = Reader(history, Random(0), rows=10, window=1, on_delivered=change).read()
    assert {*snapshot} <= {*reading.delivered}
    assert reading.doubt is not None


def test_an_earlier_payment_at_the_head_is_reported_even_if_the_ranks_agree() -> None:
    history = History(30)
    start = Reader(history, Random(0), rows=10, window=1).read().position
    history.keys.append(history.keys.pop(25))
    history.insert(5)  # takes the rank of the moved one
    history.insert()
    second = resume(history, start)
    assert second.delivered == [32]
    assert second.doubt is not None
    third = resume(history, second.position)
    assert (third.doubt, third.delivered) == (None, [])
