"""Each event is processed once, however many deliveries arrive, also concurrently."""

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


async def test_a_completed_key_cannot_be_claimed():
    store = MemoryReplayStore()
    await processed(store, ID)
    assert [await store.claim(ID), await store.claim(OTHER)] == [False, True]


async def test_a_released_key_can_be_claimed():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    await store.release(ID)
    assert await store.claim(ID)


async def test_a_claim_waits_while_another_is_processing_the_same_key():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    waiting = [asyncio.ensure_future(store.claim(ID)) for _ in range(3)]
    await pass_time(3600)
    assert [claim.done() for claim in waiting] == [False] * 3
    await store.complete(ID)
    assert await asyncio.gather(*waiting) == [False] * 3


async def test_after_a_failure_one_waiting_claim_succeeds():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    waiting = [asyncio.ensure_future(store.claim(ID)) for _ in range(3)]
    await pass_time(1)
    await store.release(ID)
    done, pending = await asyncio.wait(waiting, timeout=1)
    assert [claim.result() for claim in done] == [True]
    await store.complete(ID)
    assert await asyncio.gather(*pending) == [False] * 2


async def test_cancelling_a_waiting_claim_affects_no_other():
    store = MemoryReplayStore()
    assert await store.claim(ID)
    leaves, stays = (asyncio.ensure_future(store.claim(ID)) for _ in range(2))
    await pass_time(1)
    leaves.cancel()
    await asyncio.wait([leaves])
    await store.release(ID)
    assert (leaves.cancelled(), await stays) == (True, True)


async def test_a_full_store_raises_and_forgets_nothing():
    store = MemoryReplayStore(capacity=3)
    ids = [str(uuid4()) for _ in range(3)]
    await processed(store, *ids)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="full: 3 deliveries"):
            await store.claim(OTHER)
    assert [await store.claim(key) for key in ids] == [False] * 3
    assert repr(store) == "<MemoryReplayStore 3 processed, 0 under way>"


async def test_a_full_store_has_room_once_a_key_has_expired():
    clock = FakeClock()
    store = MemoryReplayStore(capacity=2, keep=600, clock=clock)
    await processed(store, ID)
    clock.now = 300.0
    await processed(store, OTHER)
    clock.now = 600.0
    assert await store.claim(str(uuid4()))
    with pytest.raises(ConfigurationError, match="full"):
        await store.claim(str(uuid4()))


async def test_a_claim_counts_towards_the_capacity_until_it_is_released():
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


async def test_a_key_is_remembered_for_the_time_given():
    clock = FakeClock()
    store = MemoryReplayStore(keep=600, clock=clock)
    await processed(store, ID)
    clock.now = 599.0
    assert not await store.claim(ID)
    clock.now = 600.0
    assert await store.claim(ID)
    assert len(store) == 0


async def test_completing_a_key_again_renews_it():
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
def test_an_invalid_argument_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        MemoryReplayStore(**wrong)
