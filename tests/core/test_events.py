"""Events and log records; a hook that raises does not affect the call."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

import pytest

from paywint_async import (
    CheckpointEvent,
    CooldownEvent,
    Event,
    Handler,
    PageEvent,
    PaywintClient,
    Request,
    RequestEvent,
    Response,
    RetryEvent,
)
from paywint_async.emulator import Emulator


class FailFirst:
    """An attempt middleware: returns these answers first, then the server's."""

    def __init__(self, *responses: Response) -> None:
        self.responses = list(responses)

    async def __call__(self, request: Request, handler: Handler) -> Response:
        return self.responses.pop(0) if self.responses else await handler(request)


def client_of(emulator: Emulator, **settings: Any) -> PaywintClient:
    return PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url, **settings)


async def test_every_attempt_retry_and_cooldown_is_reported() -> None:
    events: list[Event] = []
    fail = FailFirst(Response(status=503), Response(status=429, headers={"retry-after": "7"}))
    async with (
        Emulator(hostile=True, payments=1) as emulator,
        client_of(emulator, on_event=events.append, attempt_middlewares=[fail]) as client,
    ):
        await client.payments.page("sent", 1)
    retries = [event for event in events if isinstance(event, RetryEvent)]
    assert [(e.operation, e.attempt, e.reason) for e in retries] == [
        ("sent", 1, "status 503"),
        ("sent", 2, "status 429"),
    ]
    assert retries[1].wait >= 7
    assert [e.seconds for e in events if isinstance(e, CooldownEvent)] == [7]
    (request,) = [event for event in events if isinstance(event, RequestEvent)]
    assert (request.operation, request.attempt, request.status) == ("sent", 3, 200)
    assert request.bytes_received > 0
    assert 0 <= request.seconds < 5


async def test_pages_and_checkpoints_are_reported() -> None:
    events: list[Event] = []
    async with (
        Emulator(hostile=True, payments=250) as emulator,
        client_of(emulator, on_event=events.append) as client,
    ):
        listing = client.payments.received()
        await listing.collect()
        assert listing.checkpoint is not None
    pages = [event for event in events if isinstance(event, PageEvent)]
    assert [(page.page_no, page.records) for page in pages] == [(1, 100), (2, 100), (3, 50)]
    assert events[-1] == CheckpointEvent(direction="received", delivered=250, total=250)


async def test_an_attempt_without_an_answer_is_reported() -> None:
    events: list[Event] = []
    async with Emulator(latency=60) as emulator:
        settings = {"request_timeout": 1, "on_event": events.append}
        async with client_of(emulator, **settings) as client:
            with pytest.raises(TimeoutError):
                await client.payments.get("00000000-0000-4000-8000-000000000000")
    requests = [event for event in events if isinstance(event, RequestEvent)]
    assert [(e.status, e.attempt) for e in requests] == [(None, 1), (None, 2), (None, 3), (None, 4)]
    assert all(e.seconds == pytest.approx(1, abs=0.1) for e in requests)
    assert {e.bytes_received for e in requests} == {0}


async def test_a_hook_that_raises_is_logged_and_the_call_succeeds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    async with (
        Emulator(hostile=True, payments=3) as emulator,
        client_of(emulator, on_event=broken) as client,
    ):
        assert len(await client.payments.sent().collect()) == 3
    assert "on_event raised on RequestEvent" in caplog.text


async def test_success_is_silent_and_a_retry_is_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="paywint_async")
    async with Emulator(hostile=True, payments=3) as emulator, client_of(emulator) as client:
        await client.payments.sent().collect()
        await client.payments.create_link(Decimal(5))
    assert [r for r in caplog.records if r.name == "paywint_async"] == []
    fail = FailFirst(Response(status=500))
    async with Emulator() as emulator, client_of(emulator, attempt_middlewares=[fail]) as client:
        await client.payments.page("sent", 1)
    (record,) = [r for r in caplog.records if r.name == "paywint_async"]
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("sent: attempt 1 failed (status 500), next one in ")
