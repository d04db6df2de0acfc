"""Each delivery is processed once, however often and however concurrently it comes."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import attrs
import pytest
from virtual_time import pass_time

from paywint_async import ConfigurationError
from paywint_async.webhooks import MemoryReplayStore

ID, OTHER = '["payment.success", "1"]', '["payment.success", "2"]'


@attrs.define
class FakeClock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def processed(store, *ids):
    for key in ids:
        assert await store.claim(key)
        await store.complete(key)


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


async def test_one_that_is_full_takes_no_new_one_and_forgets_none():
    store = MemoryReplayStore(capacity=3)
    ids = [str(uuid4()) for _ in range(3)]
    await processed(store, *ids)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="full: 3 deliveries"):
            await store.claim(OTHER)
    assert [await store.claim(key) for key in ids] == [False] * 3
    assert repr(store) == "<MemoryReplayStore 3 processed, 0 under way>"


async def test_one_that_is_full_has_room_again_for_whatever_has_grown_old():
    clock = FakeClock()
    store = MemoryReplayStore(capacity=2, keep=600, clock=clock)
    await processed(store, ID)
    clock.now = 300.0
    await processed(store, OTHER)
    clock.now = 600.0
    assert await store.claim(str(uuid4()))
    with pytest.raises(ConfigurationError, match="full"):
        await store.claim(str(uuid4()))


async def test_what_is_under_way_counts_and_gives_its_place_back_when_it_fails():
    store = MemoryReplayStore(capacity=1)
    assert await store.claim(ID)
    again = asyncio.ensure_future(store.claim(ID))
    with pytest.raises(ConfigurationError, match="full"):
        await store.claim(OTHER)
    await pass_time(1)
    assert not again.done()
    await store.release(ID)
    assert await again
    await store.release(ID)
    assert await store.claim(OTHER)


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
    clock = FakeClock()
    store = MemoryReplayStore(keep=600, clock=clock)
    await processed(store, ID, OTHER)
    clock.now = 300.0
    await store.complete(ID)
    clock.now = 600.0
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
