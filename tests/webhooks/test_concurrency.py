"""One event, many deliveries at once, and handlers that are cancelled: processed once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from uuid import UUID, uuid4

import pytest
from virtual_time import pass_time
from webhook_deliveries import delivery
from webhook_posting import make, post

from paywint_async.webhooks import MemoryReplayStore


class TestConcurrentDuplicates:
    async def test_are_processed_once_and_all_answered_with_204(self, receiver, handler):
        handler.seconds = 5.0
        assert await asyncio.gather(*[post(receiver) for _ in range(10)]) == [204] * 10
        assert (len(handler.events), handler.peak) == (1, 1)

    async def test_are_processed_again_until_one_succeeds(self, receiver, handler):
        handler.seconds = 5.0
        handler.outcomes = [ValueError(), ValueError()]
        answers = await asyncio.gather(*[post(receiver) for _ in range(10)])
        assert Counter(answers) == {500: 2, 204: 8}
        assert (len(handler.events), handler.peak) == (3, 1)

    async def test_of_different_events_do_not_wait_for_each_other(self, receiver, handler):
        handler.seconds = 5.0
        bodies = [delivery(id=str(uuid4())) for _ in range(10)]
        await asyncio.gather(*[post(receiver, body) for body in bodies])
        assert handler.peak == 10

    async def test_continue_after_one_that_was_cancelled(self, receiver, handler):
        handler.seconds = 5.0
        first, second = (asyncio.ensure_future(post(receiver)) for _ in range(2))
        await pass_time(1.0)
        first.cancel()
        assert await second == 204
        assert (first.cancelled(), len(handler.events), handler.at_once) == (True, 2, 0)

    async def test_in_any_order_with_any_failures_are_processed_once(self, handler):
        draw = random.Random(5)
        handler.seconds = 0.5
        handler.outcomes = [ValueError() if draw.random() < 0.4 else None for _ in range(500)]
        receiver = make(handler)
        bodies = [delivery(id=str(UUID(int=n))) for n in range(40)]

        async def deliver(body):  # repeats until a 2xx, like a sender
            await pass_time(draw.random() * 10)
            while await post(receiver, body) != 204:
                await pass_time(draw.random())

        outcomes = list(handler.outcomes)
        await asyncio.gather(*[deliver(body) for body in bodies * 3])
        worked = outcomes[: len(handler.events)].count(None)
        assert (worked, {UUID(event.id).int for event in handler.events}) == (40, set(range(40)))


class SlowStore(MemoryReplayStore):
    """A slow store, like a database; `ended` lists the completed calls."""

    def __init__(self):
        super().__init__()
        self.ended = []

    async def complete(self, key):
        await pass_time(5.0)
        await super().complete(key)
        self.ended.append("complete")

    async def release(self, key):
        await pass_time(5.0)
        await super().release(key)
        self.ended.append("release")


class TestACancellation:
    async def test_after_the_handler_returned_does_not_make_a_retry_call_it_again(self, handler):
        store = SlowStore()
        receiver = make(handler, store=store)
        first = asyncio.ensure_future(post(receiver))
        await pass_time(1.0)
        first.cancel()
        assert await post(receiver) == 204
        await asyncio.wait([first])
        assert (first.cancelled(), store.ended, len(handler.events)) == (True, ["complete"], 1)

    @pytest.mark.parametrize("times", [1, 5])
    async def test_of_the_handler_lets_a_retry_call_it_again(self, handler, times):
        handler.seconds = 5.0
        store = SlowStore()
        receiver = make(handler, store=store)
        first = asyncio.ensure_future(post(receiver))
        await pass_time(1.0)
        for _ in range(times):
            first.cancel()
            await pass_time(0.1)
        assert await asyncio.wait_for(post(receiver), 60) == 204
        assert (first.cancelled(), store.ended) == (True, ["release", "complete"])
        assert (len(handler.events), handler.peak) == (2, 1)

    async def test_waits_for_the_store(self, handler):
        store = SlowStore()
        first = asyncio.ensure_future(post(make(handler, store=store)))
        await pass_time(1.0)
        first.cancel()
        await asyncio.wait([first])
        assert store.ended == ["complete"]
