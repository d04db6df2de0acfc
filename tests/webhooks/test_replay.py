"""Each delivery is processed once, however often and however concurrently it comes."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import attrs
import pytest
from virtual_time import pass_time

from paywint_async import ConfigurationError
from paywint_async.webhooks import MemoryReplayStore

ID, OTHER = UUID(int=1), UUID(int=2)


@attrs.define
class FakeClock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def processed(store, *ids):
    for event_id in ids:
        assert await store.claim(event_id)
        await store.complete(event_id)


async def test_what_was_processed_is_claimed_no_second_time():
    store = MemoryReplayStore()
    await processed(store, ID)
    assert [await store.claim(ID), await store.claim(OTHER)] == [False, True]


async def test_what_was_released_is_claimed_again():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    await store.release(ID)
    assert await store.claim(ID)


async def test_a_claim_waits_for_what_comes_of_another():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    waiting = [asyncio.ensure_future(store.claim(ID)) for _ in range(3)]
    await pass_time(3600)
    assert [claim.done() for claim in waiting] == [False] * 3
    await store.complete(ID)
    assert await asyncio.gather(*waiting) == [False] * 3


async def test_of_those_who_wait_one_has_it_after_a_failure():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    waiting = [asyncio.ensure_future(store.claim(ID)) for _ in range(3)]
    await pass_time(1)
    await store.release(ID)
    done, pending = await asyncio.wait(waiting, timeout=1)
    assert [claim.result() for claim in done] == [True]
    await store.complete(ID)
    assert await asyncio.gather(*pending) == [False] * 2


async def test_one_who_waits_and_is_cancelled_takes_nobody_along():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    leaves, stays = (asyncio.ensure_future(store.claim(ID)) for _ in range(2))
    await pass_time(1)
    leaves.cancel()
    await asyncio.wait([leaves])
    await store.release(ID)
    assert (leaves.cancelled(), await stays) == (True, True)


async def test_only_so_many_are_remembered_the_latest():
    store = MemoryReplayStore(capacity=3)
    ids = [uuid4() for _ in range(5)]
    await processed(store, *ids)
    assert len(store) == 3
    assert [await store.claim(event_id) for event_id in ids] == [True] * 2 + [False] * 3


async def test_what_is_under_way_is_never_forgotten():
    store = MemoryReplayStore(capacity=1)
    assert await store.claim(ID)
    await processed(store, *[uuid4() for _ in range(10)])
    assert repr(store) == "<MemoryReplayStore 1 processed, 1 under way>"
    again = asyncio.ensure_future(store.claim(ID))
    await pass_time(1)
    assert not again.done()
    await store.complete(ID)
    assert await again is False


async def test_it_is_remembered_for_so_long():
    clock = FakeClock()
    store = MemoryReplayStore(keep=600, clock=clock)
    await processed(store, ID)
    clock.now = 599.0
    assert not await store.claim(ID)
    clock.now = 600.0
    assert await store.claim(ID)
    assert len(store) == 0


async def test_what_is_completed_again_is_the_latest():
    store = MemoryReplayStore(capacity=2)
    await processed(store, ID, OTHER)
    await store.complete(ID)
    await processed(store, uuid4())
    assert [await store.claim(ID), await store.claim(OTHER)] == [False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity": 0},
        {"capacity": "100"},
        {"capacity": 1.5},
        {"capacity": True},
        {"capacity": None},
        {"keep": 0},
        {"keep": -1},
        {"keep": float("nan")},
        {"keep": "600"},
        {"keep": None},
        {"clock": None},
        {"clock": 0.0},
    ],
)
def test_an_argument_that_cannot_work_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        MemoryReplayStore(**wrong)
