"""The examples as their readers run them: from their files, against an emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
from example_modules import SECRET, load
from web_servers import serve_asgi

from paywint_async import PaywintClient
from paywint_async.emulator import Emulator


@attrs.frozen
class OpenShop:
    """The example shop under uvicorn, and the emulator that tells it of payments."""

    url: str
    shop: Any
    emulator: Emulator


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Emulator], None]:
    """`environment(emulator)`: that one's account is the environment's."""

    def use(emulator: Emulator) -> None:
        monkeypatch.setenv("PAYWINT_API_KEY", emulator.api_key)
        monkeypatch.setenv("PAYWINT_API_SECRET", emulator.api_secret)
        monkeypatch.setenv("PAYWINT_BASE_URL", emulator.url)
        monkeypatch.setenv("PAYWINT_WEBHOOK_SECRET", SECRET)

    return use


@pytest.fixture
def client_of() -> Callable[[Emulator], PaywintClient]:
    """`client_of(emulator)`: a client of its account."""

    def make(emulator: Emulator) -> PaywintClient:
        return PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)

    return make


@pytest.fixture
def open_shop(
    environment: Callable[[Emulator], None],
) -> Callable[..., AbstractAsyncContextManager[OpenShop]]:
    """`async with open_shop(**arguments_of_the_emulator) as opened`."""

    @asynccontextmanager
    async def opened(**arguments: Any) -> AsyncIterator[OpenShop]:
        module = load("shop")
        arguments = {"webhook_secret": SECRET, "webhook_retry_delays": (0.01, 0.05)} | arguments
        async with Emulator(**{"hostile": True} | arguments) as emulator:
            environment(emulator)
            async with serve_asgi(module.app) as url:
                emulator.webhook_url = f"{url}/webhooks"
                yield OpenShop(url, module.app.state.shop, emulator)

    return opened
