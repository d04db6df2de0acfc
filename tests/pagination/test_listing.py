"""Listings over real HTTP against the emulator: order, exactness, concurrency."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from account_server import account, ids
from virtual_time import pass_time

from paywint_async import (
    Direction,
    Event,
    Handler,
    IncompleteHistoryError,
    InvalidRequestError,
    NotFoundError,
    PaywintClient,
    Request,
    Response,
    TransportError,
    _codec,
)


@pytest.mark.parametrize("direction", ["sent", "received"])
@pytest.mark.parametrize("payments", [0, 1, 99, 100, 101, 1234])
async def test_every_payment_is_delivered_once_in_the_servers_order(
    direction: str, payments: int
) -> None:
    async with account(payments) as (emulator, client):
        listing = getattr(client.payments, direction)()
        assert ids(await listing.collect()) == emulator.history(direction)
        assert listing.total == payments
        assert emulator.request_count == payments // 100 + 1


async def test_payments_that_arrive_during_the_read_do_not_change_it() -> None:
    async with account(3000, latency=0.05, arrivals=20.0) as (emulator, client):
        delivered = ids([payment async for payment in client.payments.received(rows_per_page=20)])
        history = emulator.history("received")
        start = history.index(delivered[0])
        assert start > 0
        assert delivered == history[start:]


async def test_the_read_ends_even_if_payments_never_stop_arriving() -> None:
    async with account(200, latency=0.05, arrivals=300.0) as (_, client):
        listing = client.payments.received(rows_per_page=10, max_concurrency=2)
        delivered = await listing.collect()
        assert len(delivered) == len(set(delivered)) == listing.total


@pytest.mark.parametrize("max_concurrency", [1, 4])
@pytest.mark.parametrize("arrivals", [10, 25])
async def test_the_read_ends_even_if_a_page_of_payments_arrives_with_each_answer(
    arrivals: int, max_concurrency: int
) -> None:
    requests = 0

    async def let_arrive(request: Request, handler: Handler) -> Response:
        nonlocal requests
        requests += 1
        assert requests <= 200
        response = await handler(request)
        emulator.arrive("received", arrivals)
        return response

    async with account(200, middlewares=(let_arrive,)) as (emulator, client):
        snapshot = emulator.history("received")
        listing = client.payments.received(rows_per_page=10, max_concurrency=max_concurrency)
        assert ids(await listing.collect()) == snapshot


async def test_pages_are_fetched_concurrently_up_to_max_concurrency() -> None:
    async with account(2000, latency=0.05) as (emulator, client):
        started = asyncio.get_running_loop().time()
        await client.payments.received(max_concurrency=5).collect()
        elapsed = asyncio.get_running_loop().time() - started
        assert emulator.peak_in_flight == 5
        assert elapsed == pytest.approx((1 + 20 / 5) * 0.05, rel=0.05)


async def test_a_max_concurrency_of_one_is_respected() -> None:
    async with account(500, latency=0.05) as (emulator, client):
        await client.payments.received(max_concurrency=1).collect()
        assert emulator.peak_in_flight == 1


async def test_fetching_waits_for_a_slow_consumer() -> None:
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

    decode = _codec.decode
    monkeypatch.setattr(_codec, "decode", noting)
    async with account(1234, middlewares=[pad]) as (emulator, client):
        assert ids(await client.payments.received().collect()) == emulator.history("received")
        payment = await client.payments.get(emulator.history("received")[7])
        assert ids([payment]) == emulator.history("received")[7:8]
    assert threads == {is_in_loop}


async def test_the_error_of_an_unreadable_page_is_raised_after_all_payments_before_it() -> None:
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


async def test_an_api_error_in_a_listing_keeps_its_class() -> None:
    async def not_found(request: Request, handler: Any) -> Response:
        return Response(status=404)

    async with account(10, middlewares=[not_found]) as (_, client):
        with pytest.raises(NotFoundError):
            await client.payments.received().collect()


async def test_a_limit_costs_no_more_requests_than_it_needs() -> None:
    async with account(5000) as (emulator, client):
        first = await client.payments.received().collect(limit=250)
        assert ids(first) == emulator.history("received")[:250]
        assert emulator.request_count == 3


@pytest.mark.parametrize("limit", [-1, 1.5, True, "3"])
async def test_an_invalid_limit_is_refused(limit: Any) -> None:
    async with account() as (_, client):
        with pytest.raises(InvalidRequestError, match="limit"):
            await client.payments.received().collect(limit=limit)


async def test_a_limit_of_zero_sends_nothing() -> None:
    async with account(10) as (emulator, client):
        assert await client.payments.received().collect(limit=0) == []
        assert await client.payments.history().collect(limit=0) == []
        assert emulator.request_count <= 2


async def test_pages_have_each_payment_once_while_others_arrive() -> None:
    async with account(1000, latency=0.05, arrivals=20.0) as (emulator, client):
        pages = [page async for page in client.payments.received(rows_per_page=50).pages()]
        delivered = ids([payment for page in pages for payment in page.records])
        history = emulator.history("received")
        assert delivered == history[history.index(delivered[0]) :]
        assert all(page.records for page in pages)


async def test_a_payment_deleted_before_it_was_read_is_reported_as_missing() -> None:
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
        assert caught.value.checkpoint["finished"]
        assert str(caught.value).endswith(
            "; the checkpoint continues with newer payments alone; what may be missing among the ranks "
            "{} to {} comes only where the list is read again without it".format(
                *(caught.value.ranks or ())
            )
        )


async def test_an_error_before_the_end_has_a_checkpoint_to_continue() -> None:
    async with account(1000) as (_, mine), account(600, seed=2) as (_, other):
        listing = mine.payments.received()
        await listing.collect(limit=150)
        with pytest.raises(IncompleteHistoryError) as caught:
            await other.payments.received(checkpoint=listing.checkpoint).collect()
    assert str(caught.value).endswith("; continue from the checkpoint, or read it again")


async def test_a_payment_deleted_after_it_was_read_causes_no_error() -> None:
    async with account(500) as (emulator, client):
        before = emulator.history("received")
        delivered = []
        async for payment in client.payments.received(max_concurrency=1, rows_per_page=10):
            delivered.append(payment)
            if len(delivered) == 55:
                emulator.delete("received", 480)
        assert ids(delivered) == before


async def test_each_iteration_is_a_separate_read() -> None:
    async with account(150) as (emulator, client):
        listing = client.payments.sent()
        assert ids(await listing.collect()) == ids(await listing.collect())
        assert emulator.request_count == 4


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


async def test_a_history_can_be_read_twice_concurrently() -> None:
    async with account(300, latency=0.01) as (_, client):
        listing = client.payments.history(rows_per_page=10)
        first, second = aiter(listing), aiter(listing)
        await anext(first)
        await anext(second)
        await first.aclose()  # type: ignore[attr-defined]
        rest = [entry async for entry in second]
        assert len(rest) == 600 - 1


@pytest.mark.slow
async def test_a_consumer_that_never_waits_lets_other_tasks_run() -> None:
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


class TestTheRepr:
    async def test_says_that_nothing_was_read(self) -> None:
        async with account(30) as (_, client):
            listing = client.payments.received(rows_per_page=20)
            assert repr(listing) == "<PaymentListing received, not started, pages of 20>"
            assert repr(client.payments.history()) == "<HistoryListing not started, pages of 100>"

    async def test_has_the_number_delivered_and_the_total(self) -> None:
        async with account(30) as (_, client):
            listing = client.payments.sent(rows_per_page=20)
            iterator = aiter(listing)
            for _ in range(7):
                await anext(iterator)
            assert repr(listing) == "<PaymentListing sent, 7 of 30 delivered, pages of 20>"
            await iterator.aclose()
            await listing.collect()
            assert repr(listing) == "<PaymentListing sent, 30 of 30 delivered, pages of 20>"

    async def test_before_the_first_answer_has_no_total(self) -> None:
        async with account(30, latency=5.0) as (_, client):
            listing = client.payments.received()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(aiter(listing)), 1)
            assert repr(listing) == "<PaymentListing received, 0 of ? delivered, pages of 100>"

    async def test_says_where_it_resumes(self) -> None:
        async with account(30) as (_, client):
            earlier = client.payments.received(rows_per_page=10)
            await earlier.collect(limit=12)
            resumed = client.payments.received(checkpoint=earlier.checkpoint)
            assert (
                repr(resumed) == "<PaymentListing received, resumes after 12 of 30, pages of 100>"
            )
            await resumed.collect(limit=3)
            assert repr(resumed) == "<PaymentListing received, 15 of 30 delivered, pages of 100>"

    async def test_of_a_history_counts_both_directions(self) -> None:
        async with account(30) as (_, client):
            history = client.payments.history()
            await history.collect(limit=45)
            assert repr(history) == "<HistoryListing 45 of 60 delivered, pages of 100>"
            resumed = client.payments.history(checkpoint=history.checkpoint)
            assert repr(resumed) == "<HistoryListing resumes after 45 of 60, pages of 100>"

    async def test_reports_no_checkpoint_event(self) -> None:
        events: list[Event] = []
        async with (
            account(5) as (emulator, _),
            PaywintClient(
                emulator.api_key, emulator.api_secret, base_url=emulator.url, on_event=events.append
            ) as client,
        ):
            listing = client.payments.received()
            await listing.collect()
            events.clear()
            repr(listing)
        assert events == []
