"""After a listing is left in any way, no request of it starts or stays in flight."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from account_server import account
from virtual_time import pass_time

from paywint_async import ClientClosedError


async def test_break_ends_the_requests_in_flight() -> None:
    async with account(10_000, latency=1.0) as (emulator, client):
        tasks = asyncio.all_tasks()
        async for _ in client.payments.received():
            break
        await pass_time(0.1)
        assert asyncio.all_tasks() - tasks <= {t for t in asyncio.all_tasks() if _is_servers(t)}
        await pass_time(5)
        assert emulator.in_flight == 0
        assert emulator.request_count <= 1 + 8


def _is_servers(task: asyncio.Task[Any]) -> bool:
    return "RequestHandler" in repr(task)


async def test_leaving_the_block_waits_until_no_request_is_in_flight() -> None:
    async with account(10_000, latency=1.0) as (_, client):
        with pytest.raises(ZeroDivisionError):
            async with client.payments.received() as listing:
                async for _ in listing:
                    1 / 0  # noqa: B018
        assert not [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]


async def test_cancellation_ends_the_requests_in_flight() -> None:
    async with account(10_000, latency=1.0) as (emulator, client):
        task = asyncio.create_task(client.payments.received().collect())
        await pass_time(2.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await pass_time(0.1)
        assert emulator.in_flight == 0
        assert not [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]


async def test_a_listing_ends_with_a_clear_error_when_the_client_is_closed() -> None:
    async with account(1000, latency=0.1) as (_, client):
        with pytest.raises(ClientClosedError):
            async for _ in client.payments.received(max_concurrency=2):
                await client.aclose()


async def test_a_listing_left_by_break_can_be_closed_twice() -> None:
    async with account(1000, latency=0.1) as (_, client):
        listing = client.payments.received()
        async with listing:
            async for _ in listing:
                break
        async with listing:
            assert listing.checkpoint is not None


async def test_an_iterator_that_outlives_the_block_raises() -> None:
    async with account(1000) as (_, client):
        async with client.payments.received(rows_per_page=10) as listing:
            iterator = aiter(listing)
            await anext(iterator)
        with pytest.raises(ClientClosedError, match="closed"):
            for _ in range(100):
                await anext(iterator)


@pytest.mark.parametrize("kind", ["received", "history"])
async def test_leaving_the_block_ends_every_iteration_of_it(kind: str) -> None:
    async with account(1000, latency=1.0) as (_, client):
        async with getattr(client.payments, kind)(rows_per_page=10) as listing:
            first, second = aiter(listing), aiter(listing)
            await anext(first)
            await anext(second)
        assert not [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]
        with pytest.raises(ClientClosedError, match="closed"):
            for _ in range(100):
                await anext(first)


async def test_leaving_the_block_ends_a_request_that_another_task_awaits() -> None:
    async with account(1000, latency=5) as (emulator, client):
        listing = client.payments.received()

        async def consume() -> None:
            async for _ in listing:
                raise AssertionError("nothing can have come yet")

        async with listing:
            consumer = asyncio.create_task(consume())
            await pass_time(1)
        assert not [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]
        with pytest.raises(ClientClosedError, match="listing was closed"):
            await consumer
        await pass_time(0.1)
        assert emulator.in_flight == 0
