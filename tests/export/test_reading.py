"""Listings page by page, from an emulator over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from virtual_time import pass_time

from paywint_async import HistoryEntry, PaywintClient, ServerError
from paywint_async.emulator import Emulator
from paywint_async.export import HistoryReading, PaymentReading
from paywint_async.export._reading import delivered


@attrs.frozen
class Account:
    emulator: Emulator
    client: PaywintClient


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with (
        Emulator(hostile=True, payments=250, latency=1) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        yield Account(emulator, client)


def ids(entries: list[HistoryEntry], direction: str) -> list[str]:
    return [str(e.payment.payment_id) for e in entries if e.direction == direction]


async def test_payments_come_in_the_listings_pages(account: Account) -> None:
    reading = PaymentReading(account.client.payments.received())
    assert reading.total is None

    pages = [page async for page in reading.pages()]

    assert [len(page) for page in pages] == [100, 100, 50]
    assert reading.total == 250
    assert [str(p.payment_id) for page in pages for p in page] == account.emulator.history(
        "received"
    )


async def test_lists_of_entries_are_at_most_a_page_of_each_direction(account: Account) -> None:
    reading = HistoryReading(account.client.payments.history())

    pages = [page async for page in reading.pages()]

    assert all(1 <= len(page) <= 200 for page in pages)
    assert len(pages) <= 6  # as many as pages were read
    assert reading.total == 500
    entries = [entry for page in pages for entry in page]
    assert ids(entries, "sent") == account.emulator.history("sent")
    assert ids(entries, "received") == account.emulator.history("received")


async def test_a_cancelled_reading_first_delivers_what_its_checkpoint_counts(
    account: Account,
) -> None:
    reading = HistoryReading(account.client.payments.history(rows_per_page=10, max_concurrency=2))
    entries: list[HistoryEntry] = []

    async def consume() -> None:
        async for page in reading.pages():
            entries.extend(page)

    task = asyncio.create_task(consume())
    await pass_time(7.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert 0 < len(entries) < 500
    assert len(entries) % 100 > 0
    assert delivered(reading.checkpoint) == len(entries)
    checkpoint = json.loads(json.dumps(reading.checkpoint))
    rest = HistoryReading(account.client.payments.history(checkpoint=checkpoint))
    entries += [entry async for page in rest.pages() for entry in page]
    assert ids(entries, "sent") == account.emulator.history("sent")
    assert ids(entries, "received") == account.emulator.history("received")


async def test_leaving_early_ends_the_requests(account: Account) -> None:
    reading = HistoryReading(account.client.payments.history(rows_per_page=10))
    pages = reading.pages()
    await anext(pages)

    await pages.aclose()

    await pass_time(0.1)
    assert account.emulator.in_flight == 0


async def test_an_error_comes_after_the_records_before_it(account: Account) -> None:
    async def fail_late(request: Any, handler: Any) -> Any:
        if b'"page_no":8}' in request.body:
            raise ServerError(500, "simulated")
        return await handler(request)

    client = PaywintClient(
        account.emulator.api_key,
        account.emulator.api_secret,
        base_url=account.emulator.url,
        middlewares=[fail_late],
    )
    entries: list[HistoryEntry] = []
    async with client:
        reading = HistoryReading(client.payments.history(rows_per_page=10))
        with pytest.raises(ServerError):
            async for page in reading.pages():
                entries.extend(page)

    assert len(entries) >= 70
    assert delivered(reading.checkpoint) == len(entries)


@pytest.mark.parametrize(
    ("checkpoint", "count"),
    [
        (None, 0),
        ({"delivered": 30, "finished": False}, 30),
        ({"delivered": 30, "finished": True}, 0),
        ({"kind": "history", "sent": {"delivered": 3, "finished": False}, "received": None}, 3),
    ],
)
def test_progress_includes_earlier_runs_of_this_snapshot(
    checkpoint: dict[str, Any] | None, count: int
) -> None:
    assert delivered(checkpoint) == count
