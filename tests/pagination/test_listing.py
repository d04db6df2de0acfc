"""Listings over real HTTP against the emulator: order, exactness, concurrency, prompt stop."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from virtual_time import pass_time

from paywint_async import (
    ClientClosedError,
    Direction,
    IncompleteHistoryError,
    InvalidRequestError,
    NotFoundError,
    PaywintClient,
    Request,
    Response,
    TransportError,
    codec,
)
from paywint_async.emulator import Emulator


@asynccontextmanager
async def account(
    payments: int = 0, *, middlewares: Any = (), **settings: Any
) -> AsyncIterator[tuple[Emulator, PaywintClient]]:
    async with (
        Emulator(payments=payments, **settings) as emulator,
        PaywintClient(
            emulator.api_key, emulator.api_secret, base_url=emulator.url, middlewares=middlewares
        ) as client,
    ):
        yield emulator, client


def ids(payments: Any) -> list[str]:
    return [str(payment.payment_id) for payment in payments]


@pytest.mark.parametrize("direction", ["sent", "received"])
@pytest.mark.parametrize("payments", [0, 1, 99, 100, 101, 1234])
async def test_every_payment_comes_once_in_the_servers_order(direction: str, payments: int) -> None:
    async with account(payments) as (emulator, client):
        listing = getattr(client.payments, direction)()
        assert ids(await listing.collect()) == emulator.history(direction)
        assert listing.total == payments
        assert emulator.request_count == payments // 100 + 1


async def test_payments_that_arrive_meanwhile_neither_shift_nor_show() -> None:
    async with account(3000, latency=0.05, arrivals=20.0) as (emulator, client):
        delivered = ids([payment async for payment in client.payments.received(rows_per_page=20)])
        history = emulator.history("received")
        start = history.index(delivered[0])
        assert start > 0
        assert delivered == history[start:]


async def test_the_snapshot_ends_though_payments_never_stop_arriving() -> None:
    async with account(200, latency=0.05, arrivals=300.0) as (_, client):
        listing = client.payments.received(rows_per_page=10, max_concurrency=2)
        delivered = await listing.collect()
        assert len(delivered) == len(set(delivered)) == listing.total


async def test_pages_are_fetched_side_by_side_and_never_more_than_asked() -> None:
    async with account(2000, latency=0.05) as (emulator, client):
        started = asyncio.get_running_loop().time()
        await client.payments.received(max_concurrency=5).collect()
        elapsed = asyncio.get_running_loop().time() - started
        assert emulator.peak_in_flight == 5
        assert elapsed == pytest.approx((1 + 20 / 5) * 0.05, rel=0.05)


async def test_one_in_flight_is_really_one() -> None:
    async with account(500, latency=0.05) as (emulator, client):
        await client.payments.received(max_concurrency=1).collect()
        assert emulator.peak_in_flight == 1


async def test_a_slow_consumer_makes_the_fetching_wait() -> None:
    async with (
        account(10_000, latency=0.01) as (emulator, client),
        client.payments.received(max_concurrency=3) as listing,
    ):
        async for _ in listing:
            await pass_time(5)
            break
        assert emulator.request_count <= 1 + 3


@pytest.mark.real_time
@pytest.mark.parametrize(("padding", "is_in_loop"), [(1_000, True), (300_000, False)])
async def test_a_page_too_large_for_the_event_loop_is_read_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, padding: int, is_in_loop: bool
) -> None:
    threads: set[bool] = set()

    async def pad(request: Request, handler: Any) -> Response:
        response = await handler(request)
        body = response.body.rstrip()[:-1] + b',"new":"' + padding * b"x" + b'"}'
        return Response(status=response.status, body=body)

    def noting(data: bytes, kind: Any) -> Any:
        threads.add(threading.current_thread() is threading.main_thread())
        return decode(data, kind)

    decode = codec.decode
    monkeypatch.setattr(codec, "decode", noting)
    async with account(1234, middlewares=[pad]) as (emulator, client):
        assert ids(await client.payments.received().collect()) == emulator.history("received")
        payment = await client.payments.get(emulator.history("received")[7])
        assert ids([payment]) == emulator.history("received")[7:8]
    assert threads == {is_in_loop}


async def test_break_ends_the_requests_under_way() -> None:
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


async def test_the_block_is_left_when_nothing_is_under_way_any_more() -> None:
    async with account(10_000, latency=1.0) as (_, client):
        with pytest.raises(ZeroDivisionError):
            async with client.payments.received() as listing:
                async for _ in listing:
                    1 / 0  # noqa: B018
        assert not [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]


async def test_cancellation_ends_the_requests_under_way() -> None:
    async with account(10_000, latency=1.0) as (emulator, client):
        task = asyncio.create_task(client.payments.received().collect())
        await pass_time(2.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await pass_time(0.1)
        assert emulator.in_flight == 0
        assert not [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]


async def test_a_page_that_cannot_be_read_comes_after_all_before_it() -> None:
    async def fail_on_page_4(request: Request, handler: Any) -> Response:
        if request.body and json.loads(request.body)["page_no"] == 4:
            raise TransportError("page 4 is lost")
        response: Response = await handler(request)
        return response

    async with account(1000, middlewares=[fail_on_page_4]) as (emulator, client):
        delivered = []
        listing = client.payments.received()
        with pytest.raises(TransportError, match="page 4 is lost"):
            async for payment in listing:
                delivered.append(payment)
        assert ids(delivered) == emulator.history("received")[:300]
        assert listing.checkpoint is not None
        assert listing.checkpoint["delivered"] == 300


async def test_a_refusal_in_a_listing_is_its_own_error() -> None:
    async def not_found(request: Request, handler: Any) -> Response:
        return Response(status=404)

    async with account(10, middlewares=[not_found]) as (_, client):
        with pytest.raises(NotFoundError):
            await client.payments.received().collect()


async def test_a_listing_ends_with_a_clear_error_when_the_client_is_closed() -> None:
    async with account(1000, latency=0.1) as (_, client):
        with pytest.raises(ClientClosedError):
            async for _ in client.payments.received(max_concurrency=2):
                await client.aclose()


async def test_a_limit_costs_no_more_requests_than_it_needs() -> None:
    async with account(5000) as (emulator, client):
        first = await client.payments.received().collect(limit=250)
        assert ids(first) == emulator.history("received")[:250]
        assert emulator.request_count == 3


@pytest.mark.parametrize("limit", [-1, 1.5, True, "3"])
async def test_a_limit_that_is_no_count_is_refused(limit: Any) -> None:
    async with account() as (_, client):
        with pytest.raises(InvalidRequestError, match="limit"):
            await client.payments.received().collect(limit=limit)


async def test_a_limit_of_zero_asks_for_nothing() -> None:
    async with account(10) as (emulator, client):
        assert await client.payments.received().collect(limit=0) == []
        assert await client.payments.history().collect(limit=0) == []
        assert emulator.request_count <= 2


async def test_pages_hold_each_payment_once_though_others_arrive() -> None:
    async with account(1000, latency=0.05, arrivals=20.0) as (emulator, client):
        pages = [page async for page in client.payments.received(rows_per_page=50).pages()]
        delivered = ids([payment for page in pages for payment in page.records])
        history = emulator.history("received")
        assert delivered == history[history.index(delivered[0]) :]
        assert all(page.records for page in pages)


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("taken", [1, 99, 100, 101, 350, 999, 1000])
async def test_a_checkpoint_resumes_right_behind_it(order: str, taken: int) -> None:
    async with account(1000, order=order) as (emulator, client):
        before = emulator.history("received")[:: 1 if order == "newest" else -1]
        delivered = []
        async with client.payments.received() as listing:
            async for payment in listing:
                delivered.append(payment)
                if len(delivered) == taken:
                    break
            checkpoint = json.loads(json.dumps(listing.checkpoint))
        emulator.arrive("received", 2345)
        count = emulator.request_count
        if taken < 1000:
            resumed = client.payments.received(checkpoint=checkpoint, rows_per_page=50)
            assert ids(delivered + await resumed.collect()) == before
            assert emulator.request_count - count <= (1000 - taken) // 50 + 4
            assert resumed.total == 1000
        else:
            assert checkpoint["finished"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_finished_checkpoint_yields_just_the_new_ones_again_and_again(order: str) -> None:
    async with account(250, order=order) as (emulator, client):
        checkpoint, seen = None, 0
        for new in (0, 0, 1, 99, 100, 101, 250):
            emulator.arrive("received", new)
            count = emulator.request_count
            listing = client.payments.received(checkpoint=checkpoint)
            delivered = ids(await listing.collect())
            history = emulator.history("received")
            expected = history[: len(history) - seen]
            assert delivered == expected[:: 1 if order == "newest" else -1]
            if checkpoint is not None:
                assert emulator.request_count - count <= -(-new // 100) + 1
            checkpoint, seen = listing.checkpoint, len(history)


async def test_a_checkpoint_of_the_other_direction_is_refused_before_sending() -> None:
    async with account(10) as (emulator, client):
        listing = client.payments.sent()
        await listing.collect()
        count = emulator.request_count
        with pytest.raises(InvalidRequestError, match="checkpoint"):
            client.payments.received(checkpoint=listing.checkpoint)
        assert emulator.request_count == count


@pytest.mark.parametrize(
    "damage",
    [
        {"remaining": 3},
        {"version": 2},
        {"last": []},
        {"last": ["no uuid"]},
        {"check": "0"},
        {"order": "sideways"},
        {"snapshot": None},
    ],
    ids=str,
)
async def test_a_damaged_checkpoint_is_refused_before_sending(damage: dict[str, Any]) -> None:
    async with account(200) as (emulator, client):
        listing = client.payments.sent()
        await listing.collect(limit=150)
        count = emulator.request_count
        assert listing.checkpoint is not None
        with pytest.raises(InvalidRequestError, match="checkpoint"):
            client.payments.sent(checkpoint=listing.checkpoint | damage)
        assert emulator.request_count == count


@pytest.mark.parametrize("checkpoint", [[], "text", 7, {}], ids=str)
async def test_what_is_no_checkpoint_is_refused(checkpoint: Any) -> None:
    async with account() as (_, client):
        for listing in (client.payments.sent, client.payments.history):
            with pytest.raises(InvalidRequestError, match="checkpoint"):
                listing(checkpoint=checkpoint)


@pytest.mark.parametrize("taken", [150, 500])
async def test_the_checkpoint_of_another_account_is_an_error_and_delivers_nothing(
    taken: int,
) -> None:
    async with account(500) as (_, mine), account(600, seed=2) as (_, other):
        listing = mine.payments.received()
        await listing.collect(limit=taken)
        delivered = []
        with pytest.raises(IncompleteHistoryError):
            async for payment in other.payments.received(checkpoint=listing.checkpoint):
                delivered.append(payment)
        assert delivered == []


async def test_a_payment_deleted_before_it_was_read_is_said_to_be_missing() -> None:
    async with account(1000) as (emulator, client):
        delivered = []
        listing = client.payments.received(max_concurrency=1, rows_per_page=10)
        with pytest.raises(IncompleteHistoryError) as caught:
            async for payment in listing:
                delivered.append(payment)
                if len(delivered) == 55:
                    emulator.delete("received", 400)
        assert len(delivered) == 999
        assert caught.value.delivered == 999
        assert caught.value.missing == 1
        assert caught.value.checkpoint is not None


async def test_a_payment_deleted_after_it_was_read_is_no_harm() -> None:
    async with account(500) as (emulator, client):
        before = emulator.history("received")
        delivered = []
        async for payment in client.payments.received(max_concurrency=1, rows_per_page=10):
            delivered.append(payment)
            if len(delivered) == 55:
                emulator.delete("received", 480)
        assert ids(delivered) == before


async def test_each_iteration_is_a_read_of_its_own() -> None:
    async with account(150) as (emulator, client):
        listing = client.payments.sent()
        assert ids(await listing.collect()) == ids(await listing.collect())
        assert emulator.request_count == 4


async def test_before_anything_was_read_nothing_is_known() -> None:
    async with account(150) as (_, client):
        for listing in (client.payments.sent(), client.payments.history()):
            assert (listing.total, listing.checkpoint) == (None, None)


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("max_concurrency", [1, 2, 7])
async def test_history_merges_both_directions_by_time(order: str, max_concurrency: int) -> None:
    async with account(700, order=order, latency=0.01) as (emulator, client):
        listing = client.payments.history(max_concurrency=max_concurrency, rows_per_page=20)
        entries = await listing.collect()
        assert emulator.peak_in_flight <= max_concurrency
        assert listing.total == len(entries) == 1400
        step = 1 if order == "newest" else -1
        for direction in Direction:
            of_one = [entry.payment for entry in entries if entry.direction is direction]
            assert ids(of_one) == emulator.history(direction.value)[::step]
        times = [entry.payment.created_at for entry in entries]
        assert times == sorted(times, reverse=order == "newest")


@pytest.mark.parametrize("taken", [1, 2, 333, 1399, 1400])
async def test_the_look_ahead_of_a_history_is_not_in_its_checkpoint(taken: int) -> None:
    async with account(700) as (emulator, client):
        whole = await client.payments.history().collect()
        listing = client.payments.history()
        first = await listing.collect(limit=taken)
        emulator.arrive("sent", 130)
        emulator.arrive("received", 70)
        rest = client.payments.history(checkpoint=json.loads(json.dumps(listing.checkpoint)))
        entries = first + await rest.collect()
        if taken < 1400:
            assert entries == whole
        finished = client.payments.history(checkpoint=rest.checkpoint)
        entries += await finished.collect()
        everything = [*emulator.history("sent"), *emulator.history("received")]
        assert sorted(ids(entry.payment for entry in entries)) == sorted(everything)
        assert len(everything) == 1600


async def test_a_listing_left_by_break_can_be_closed_twice() -> None:
    async with account(1000, latency=0.1) as (_, client):
        listing = client.payments.received()
        async with listing:
            async for _ in listing:
                break
        async with listing:
            assert listing.checkpoint is not None


async def test_an_iterator_that_outlives_the_block_says_so() -> None:
    async with account(1000) as (_, client):
        async with client.payments.received(rows_per_page=10) as listing:
            iterator = aiter(listing)
            await anext(iterator)
        with pytest.raises(ClientClosedError, match="closed"):
            for _ in range(100):
                await anext(iterator)


async def test_a_history_can_be_read_twice_at_the_same_time() -> None:
    async with account(300, latency=0.01) as (_, client):
        listing = client.payments.history(rows_per_page=10)
        first, second = aiter(listing), aiter(listing)
        await anext(first)
        await anext(second)
        await first.aclose()  # type: ignore[attr-defined]
        rest = [entry async for entry in second]
        assert len(rest) == 600 - 1


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


async def test_leaving_the_block_ends_the_request_that_somebody_waits_for() -> None:
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


async def test_a_consumer_that_never_waits_lets_others_have_their_turn() -> None:
    async with account(20_000) as (_, client):
        turns = 0

        async def heartbeat() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beating = asyncio.create_task(heartbeat())
        seen = [turns async for _ in client.payments.sent()]
        beating.cancel()
        assert len(set(seen)) > 20
