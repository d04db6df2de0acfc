"""The suite's clock jumps over waits, and over nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import pytest
from aiohttp import web
from virtual_time import SocketlessLoop, VirtualTimeLoop, pass_time


@pytest.fixture
async def slow_url() -> AsyncIterator[str]:
    """A server in the test's own loop that answers after 30 virtual seconds."""

    async def answer(_request: web.Request) -> web.Response:
        await pass_time(30)
        return web.Response(text="at last")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/"
    await runner.cleanup()


async def fetch(url: str, timeout: float) -> str:
    limit = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as response:
        return await response.text()


async def test_an_hour_passes_in_less_than_a_second() -> None:
    loop = asyncio.get_running_loop()
    virtual, real = loop.time(), time.monotonic()

    await pass_time(3600)

    assert loop.time() - virtual == 3600
    assert time.monotonic() - real < 1


async def test_timers_fire_in_the_order_of_their_times() -> None:
    fired: list[int] = []

    async def fire_at(seconds: int) -> None:
        await pass_time(seconds)
        fired.append(seconds)

    await asyncio.gather(*map(fire_at, (30, 10, 20)))

    assert fired == [10, 20, 30]


async def test_a_round_trip_takes_as_long_as_its_handler_sleeps(slow_url: str) -> None:
    loop = asyncio.get_running_loop()
    virtual, real = loop.time(), time.monotonic()

    assert await fetch(slow_url, timeout=60) == "at last"

    assert loop.time() - virtual == pytest.approx(30)
    assert time.monotonic() - real < 5


async def test_a_timeout_shorter_than_the_handler_fires_first(slow_url: str) -> None:
    loop = asyncio.get_running_loop()
    virtual = loop.time()

    with pytest.raises(TimeoutError):
        await fetch(slow_url, timeout=10)

    assert loop.time() - virtual == pytest.approx(10)


async def test_the_clients_timeouts_fire_in_the_order_of_their_times(slow_url: str) -> None:
    ended: list[float] = []

    async def fetch_until(timeout: float) -> None:
        try:
            await fetch(slow_url, timeout)
        except TimeoutError:
            ended.append(timeout)
        else:
            ended.append(30)

    await asyncio.gather(*map(fetch_until, (60, 20, 10)))

    assert ended == [10, 20, 30]


async def test_a_large_answer_costs_no_virtual_time() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=bytes(20_000_000))

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    loop = asyncio.get_running_loop()
    virtual = loop.time()

    body = await fetch(f"http://{host}:{port}/", timeout=1)
    await runner.cleanup()

    assert len(body) == 20_000_000
    assert loop.time() - virtual < 1


async def test_the_clock_waits_for_an_executor_job_and_then_jumps_again() -> None:
    # A tenth of a second of work in C, during which the loop's own thread is free to run.
    work = partial(hashlib.pbkdf2_hmac, "sha256", b"secret", b"salt", 200_000)

    async with asyncio.timeout(10):
        digest = await asyncio.to_thread(work)
    await pass_time(3600)

    assert len(digest) == 32


async def test_passing_time_can_be_cancelled() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await pass_time(3600)

    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)


@pytest.mark.real_time
async def test_the_mark_gives_the_real_clock() -> None:
    with pytest.raises(TypeError, match="needs the virtual clock"):
        await pass_time(3600)


def test_a_timer_that_is_due_at_once_runs_after_a_year_too() -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        await pass_time(365 * 86_400.0)
        before = loop.time()
        await pass_time(0.0)
        return loop.time() - before

    for loop_factory in (VirtualTimeLoop, SocketlessLoop):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            assert runner.run(wait()) == 0.0
