"""An emulator in a separate thread, for tests that start other processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager

from fake_redis import RedisServer

from paywint_async.emulator import Emulator


@contextmanager
def environment_of_an_account(
    *, payments: int, redis: bool = False, timetable: Sequence[tuple[float, str]] = ()
) -> Iterator[dict[str, str]]:
    """Runs an emulator; yields the environment variables with which a command uses it."""
    started, stop = threading.Event(), asyncio.Event()
    environment: dict[str, str] = {}
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with AsyncExitStack() as stack:
            emulator = await stack.enter_async_context(
                Emulator(hostile=True, payments=payments, seed=1, timetable=timetable)
            )
            if redis:
                server = await stack.enter_async_context(RedisServer("s3cret"))
                environment["REDIS_URL"] = server.url
            environment["PAYWINT_API_KEY"] = emulator.api_key
            environment["PAYWINT_API_SECRET"] = emulator.api_secret
            environment["PAYWINT_BASE_URL"] = emulator.url
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(timeout=30)
    try:
        yield environment
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
