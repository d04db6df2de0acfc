"""The planner against a model of a changing history, with random interleavings.

How many random histories are read is set by PAYWINT_HISTORIES (nox session `exactly_once`: 10,000).
"""

from __future__ import annotations

import os
from random import Random

import pytest
from history_model import History, Reader, Reading
from hypothesis import given, settings
from hypothesis import strategies as st

from paywint_async._pagination.checkpoint import from_json, to_json
from paywint_async._pagination.position import Position

HISTORIES = int(os.environ.get("PAYWINT_HISTORIES", "200"))
SIZES = (0, 1, 2, 9, 10, 11, 19, 20, 30, 55, 100, 143)
# How many of a hundred reads must be exact and without an error, for each kind of change: newest
# first, oldest first. The others met a change that no client can heal (a payment deleted before
# it was read), or several in a row.
HEAL_RATES = {
    ("insert",): (100, 100),
    ("lag",): (100, 100),
    ("repeat",): (95, 93),
    ("delete",): (83, 77),
    ("move",): (85, 81),
    ("backdate",): (84, 79),
    ("flicker",): (86, 93),
    ("insert", "lag"): (100, 99),
    ("insert", "delete"): (88, 82),
    ("insert", "backdate"): (88, 84),
    ("delete", "move"): (84, 79),
}


def random_reading(seed: int, kinds: tuple[str, ...], *, is_oldest_first: bool) -> Reading:
    random = Random(seed)
    history = History(
        random.choice(SIZES), is_oldest_first=is_oldest_first, ties=random.choice((1, 1, 1, 2, 3))
    )
    window, rate = random.choice((1, 2, 4, 8)), random.choice((0.02, 0.1, 0.3))
    return Reader(history, random, rows=10, window=window, kinds=kinds, change_rate=rate).read()


@pytest.mark.parametrize("is_oldest_first", [False, True])
@pytest.mark.parametrize("kinds", [(), ("insert",)])
def test_every_payment_of_the_snapshot_is_delivered_once_while_others_arrive(
    kinds: tuple[str, ...], is_oldest_first: bool
) -> None:
    for seed in range(HISTORIES):
        reading = random_reading(seed, kinds, is_oldest_first=is_oldest_first)
        assert reading.doubt is None, seed
        assert reading.delivered == reading.snapshots[0], seed


@pytest.mark.parametrize("is_oldest_first", [False, True], ids=["newest", "oldest"])
@pytest.mark.parametrize("kinds", HEAL_RATES, ids="+".join)
def test_each_kind_of_change_is_healed_at_its_rate_or_reported(
    kinds: tuple[str, ...], is_oldest_first: bool
) -> None:
    healed = 0
    for seed in range(HISTORIES):
        reading = random_reading(seed, kinds, is_oldest_first=is_oldest_first)
        assert reading.is_exact or reading.doubt, seed
        healed += reading.doubt is None
    assert healed >= HEAL_RATES[kinds][is_oldest_first] / 100 * HISTORIES


