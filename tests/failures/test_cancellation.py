"""Random cancellations at any await of every operation leave nothing behind.

Their number is set by PAYWINT_CANCELLATIONS (nox session `chaos`: 10,000).
"""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random

import pytest
from virtual_time import pass_time

from paywint_async import PaywintClient, RateLimit, RetryPolicy
from paywint_async.emulator import Emulator

CANCELLATIONS = int(os.environ.get("PAYWINT_CANCELLATIONS", "400"))
NOBODY = "00000000-0000-4000-8000-000000000000"


async def _read_and_break(client: PaywintClient) -> None:
    async for _ in client.payments.sent(rows_per_page=10):
        await pass_time(0.002)


async def _create_and_watch(client: PaywintClient) -> None:
    link = await client.payments.create_link(Decimal("5.50"))
    async for _ in client.payments.watch(link.payment_id, poll=0.01):
        client.payments.wake(link.payment_id)
        waits = (client.payments.wait_until_final(link.payment_id, timeout=0.02) for _ in "123")
        await asyncio.gather(*waits, return_exceptions=True)


OPERATIONS: list[Callable[[PaywintClient], Awaitable[object]]] = [
    lambda client: client.payments.create_link(Decimal("5.50")),
    lambda client: client.payments.page("received", 1),
    lambda client: client.payments.get(NOBODY),
    lambda client: client.payments.received(rows_per_page=10).collect(),
    lambda client: client.payments.history(rows_per_page=10).collect(),
    lambda client: client.payments.wait_until_final(NOBODY, timeout=10),
    _read_and_break,
    _create_and_watch,
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "rate_limit", [None, RateLimit(500, 1.0, burst=3)], ids=["free", "limited"]
)
async def test_cancellation_leaves_no_task_connection_turn_or_warning(
    rate_limit: RateLimit | None,
) -> None:
    random = Random(7)
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with Emulator(hostile=True, payments=200, latency=0.01, rate_limit=300) as emulator:
        retry = RetryPolicy(max_attempts=3, base_delay=0.01)
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(
            *keys, base_url=emulator.url, rate_limit=rate_limit, retry=retry
        ) as client:
            idle = _tasks()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for _ in range(CANCELLATIONS // 20):
                    await _cancel_some(client, random)
                gc.collect()
            await pass_time(30)
            assert _tasks() <= idle
            assert emulator.in_flight == 0
            assert caught == []
            assert complaints == []
            # Every turn was released: the client is as fast as a new one.
            started = loop.time()
            pages = [client.payments.page("sent", 1) for _ in range(20)]
            assert len(await asyncio.gather(*pages)) == 20
            assert loop.time() - started < 1


async def _cancel_some(client: PaywintClient, random: Random) -> None:
    tasks = [asyncio.ensure_future(random.choice(OPERATIONS)(client)) for _ in range(20)]
    for task in random.sample(tasks, len(tasks)):
        for _ in range(random.randrange(6)):
            await asyncio.sleep(0)
        if random.random() < 0.3:
            await pass_time(random.random() * 0.05)
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert len(outcomes) == len(tasks)


def _tasks() -> set[str]:
    """The names of running coroutines, without the emulator's connections."""
    names = {repr(task.get_coro()) for task in asyncio.all_tasks()}
    return {name.split(" at ")[0] for name in names if "RequestHandler" not in name}
