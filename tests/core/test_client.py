"""The client against the emulator: its setup, its limits, and the errors of refused calls."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import attrs
import pytest

from paywint_async import (
    AuthenticationError,
    NotFoundError,
    PaywintClient,
    RateLimit,
    RateLimitedError,
    RetryPolicy,
    UnprocessableRequestError,
)
from paywint_async.emulator import Emulator


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_client_serves_many_tasks(connect):
    async with Emulator(hostile=True, payments=50, latency=1.0) as emulator:
        client, start = connect(emulator), now()
        pages = await asyncio.gather(
            *(client.payments.page("sent", number, 10) for number in range(1, 6))
        )
    assert [len(page.records) for page in pages] == [10] * 5
    assert now() - start == pytest.approx(1, abs=0.1)


async def test_a_client_can_be_configured_by_the_environment(monkeypatch):
    async with Emulator(hostile=True, payments=3) as emulator:
        monkeypatch.setenv("PAYWINT_API_KEY", emulator.api_key)
        monkeypatch.setenv("PAYWINT_API_SECRET", emulator.api_secret)
        monkeypatch.setenv("PAYWINT_BASE_URL", emulator.url)
        async with PaywintClient.from_env() as client:
            assert (await client.payments.page("sent", 1)).total_records == 3


@pytest.mark.parametrize("wrong", ["api_key", "api_secret"])
async def test_wrong_credentials_are_reported_and_not_retried(wrong):
    async with Emulator() as emulator:
        right = {"api_key": emulator.api_key, "api_secret": emulator.api_secret}
        async with PaywintClient(**{**right, wrong: "wrong"}, base_url=emulator.url) as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.payments.create_link(5)
    assert (caught.value.status, emulator.request_count) == (401, 1)
    assert caught.value.message == "Invalid API key or API secret"


async def test_an_unknown_payment_is_not_found(connect):
    async with Emulator(hostile=True, payments=3) as emulator:
        with pytest.raises(NotFoundError) as caught:
            await connect(emulator).payments.get(uuid4())
    assert (caught.value.status, caught.value.message) == (404, "Payment not found")


async def test_a_validation_error_names_the_field(connect):
    async def spoil(request, handler):
        return await handler(attrs.evolve(request, body=b'{"amount":0}'))

    async with Emulator() as emulator:
        with pytest.raises(UnprocessableRequestError) as caught:
            await connect(emulator, middlewares=[spoil]).payments.create_link(5)
    assert (caught.value.status, list(caught.value.problems)) == (422, ["amount"])
    assert emulator.request_count == 1


async def test_a_client_with_its_own_limit_gets_no_429(connect):
    async with Emulator(hostile=True, payments=3, rate_limit=5.0) as emulator:
        client = connect(emulator, rate_limit=RateLimit(5))
        await asyncio.gather(*(client.payments.page("sent", 1) for _ in range(30)))
    assert [exchange.status for exchange in emulator.requests] == [200] * 30


async def test_a_client_without_a_limit_respects_the_servers(connect):
    async with Emulator(hostile=True, payments=3, rate_limit=5.0) as emulator:
        client = connect(emulator)
        pages = await asyncio.gather(*(client.payments.page("sent", 1) for _ in range(12)))
    assert len(pages) == 12


async def test_a_limit_that_allows_no_turn_in_time_is_an_error(connect):
    async with Emulator() as emulator:
        client = connect(
            emulator, rate_limit=RateLimit(1, per_seconds=60), retry=RetryPolicy(max_elapsed=10)
        )
        await client.payments.create_link(5)
        with pytest.raises(RateLimitedError) as caught:
            await client.payments.create_link(5)
    assert caught.value.retry_after == pytest.approx(60, abs=1)
    assert emulator.request_count == 1


async def test_nothing_is_sent_before_the_first_call(connect):
    async with Emulator() as emulator:
        client = connect(emulator)
        client.payments.received()
        client.payments.history()
    assert emulator.request_count == 0


@pytest.mark.parametrize("state", ["open", "closed"])
async def test_a_client_shows_its_address_and_its_state(state):
    client = PaywintClient("key", "secret", base_url="https://api.example")
    if state == "closed":
        await client.aclose()
    assert repr(client) == f"<PaywintClient https://api.example {state}>"


async def test_no_task_outlives_a_call(connect):
    async with Emulator(hostile=True, payments=3) as emulator:
        before = asyncio.all_tasks()
        client = connect(emulator)
        await client.payments.page("sent", 1)
        await client.aclose()
        ours = [task for task in asyncio.all_tasks() - before if "paywint_async" in repr(task)]
    assert [task for task in ours if "emulator" not in repr(task)] == []
