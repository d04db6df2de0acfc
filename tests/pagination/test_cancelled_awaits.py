"""A cancelled `anext` loses no record: the next call returns the record that is due."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
from account_server import account, ids
from virtual_time import VirtualTimeLoop, pass_time

from paywint_async import ClientClosedError, PaywintClient, ServerError

RUNS = int(os.environ.get("PAYWINT_CANCELLED_AWAITS", "60"))


def pages(client: PaywintClient) -> AsyncIterator[Any]:
    return client.payments.received(rows_per_page=10).pages()


def received(client: PaywintClient) -> AsyncIterator[Any]:
    return aiter(client.payments.received(rows_per_page=10))


def history(client: PaywintClient) -> AsyncIterator[Any]:
    return aiter(client.payments.history(rows_per_page=10))


def batches(client: PaywintClient) -> AsyncIterator[Any]:
    return client.payments.received(rows_per_page=10).arrow_batches()


def history_batches(client: PaywintClient) -> AsyncIterator[Any]:
    return client.payments.history(rows_per_page=10).arrow_batches()


ITERATORS: list[Callable[[PaywintClient], AsyncIterator[Any]]] = [
    received,
    pages,
    history,
    batches,
    history_batches,
]


async def read(iterator: AsyncIterator[Any], next_timeout: Callable[[], float]) -> list[Any]:
    """All records of an iterator, whose `anext` is called again after each timeout."""
    found = []
    while True:
        try:
            found.append(await asyncio.wait_for(anext(iterator), next_timeout()))
        except TimeoutError:
            continue
        except StopAsyncIteration:
            return found


def keys(record: Any) -> list[str]:
    """The ids in a record, a page, an entry or a batch."""
    if hasattr(record, "column"):
        return [str(each) for each in record.column("payment_id").to_pylist()]
    if hasattr(record, "records"):
        return ids(record.records)
    return ids([getattr(record, "payment", record)])


def fetches() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]


@pytest.mark.parametrize("start", ITERATORS)
async def test_a_timeout_below_the_latency_loses_and_repeats_nothing(start) -> None:
    async with account(95, latency=1.0) as (_, client):
        whole = [key async for record in start(client) for key in keys(record)]

        found = await read(start(client), lambda: 0.2)

        assert [key for record in found for key in keys(record)] == whole
        assert len(set(whole)) == len(whole) >= 95


@pytest.mark.parametrize("start", [received, pages, history, batches])
async def test_the_request_continues_after_a_timeout(start) -> None:
    async with account(95, latency=1.0) as (emulator, client):
        iterator = start(client)
        for _ in range(4):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(iterator), 0.2)

        assert emulator.request_count == (2 if start is history else 1)
        await asyncio.wait_for(anext(iterator), 0.3)


@pytest.mark.slow
async def test_random_timeouts_deliver_each_payment_once_and_leave_no_request() -> None:
    random = Random(11)
    async with account(73, latency=0.01) as (emulator, client):
        whole = {start: [k async for r in start(client) for k in keys(r)] for start in ITERATORS}
        for _ in range(RUNS):
            start = random.choice(ITERATORS)
            longest = random.choice([0.001, 0.012, 0.05])
            found = await read(start(client), lambda: random.random() * longest)  # noqa: B023
            assert [key for record in found for key in keys(record)] == whole[start]
            assert emulator.peak_in_flight <= 8
        await pass_time(0.1)
        assert fetches() == []
        assert emulator.in_flight == 0


async def test_the_checkpoint_after_a_timeout_is_exact() -> None:
    async with account(95, latency=1.0) as (_, client):
        whole = ids(await client.payments.received().collect())
        listing = client.payments.received(rows_per_page=10)
        iterator = aiter(listing)
        found = [await anext(iterator) for _ in range(10)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(iterator), 0.001)

        rest = client.payments.received(checkpoint=listing.checkpoint)

        assert ids(found) + ids(await rest.collect()) == whole


@pytest.mark.parametrize("start", ITERATORS)
async def test_after_closing_the_client_each_anext_raises(start) -> None:
    async with account(95, latency=1.0) as (_, client):
        iterator = start(client)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(iterator), 0.2)
        await client.aclose()

        for _ in range(2):
            with pytest.raises(ClientClosedError):
                await anext(iterator)
        assert fetches() == []


async def test_after_closing_the_client_no_fetched_records_are_returned() -> None:
    async with account(95) as (_, client):
        iterator = received(client)
        await anext(iterator)
        await client.aclose()

        with pytest.raises(ClientClosedError, match="client is closed"):
            await anext(iterator)


@pytest.mark.parametrize("start", ITERATORS)
async def test_an_error_is_raised_again_by_each_anext(start) -> None:
    async with account(95, failures=1.0) as (_, client):
        iterator = start(client)
        for _ in range(2):
            with pytest.raises(ServerError):
                await anext(iterator)


@pytest.mark.parametrize("start", ITERATORS)
async def test_an_iterator_that_is_dropped_after_a_timeout_stops_its_requests(start) -> None:
    async with account(950, latency=1.0) as (emulator, client):
        iterator = start(client)
        await anext(iterator)
        with pytest.raises(TimeoutError):
            while True:
                await asyncio.wait_for(anext(iterator), 0.2)
        del iterator
        await pass_time(0.1)

        assert fetches() == []
        assert emulator.in_flight == 0


@pytest.mark.parametrize("start", ITERATORS)
async def test_a_cancelled_consumer_stops_its_requests_even_if_its_frames_are_kept(start) -> None:
    async with account(950, latency=1.0) as (emulator, client):

        async def consume() -> None:
            iterator = start(client)  # the traceback of the kept task keeps this local alive
            while True:
                await anext(iterator)

        task = asyncio.create_task(consume())
        await pass_time(2.5)
        task.cancel()
        await asyncio.wait([task])
        await pass_time(0.1)

        assert task.cancelled()
        assert fetches() == []
        assert emulator.in_flight == 0


async def test_an_iterator_continues_after_its_requests_were_stopped() -> None:
    async with account(95, latency=1.0) as (_, client):
        whole = ids(await client.payments.received().collect())
        iterator = received(client)
        found = []

        async def consume() -> None:
            while True:
                found.append(await anext(iterator))

        task = asyncio.create_task(consume())
        await pass_time(2.5)
        task.cancel()
        await asyncio.wait([task])
        await pass_time(1)

        assert ids(found) + ids([payment async for payment in iterator]) == whole


async def test_two_tasks_may_not_iterate_at_once() -> None:
    async with account(95, latency=1.0) as (_, client):
        iterator = received(client)
        first = asyncio.create_task(anext(iterator))
        await pass_time(0.1)

        with pytest.raises(RuntimeError, match="another task"):
            await anext(iterator)
        assert (await first).amount


async def test_closing_an_iterator_ends_it() -> None:
    async with account(950, latency=1.0) as (emulator, client):
        iterator = client.payments.received(rows_per_page=10).pages()
        await anext(iterator)
        await iterator.aclose()
        await iterator.aclose()

        assert fetches() == []
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        assert emulator.in_flight <= 8


async def test_a_watch_continues_after_a_timeout() -> None:
    async with account(latency=1.0, timetable=[(5, "opened"), (10, "success")]) as (_, client):
        link = await client.payments.create_link(5)
        watch = client.payments.watch(link.payment_id)

        seen = await read(watch, lambda: 0.2)

        assert [payment.status for payment in seen] == ["pending", "opened", "success"]


async def test_a_watch_that_is_dropped_after_a_timeout_stops_its_look() -> None:
    async with account(latency=1.0) as (_, client):
        link = await client.payments.create_link(5)
        watch = client.payments.watch(link.payment_id)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(watch), 0.2)
        del watch
        gc.collect()
        await pass_time(0.1)

        assert [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "_look"] == []


async def test_cancelled_awaits_do_not_extend_the_timeout_of_a_watch() -> None:
    async with account(latency=1.0) as (_, client):
        link = await client.payments.create_link(5)
        started = asyncio.get_running_loop().time()
        watch = client.payments.watch(link.payment_id, timeout=10)

        with pytest.raises(TimeoutError, match="was not final within 10 s"):
            while True:
                try:
                    await asyncio.wait_for(anext(watch), 0.2)
                except TimeoutError as error:
                    if str(error):
                        raise
        assert 10 <= asyncio.get_running_loop().time() - started < 10.5


def test_iterators_dropped_while_the_loop_is_stopped_end_when_it_runs_again() -> None:
    async def open_account() -> tuple[Any, Any]:
        context = account(950, latency=0.2)
        return context, await context.__aenter__()

    async def step(iterator: AsyncIterator[Any]) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(iterator), 0.01)

    async def leave() -> tuple[list[Any], list[Any]]:
        await pass_time(0.05)
        looks = [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "_look"]
        return fetches(), looks

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        context, (_, client) = runner.run(open_account())
        iterator = received(client)
        link = runner.run(client.payments.create_link(5))
        watch = client.payments.watch(link.payment_id)
        runner.run(step(iterator))
        runner.run(step(watch))
        del iterator, watch  # outside of the event loop, like the garbage collector
        gc.collect()

        assert runner.run(leave()) == ([], [])
        runner.run(context.__aexit__(None, None, None))


async def test_closing_a_watch_ends_its_look() -> None:
    async with account(latency=1.0) as (_, client):
        link = await client.payments.create_link(5)
        watch = client.payments.watch(link.payment_id)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(watch), 0.2)
        await watch.aclose()
        await watch.aclose()

        assert [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "_look"] == []
        with pytest.raises(StopAsyncIteration):
            await anext(watch)