@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from(SIZES),
    stop_after=st.integers(1, 150),
    arrivals=st.sampled_from((0, 1, 7, 10, 95, 1000)),
    rows=st.sampled_from(((10, 10), (10, 20), (50, 10), (100, 20))),
    is_oldest_first=st.booleans(),
)
@settings(max_examples=300)
def test_a_checkpoint_taken_anywhere_completes_the_same_snapshot(
    seed: int,
    size: int,
    stop_after: int,
    arrivals: int,
    rows: tuple[int, int],
    is_oldest_first: bool,
) -> None:
    random = Random(seed)
    history = History(size, is_oldest_first=is_oldest_first)
    first = Reader(
        history, random, rows=rows[0], window=4, kinds=("insert",), stop_after=stop_after
    ).read()
    for _ in range(arrivals):
        history.insert()
    if first.position is None or first.position.is_finished:
        return
    rest = Reader(
        history,
        random,
        rows=rows[1],
        window=4,
        kinds=("insert",),
        start=through_json(first.position),
    ).read()
    assert rest.doubt is None
    assert first.delivered + rest.delivered == first.snapshots[0]


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from(SIZES),
    arrivals=st.lists(st.sampled_from((0, 1, 5, 10, 30, 123)), min_size=1, max_size=4),
    is_oldest_first=st.booleans(),
    ties=st.sampled_from((1, 3, 500)),
)
@settings(max_examples=max(300, HISTORIES // 4))
def test_syncs_while_payments_arrive_add_up_to_the_whole_history(
    seed: int, size: int, arrivals: list[int], is_oldest_first: bool, ties: int
) -> None:
    random, position, delivered = Random(seed), None, []
    stops = Random(seed + 1)
    history = History(size, is_oldest_first=is_oldest_first, ties=ties)
    for new in [*arrivals, 0]:
        kinds = ("insert",) if new else ()
        for _ in range(new):
            history.insert()
        part: list[int] = []
        while position is None or not part or not position.is_finished:
            stop = stops.choice((None, 1, 3, 12)) if new else None
            reading = Reader(
                history,
                random,
                rows=10,
                window=4,
                kinds=kinds,
                change_rate=0.2,
                start=position,
                stop_after=stop,
            ).read()
            assert reading.doubt is None
            part += reading.delivered
            position = through_json(reading.position) if reading.position else None
            if not reading.delivered:
                break
        delivered += part[:: 1 if is_oldest_first else -1]
    assert delivered == history.keys


@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from(SIZES),
    arrivals=st.lists(st.sampled_from((0, 1, 5, 10, 30, 123)), min_size=1, max_size=4),
    is_oldest_first=st.booleans(),
    ties=st.sampled_from((1, 3, 500)),
)
@settings(max_examples=300)
def test_a_finished_checkpoint_yields_only_what_has_arrived_since(
    seed: int, size: int, arrivals: list[int], is_oldest_first: bool, ties: int
) -> None:
    random, rows = Random(seed), 10
    history = History(size, is_oldest_first=is_oldest_first, ties=ties)
    reading = Reader(history, random, rows=rows, window=4).read()
    for new in arrivals:
        seen = set(history.keys)
        for _ in range(new):
            history.insert()
        assert reading.position is not None
        assert reading.position.is_finished
        reading = Reader(
            history, random, rows=rows, window=4, start=through_json(reading.position)
        ).read()
        assert reading.doubt is None
        assert reading.delivered == [key for key in history.listed() if key not in seen]
        if seen and not is_oldest_first:
            assert reading.requests <= -(-new // rows) + 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("is_oldest_first", [False, True])
def test_an_unchanged_history_costs_at_most_one_request_more_than_pages(
    size: int, window: int, is_oldest_first: bool
) -> None:
    history = History(size, is_oldest_first=is_oldest_first)
    reading = Reader(history, Random(0), rows=10, window=window).read()
    assert reading.delivered == history.listed()
    assert reading.requests - max(1, -(-size // 10)) in (0, 1)


def test_arrivals_cost_few_requests() -> None:
    pages, requests, size = 0, 0, 5_000
    for seed in range(20):
        random = Random(seed)
        # 8 answers are one round trip, so one change in 40 steps is one insert per 5 round trips
        reader = Reader(
            History(size), random, rows=10, window=8, kinds=("insert one",), change_rate=1 / 40
        )
        requests += reader.read().requests
        pages += -(-size // 10)
    assert requests <= 1.15 * pages


@pytest.mark.slow
def test_the_read_ends_even_if_payments_arrive_faster_than_requests() -> None:
    for seed in range(HISTORIES):
        random = Random(seed)
        reader = Reader(
            History(300), random, rows=10, window=4, kinds=("insert",), change_rate=0.85
        )
        reading = reader.read()
        assert reading.is_exact or reading.doubt, seed


def through_json(position: Position) -> Position:
    return from_json(to_json(position, "received"), "received")
