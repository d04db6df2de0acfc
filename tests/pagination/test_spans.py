"""Spans of time over real HTTP: exactness, invalid spans, checkpoints, ranges, both directions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from account_server import account, ids, sort_by_amount
from effort import slow_but

from paywint_async import (
    DisorderEvent,
    Event,
    IncompleteHistoryError,
    InvalidRequestError,
    Payment,
    PaywintClient,
    Request,
    Response,
)
from paywint_async.emulator import Emulator

NAIVE = datetime(2026, 1, 1)
AWARE = datetime(2026, 1, 1, tzinfo=UTC)


async def whole(client: PaywintClient, direction: str = "received") -> list[Payment]:
    return await getattr(client.payments, direction)().collect()


@pytest.mark.parametrize("order", slow_but(["newest", "oldest"], "newest"))
async def test_a_span_is_delivered_in_the_servers_order_in_few_requests(order: str) -> None:
    async with account(10_000, order=order) as (emulator, client):
        payments = await whole(client)
        since, until = sorted((payments[5250].created_at, payments[5030].created_at))
        before = emulator.request_count
        listing = client.payments.received(since=since, until=until)
        totals = [listing.total async for _ in listing]
        expected = [p for p in payments if since <= p.created_at < until]
        assert ids(await client.payments.received(since=since, until=until).collect()) == ids(
            expected
        )
        assert totals == [len(expected)] * len(expected)
        assert (emulator.request_count - before) / 2 <= 3 + 2 * 7 + 4


async def test_since_is_included_and_until_is_excluded() -> None:
    async with account(300) as (_, client):
        payments = await whole(client)
        newer, older = payments[50].created_at, payments[150].created_at
        assert newer > payments[51].created_at
        span = await client.payments.received(since=older, until=newer).collect()
        assert ids(span) == ids(payments[51:151])


async def test_a_bound_may_have_any_time_zone() -> None:
    from zoneinfo import ZoneInfo

    async with account(300) as (_, client):
        since = (await whole(client))[120].created_at
        there = since.astimezone(ZoneInfo("Asia/Kathmandu"))
        one = await client.payments.received(since=since).collect()
        assert ids(one) == ids(await client.payments.received(since=there).collect())


@pytest.mark.parametrize("call", ["sent", "received", "history"])
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"since": NAIVE}, "since"),
        ({"until": NAIVE}, "until"),
        ({"since": "2026-01-01"}, "since"),
        ({"until": AWARE.date()}, "until"),
        ({"since": AWARE, "until": AWARE - timedelta(seconds=1)}, "until"),
    ],
)
async def test_an_invalid_span_is_refused_before_anything_is_sent(
    call: str, arguments: dict[str, Any], field: str
) -> None:
    async with account(10) as (emulator, client):
        with pytest.raises(InvalidRequestError) as caught:
            getattr(client.payments, call)(**arguments)
        assert caught.value.field == field
        assert emulator.request_count == 0


async def test_a_span_between_equal_times_is_empty() -> None:
    async with account(250) as (_, client):
        moment = (await whole(client))[100].created_at
        listing = client.payments.received(since=moment, until=moment)
        assert await listing.collect() == []
        assert listing.total == 0


async def test_a_checkpoint_remembers_its_span_and_refuses_another() -> None:
    async with account(1000) as (emulator, client):
        payments = await whole(client)
        since, until = payments[700].created_at, payments[200].created_at
        listing = client.payments.received(since=since, until=until)
        first = await listing.collect(130)
        checkpoint = json.loads(json.dumps(listing.checkpoint))
        rest = await client.payments.received(checkpoint=checkpoint, rows_per_page=20).collect()
        assert ids(first + rest) == ids(payments[201:701])
        again = client.payments.received(checkpoint=checkpoint, since=since, until=until)
        assert ids(await again.collect()) == ids(rest)
        sent = emulator.request_count
        for other in ({"since": since}, {"since": since, "until": until + timedelta(seconds=1)}):
            with pytest.raises(InvalidRequestError) as caught:
                client.payments.received(checkpoint=checkpoint, **other)
            assert caught.value.field == "checkpoint"
        assert emulator.request_count == sent


async def test_the_checkpoint_of_a_whole_listing_is_refused_with_a_span() -> None:
    async with account(300) as (_, client):
        for listing in (client.payments.received(), client.payments.history()):
            await listing.collect(limit=5)
            call = getattr(
                client.payments, "history" if "kind" in listing.checkpoint else "received"
            )
            with pytest.raises(InvalidRequestError, match="checkpoint"):
                call(checkpoint=listing.checkpoint, since=AWARE)


async def test_a_finished_span_that_ends_with_the_list_is_continued_with_new_payments() -> None:
    async with account(500) as (emulator, client):
        since = (await whole(client))[150].created_at
        listing = client.payments.received(since=since)
        assert len(await listing.collect()) == 151
        emulator.arrive("received", 3)
        following = client.payments.received(checkpoint=listing.checkpoint)
        assert ids(await following.collect()) == emulator.history("received")[:3]
        assert following.total == 3


async def test_a_finished_span_followed_by_later_payments_needs_no_request() -> None:
    async with account(500) as (emulator, client):
        listing = client.payments.received(until=(await whole(client))[150].created_at)
        await listing.collect()
        sent = emulator.request_count
        assert await client.payments.received(checkpoint=listing.checkpoint).collect() == []
        assert emulator.request_count == sent


async def test_ranges_of_a_span_add_up_to_it() -> None:
    async with account(2000) as (_, client):
        payments = await whole(client)
        since, until = payments[1500].created_at, payments[300].created_at
        parts = await client.payments.received(since=since, until=until).split(4)
        assert len(parts) == 4
        found: list[Payment] = []
        for part in parts:
            listing = client.payments.received(checkpoint=part.checkpoint)
            async for page in listing.pages(part.limit):
                found += page.records
            part.check(listing.checkpoint)
        assert ids(found) == ids(payments[301:1501])


async def test_a_history_has_the_span_of_both_directions_and_resumes_in_it() -> None:
    async with account(600) as (_, client):
        entries = await client.payments.history().collect()
        since, until = entries[900].payment.created_at, entries[300].payment.created_at
        expected = [e for e in entries if since <= e.payment.created_at < until]
        listing = client.payments.history(since=since, until=until)
        first = await listing.collect(limit=77)
        assert listing.total == len(expected)
        rest = await client.payments.history(checkpoint=listing.checkpoint).collect()
        assert first + rest == expected


async def test_arrow_batches_and_pages_hold_the_span() -> None:
    pytest.importorskip("pyarrow")
    async with account(700) as (_, client):
        payments = await whole(client)
        since, until = payments[450].created_at, payments[99].created_at
        listing = client.payments.received(since=since, until=until)
        rows = [row async for batch in listing.arrow_batches() for row in batch.to_pylist()]
        pages = [page.records async for page in listing.pages()]
        assert len(rows) == sum(map(len, pages)) == 351


async def test_the_pages_of_a_span_are_fetched_concurrently() -> None:
    async with account(5_000, latency=0.05) as (emulator, client):
        payments = await whole(client)
        listing = client.payments.received(
            since=payments[4500].created_at, until=payments[500].created_at, max_concurrency=4
        )
        requests = emulator.request_count
        assert len(await listing.collect()) == 4000
        assert emulator.request_count - requests <= 40 + 2 * 6 + 4
        assert emulator.peak_in_flight >= 4


async def test_payments_that_arrive_during_the_read_are_not_in_the_span() -> None:
    async with account(3000, latency=0.05, arrivals=20.0) as (emulator, client):
        before = emulator.history("received")
        since = (await client.payments.get(before[700])).created_at
        delivered = ids(await client.payments.received(since=since, rows_per_page=20).collect())
        history = emulator.history("received")
        assert delivered[-1] == before[700]
        start = history.index(delivered[0])
        assert start > 0
        assert delivered == history[start : start + len(delivered)]


async def test_a_list_not_sorted_by_time_is_read_completely_and_reported() -> None:
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
        payments = await whole(client)
        since, until = sorted((payments[10].created_at, payments[320].created_at))
        listing = client.payments.received(since=since, until=until)
        found = [payment async for payment in listing]
        assert ids(found) == ids(p for p in payments if since <= p.created_at < until)
        assert listing.total == len(found)
        told = [event for event in events if isinstance(event, DisorderEvent)]
        assert told == [DisorderEvent(direction="received")]


async def test_the_error_about_disorder_on_a_later_page_says_to_read_the_whole_list() -> None:
    """Two payments on one page in the middle of the span are swapped."""

    async def swap_on_page_30(request: Request, handler: Any) -> Response:
        response = await handler(request)
        if request.body and json.loads(request.body)["page_no"] == 30:
            body = json.loads(response.body)
            body["records"].reverse()
            response = attrs.evolve(response, body=json.dumps(body).encode())
        return response

    async with account(10_000, middlewares=(swap_on_page_30,)) as (emulator, client):
        history = emulator.history("received")
        since = (await client.payments.get(history[9000])).created_at
        until = (await client.payments.get(history[1000])).created_at
        listing = client.payments.received(since=since, until=until)
        found: list[Payment] = []
        with pytest.raises(IncompleteHistoryError, match="not in the order of time") as caught:
            async for payment in listing:
                found.append(payment)
        assert ids(found) == history[1001:2900]
        assert "without since and until" in str(caught.value)
        assert "continue" not in str(caught.value)
