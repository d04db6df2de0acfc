"""The examination of an emulator's account, as `paywint doctor` makes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import pytest
from fault_server import API_KEY, API_SECRET

from paywint_async import PaywintClient
from paywint_async._doctor import Finding, Observations, Setup, examine, find
from paywint_async.emulator import Emulator


@attrs.frozen(kw_only=True)
class Examined:
    """What was seen, and what was said of it."""

    observations: Observations
    findings: list[Finding]

    @property
    def verdicts(self) -> dict[str, str]:
        return {each.topic: each.verdict.value for each in self.findings}

    def detail(self, topic: str) -> str:
        return next(each.judgement.detail for each in self.findings if each.topic == topic)


async def examine_url(
    url: str, *, keys: tuple[str, str] = (API_KEY, API_SECRET), seconds: float = 9.0, **options: Any
) -> Examined:
    """The findings about the API at an address; options are the client's."""
    make_client = partial(PaywintClient, *keys, base_url=url)
    setup = Setup(environment="sandbox", base_url=url)
    observations = await examine(make_client, setup, seconds=seconds, **options)
    return Examined(observations=observations, findings=find(observations))


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
