"""Examines an emulator's account like `paywint doctor`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import attrs
import pytest
from fault_server import API_KEY, API_SECRET
from webhook_listener import listening

from paywint_async import PaywintClient
from paywint_async._doctor import (
    Finding,
    Observations,
    RecordedDelivery,
    Setup,
    examine,
    find,
    read_delivery,
)
from paywint_async.emulator import Emulator


@attrs.frozen(kw_only=True)
class Examined:
    """The observations of an examination, and its findings."""

    observations: Observations
    findings: list[Finding]

    @property
    def verdicts(self) -> dict[str, str]:
        return {each.topic: each.verdict.value for each in self.findings}

    def detail(self, topic: str) -> str:
        return next(each.judgement.detail for each in self.findings if each.topic == topic)


async def examine_url(
    url: str, *, keys: tuple[str, str] = (API_KEY, API_SECRET), **options: Any
) -> Examined:
    """Examine the API at a URL; options are those of the examination."""
    make_client = partial(PaywintClient, *keys, base_url=url)
    setup = Setup(environment="sandbox", base_url=url)
    observations = await examine(make_client, setup, **options)
    return Examined(observations=observations, findings=find(observations))


@pytest.fixture
def record_delivery() -> Callable[..., Any]:
    """`await record_delivery(emulator)`: the webhook of a successful payment, as received."""

    async def record(emulator: Emulator) -> RecordedDelivery:
        async with listening() as receiver:
            emulator.webhook_url = receiver.url
            await emulator.pay(await _create_link(emulator))
            await emulator.delivered()
            emulator.webhook_url = None
        _headers, body = receiver.seen[-1]
        return read_delivery(body)

    return record


async def _create_link(emulator: Emulator) -> UUID:
    async with PaywintClient(
        emulator.api_key, emulator.api_secret, base_url=emulator.url
    ) as client:
        return (await client.payments.create_link(Decimal("150.75"))).payment_id


@pytest.fixture
def examine_server() -> Callable[..., Any]:
    """`await examine_server(server, **options)`: the findings about a `FaultServer`."""
    return lambda server, **options: examine_url(server.url, **options)


@pytest.fixture
def examine_account() -> Callable[..., Any]:
    """`await examine_account(emulator, **options)`: the findings about an emulator's account."""

    def run(emulator: Emulator, **options: Any) -> Any:
        keys = emulator.api_key, emulator.api_secret
        return examine_url(emulator.url, keys=keys, **options)

    return run
