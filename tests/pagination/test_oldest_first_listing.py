"""Oldest-first listings over real HTTP: order, checkpoints, ranges, arrivals, an early end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from account_server import account, ids, sort_by_amount
from virtual_time import pass_time

from paywint_async import (
    DisorderEvent,
    Event,
    InvalidRequestError,
    Payment,
    PaywintClient,
)
from paywint_async.emulator import Emulator

SERVERS = pytest.mark.parametrize("order", ["newest", "oldest"])
AWARE = datetime(2026, 1, 1, tzinfo=UTC)


@SERVERS
async def test_payments_are_delivered_oldest_first_whatever_the_servers_order(order: str) -> None:
    async with account(730, order=order) as (emulator, client):
        listing = client.payments.received(oldest_first=True)
        totals = [listing.total async for _ in listing]
        assert totals == [730] * 730
        assert ids(await listing.collect()) == emulator.history("received")[::-1]


@SERVERS
async def test_it_costs_at_most_two_requests_more_than_pages(order: str) -> None:
    for size in (0, 1, 100, 101, 730):
        async with account(size, order=order) as (emulator, client):
            before = emulator.request_count
            payments = await client.payments.received(oldest_first=True).collect()
            assert len(payments) == size
            assert emulator.request_count - before <= max(1, -(-size // 100)) + 2


@SERVERS
async def test_a_limit_takes_the_oldest_payments_and_reads_no_further(order: str) -> None:
    async with account(5000, order=order) as (emulator, client):
        before = emulator.request_count
        oldest = await client.payments.received(oldest_first=True).collect(limit=150)
        assert ids(oldest) == emulator.history("received")[::-1][:150]
        assert emulator.request_count - before <= 4


@SERVERS
async def test_at_most_max_concurrency_requests_are_in_flight(order: str) -> None:
    async with account(3000, order=order, latency=0.02) as (emulator, client):
        listing = client.payments.received(oldest_first=True, max_concurrency=4)
        assert len(await listing.collect()) == 3000
        assert emulator.peak_in_flight == 4


@SERVERS
async def test_payments_that_arrive_during_the_read_are_in_the_next_one(order: str) -> None:
    async with account(1000, order=order, latency=0.05, arrivals=20.0) as (emulator, client):
        listing = client.payments.received(oldest_first=True, rows_per_page=20)
        first = ids(await listing.collect())
        assert len(first) < len(emulator.history("received"))
        second = client.payments.received(checkpoint=json.loads(json.dumps(listing.checkpoint)))
        both = first + ids(await second.collect())
        assert both == emulator.history("received")[::-1][: len(both)]
        assert len(both) > len(first)


@SERVERS
async def test_a_checkpoint_taken_anywhere_continues_in_order(order: str) -> None:
    async with account(640, order=order) as (emulator, client):
        listing = client.payments.received(oldest_first=True)
        found: list[Payment] = []
        for count, rows in ((1, 10), (99, 100), (250, 20), (None, 50)):
            found += await listing.collect(count)
            emulator.arrive("received", 33)
            listing = client.payments.received(checkpoint=listing.checkpoint, rows_per_page=rows)
        assert ids(found) == emulator.history("received")[::-1][:640]
        assert ids(await listing.collect()) == emulator.history("received")[::-1][640:]


@SERVERS
async def test_leaving_the_loop_ends_every_request(order: str) -> None:
    async with account(10_000, order=order, latency=1.0) as (emulator, client):
        async for _ in client.payments.received(oldest_first=True):
            break
        await pass_time(5)
        assert emulator.in_flight == 0
        assert emulator.request_count <= 3 + 8
        assert not [task for task in asyncio.all_tasks() if "_fetch_in_slot" in repr(task)]


@SERVERS
async def test_a_span_is_delivered_oldest_first_in_few_requests(order: str) -> None:
    async with account(10_000, order=order) as (emulator, client):
        payments = (await client.payments.received().collect())[:: 1 if order == "oldest" else -1]
        since, until = payments[4100].created_at, payments[4320].created_at
        before = emulator.request_count
        listing = client.payments.received(since=since, until=until, oldest_first=True)
        first = await listing.collect(limit=130)
        assert listing.total == 220
        rest = await client.payments.received(checkpoint=listing.checkpoint).collect()
        assert ids(first + rest) == ids(payments[4100:4320])
        assert emulator.request_count - before <= 3 + 2 * 7 + 4 + 2


@SERVERS
async def test_a_finished_span_up_to_now_is_continued_with_new_payments(order: str) -> None:
    async with account(500, order=order) as (emulator, client):
        since = (await client.payments.get(emulator.history("received")[150])).created_at
        listing = client.payments.received(since=since, oldest_first=True)
        assert len(await listing.collect()) == 151
        for new in (3, 0, 230):
            emulator.arrive("received", new)
            listing = client.payments.received(checkpoint=listing.checkpoint)
            assert ids(await listing.collect()) == emulator.history("received")[:new][::-1]


@pytest.mark.parametrize("skipped", [0, 300])
@SERVERS
async def test_ranges_add_up_to_the_list_in_order(order: str, skipped: int) -> None:
    async with account(2000, order=order) as (emulator, client):
        oldest = emulator.history("received")[::-1]
        since = (await client.payments.get(oldest[skipped])).created_at if skipped else None
        parts = await client.payments.received(since=since, oldest_first=True).split(4)
        assert len(parts) == 4
        found: list[str] = []
        for part in parts:
            emulator.arrive("received", 7)
            listing = client.payments.received(checkpoint=part.checkpoint)
            async for page in listing.pages(part.limit):
                found += ids(page.records)
            part.check(listing.checkpoint)
        assert found == oldest[skipped:]


@SERVERS
async def test_a_history_is_merged_oldest_first_and_resumed_in_that_order(order: str) -> None:
    async with account(450, order=order) as (_, client):
        entries = await client.payments.history(oldest_first=True).collect()
        times = [entry.payment.created_at for entry in entries]
        assert times == sorted(times)
        assert len(entries) == 900
        listing = client.payments.history(oldest_first=True)
        first = await listing.collect(limit=333)
        assert (
            first + await client.payments.history(checkpoint=listing.checkpoint).collect()
            == entries
        )


async def test_pages_and_arrow_batches_are_oldest_first() -> None:
    pytest.importorskip("pyarrow")
    async with account(350) as (emulator, client):
        oldest = emulator.history("received")[::-1]
        listing = client.payments.received(oldest_first=True)
        assert [i async for page in listing.pages() for i in ids(page.records)] == oldest
        rows = [row async for batch in listing.arrow_batches() for row in batch.to_pylist()]
        assert [str(row["payment_id"]) for row in rows] == oldest


@pytest.mark.parametrize("call", ["sent", "received", "history"])
@pytest.mark.parametrize("value", [None, 1, "yes"])
async def test_another_value_than_true_or_false_is_refused(call: str, value: object) -> None:
    async with account(10) as (emulator, client):
        with pytest.raises(InvalidRequestError) as caught:
            getattr(client.payments, call)(oldest_first=value)
        assert caught.value.field == "oldest_first"
        assert emulator.request_count == 0


@pytest.mark.parametrize("call", ["received", "history"])
async def test_a_checkpoint_in_another_order_is_refused(call: str) -> None:
    async with account(300) as (_, client):
        make: Callable[..., Any] = getattr(client.payments, call)
        for listing in (make(), make(since=AWARE.replace(year=2000))):
            await listing.collect(limit=5)
            with pytest.raises(InvalidRequestError, match="order") as caught:
                make(checkpoint=listing.checkpoint, oldest_first=True)
            assert caught.value.field == "checkpoint"


async def test_a_listing_has_its_span_and_order() -> None:
    async with account(30) as (_, client):
        listing = client.payments.received(since=AWARE, oldest_first=True)
        told = (
            "<PaymentListing received oldest first since 2026-01-01T00:00:00+00:00, not started, "
        )
        assert repr(listing) == told + "pages of 100>"
        history = client.payments.history(until=AWARE)
        told = "<HistoryListing until 2026-01-01T00:00:00+00:00, not started, pages of 100>"
        assert repr(history) == told


async def test_a_list_not_sorted_by_time_is_read_in_its_order_and_reported() -> None:
    """The list is sorted by amount."""

    events: list[Event] = []
    async with (
        Emulator(payments=450) as emulator,
        PaywintClient(
            emulator.api_key,
            emulator.api_secret,
            base_url=emulator.url,
            middlewares=(sort_by_amount,),
            on_event=events.append,
        ) as client,
    ):
        found = await client.payments.received(oldest_first=True).collect()
        assert sorted(ids(found)) == sorted(emulator.history("received"))
        assert any(one.created_at > other.created_at for one, other in pairwise(found))
        told = [event for event in events if isinstance(event, DisorderEvent)]
        assert told == [DisorderEvent(direction="received")]
