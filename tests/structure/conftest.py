"""An account, and a Redis, for what the documentation shows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from fake_redis import RedisServer

from paywint_async.emulator import Emulator


@pytest.fixture(scope="session")
def credentials() -> Iterator[dict[str, str]]:
    """The environment of a caller whose account is an emulator; all is served from a thread."""
    started, stop = threading.Event(), asyncio.Event()
    environment: dict[str, str] = {}
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with Emulator(payments=250, seed=1) as emulator, RedisServer("s3cret") as redis:
            environment["REDIS_URL"] = redis.url
            environment["PAYWINT_API_KEY"] = str(emulator.api_key)
            environment["PAYWINT_API_SECRET"] = emulator.api_secret
            environment["PAYWINT_BASE_URL"] = str(emulator.url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(timeout=30)
    yield environment
    loops[0].call_soon_threadsafe(stop.set)
    thread.join()
