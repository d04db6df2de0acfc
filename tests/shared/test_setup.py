"""How a shared limit is made, what its repr shows, and who closes which connection."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import pytest
from fake_redis import RedisServer
from fault_server import API_KEY, API_SECRET, FaultServer, answer
from limiter_timing import departures, now
from redis.asyncio import Redis
from shared.conftest import PASSWORD
from virtual_time import pass_time

import paywint_async
from paywint_async import ConfigurationError, PaywintClient, RateLimit, SharedRateLimit

URL = f"redis://user:{PASSWORD}@127.0.0.1:6379/3"
NO_REDIS = """
import sys
sys.modules["redis"] = None
from paywint_async import ConfigurationError, RateLimit, SharedRateLimit
try:
    SharedRateLimit(RateLimit(1), "redis://127.0.0.1", key="k")
except ConfigurationError as error:
    print(error)
"""


def run(program: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(paywint_async.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


class TestTheArguments:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"limit": 10}, "limit must be a RateLimit, not int"),
            ({"key": ""}, "key must be"),
            ({"key": None}, "key must be"),
            ({"processes": 0}, "processes must be"),
            ({"timeout": 0}, "timeout must be"),
            ({"redis": None}, "redis must be a URL or a client of redis.asyncio"),
            ({"redis": f"http://:{PASSWORD}@host"}, "redis is no URL such as"),
            ({"redis": f"redis://:{PASSWORD}@host:port/0"}, "redis is no URL such as"),
            ({"redis": f"redis://:{PASSWORD}@[::1/0"}, "redis is no URL such as"),
            ({"redis": f"redis://:{PASSWORD}@host/0?socket_timeout=x"}, "redis is no URL such as"),
        ],
    )
    def test_are_refused_with_their_name_and_no_secret(self, options, message):
        arguments = {"limit": RateLimit(1), "redis": URL, "key": "the account", **options}
        with pytest.raises(ConfigurationError, match=message) as caught:
            SharedRateLimit(**arguments)
        frames = [
            repr(local)
            for frame, _ in traceback.walk_tb(caught.value.__traceback__)
            if frame.f_code.co_filename != __file__
            for local in frame.f_locals.values()
        ]
        shown = [
            *traceback.format_exception(caught.value),
            repr(pickle.dumps(caught.value)),
            *frames,
        ]
        assert frames != []
        assert [text for text in shown[1:] if PASSWORD in text and "tests/" not in text] == []

    def test_of_a_synchronous_client_are_refused(self):
        import redis

        with redis.Redis() as client, pytest.raises(ConfigurationError, match=r"redis\.asyncio"):
            SharedRateLimit(RateLimit(1), client, key="k")

    def test_need_the_extra(self):
        assert run(NO_REDIS) == (
            "a shared rate limit needs an extra: pip install 'paywint-async[redis]'\n"
        )

    def test_are_not_pickled_or_copied(self):
        limiter = SharedRateLimit(RateLimit(1), URL, key="k")
        for spread in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="make it where it is used"):
                spread(limiter)

    def test_are_in_the_repr_without_password_and_key(self):
        limiter = SharedRateLimit(RateLimit(3, 60), URL, key="the account")
        assert repr(limiter) == "<SharedRateLimit 0.05/s over redis://127.0.0.1:6379/3>"
        assert repr(SharedRateLimit.__new__(SharedRateLimit)) == "<SharedRateLimit>"
        assert PASSWORD not in repr(vars(limiter))
        assert ": RedisSecrets(***)" in repr(vars(limiter))
        assert "the account" not in repr(vars(limiter))

    async def test_show_only_the_type_of_the_callers_client(self):
        async with Redis.from_url(URL) as client:
            limiter = SharedRateLimit(RateLimit(3), client, key="k")
            assert repr(limiter) == "<SharedRateLimit 3/s over Redis>"


class TestAClient:
    async def test_closes_the_connection_that_was_made_for_it(self, redis):
        limiter = SharedRateLimit(RateLimit(1000), redis.url, key="k")
        async with FaultServer(answer()) as server:
            options = {"base_url": server.url, "rate_limit": limiter}
            client = PaywintClient(API_KEY, API_SECRET, **options)
            await client.payments.page("sent", 1)
            assert redis.open_connections == 1
            await client.aclose()
        await pass_time(0.01)
        assert redis.open_connections == 0

    async def test_that_is_closed_does_not_affect_another_one(self, redis):
        limiter = SharedRateLimit(RateLimit(100), redis.url, key="k", timeout=2)
        async with FaultServer(answer()) as server:
            options = {"base_url": server.url, "rate_limit": limiter}
            async with PaywintClient(API_KEY, API_SECRET, **options) as staying:
                await staying.payments.page("sent", 1)
                async with PaywintClient(API_KEY, API_SECRET, **options) as leaving:
                    await leaving.payments.page("sent", 1)
                    redis.latency = 0.1
                    pages = [
                        asyncio.ensure_future(staying.payments.page("sent", 1)) for _ in range(5)
                    ]
                    await pass_time(0.05)
                start = now()
                assert len(await asyncio.gather(*pages)) == 5
                await staying.payments.page("sent", 1)
                assert now() - start < 2

    async def test_that_is_closed_at_once_still_shares_its_cooldown(self, redis, share):
        limiter = SharedRateLimit(RateLimit(100), redis.url, key="the account")
        refusal = answer(429, headers="Retry-After: 7\r\n")
        async with FaultServer(refusal) as server:
            options = {"base_url": server.url, "rate_limit": limiter}
            async with PaywintClient(API_KEY, API_SECRET, **options) as client:
                asking = asyncio.ensure_future(client.payments.page("sent", 1))
                await pass_time(0.1)
                asking.cancel()
        assert await departures(share(RateLimit(100)), [0.0]) == pytest.approx([6.9], abs=0.1)

    async def test_accepts_a_limiter_without_aclose(self):
        class Free:
            async def acquire(self, deadline: float | None = None) -> None: ...

            def cool_down(self, seconds: float) -> None: ...

        async with PaywintClient(API_KEY, API_SECRET, rate_limit=Free()):
            pass


class TestAConnection:
    async def test_is_opened_again_after_closing(self, redis):
        async with SharedRateLimit(RateLimit(1000), redis.url, key="k") as limiter:
            await limiter.acquire()
            await limiter.aclose()
            await limiter.aclose()
            await limiter.acquire()
        assert redis.connections == 2

    async def test_is_not_opened_for_an_unused_limiter(self, redis):
        async with SharedRateLimit(RateLimit(1), redis.url, key="k"):
            pass
        assert redis.connections == 0

    async def test_of_the_caller_stays_open(self, redis):
        async with Redis.from_url(redis.url) as client:
            async with SharedRateLimit(RateLimit(1000), client, key="k") as limiter:
                await limiter.acquire()
            assert redis.open_connections == 1

    async def test_is_closed_even_if_redis_hangs(self, redis):
        async with SharedRateLimit(RateLimit(1000), redis.url, key="k", timeout=5) as limiter:
            await limiter.acquire()
            redis.fault = b""
            waiting = asyncio.ensure_future(limiter.acquire())
            await pass_time(0.1)
            waiting.cancel()

    async def test_is_not_retried_after_closing(self, redis):
        limiter = SharedRateLimit(RateLimit(1000), redis.url, key="k")
        redis.fault = b"-LOADING\r\n"
        await limiter.acquire()
        await limiter.acquire()
        await limiter.aclose()
        before = redis.connections
        await pass_time(10)
        assert redis.connections == before

    async def test_is_not_retried_after_closing_to_share_a_cooldown(self, redis):
        limiter = SharedRateLimit(RateLimit(1000), redis.url, key="k")
        redis.fault = b"-LOADING\r\n"
        await limiter.acquire()
        limiter.cool_down(60)
        await pass_time(3)
        await limiter.aclose()
        before = redis.connections
        await pass_time(10)
        assert redis.connections == before


class TestTheEventLoop:
    def test_may_differ_for_each_use(self):
        async def serve_and_ask() -> None:
            await server.start()
            kept.append(kept[0] if kept else SharedRateLimit(limit, server.url, key="k"))
            await kept[0].acquire()
            await kept[0].aclose()
            await server.stop()

        kept: list[SharedRateLimit] = []
        server, limit = RedisServer(), RateLimit(1000)
        asyncio.run(serve_and_ask())
        asyncio.run(serve_and_ask())
        server.release()
        assert (server.connections, len(kept[0]._queues)) == (2, 1)

    async def test_must_be_that_of_the_callers_client(self, redis):
        async with Redis.from_url(redis.url) as client:
            limiter = SharedRateLimit(RateLimit(1000), client, key="k")
            await limiter.acquire()
            other = asyncio.get_running_loop().run_in_executor(
                None, lambda: asyncio.run(limiter.acquire())
            )
            with pytest.raises(ConfigurationError, match="one event loop of one process"):
                await other

    async def test_may_cancel_the_call_itself(self, redis, share):
        limiter = share(RateLimit(1000))
        await limiter.acquire()
        redis.latency = 0.1
        waiting = asyncio.ensure_future(limiter.acquire())
        await pass_time(0.05)
        (call,) = asyncio.all_tasks() - {waiting, asyncio.current_task(), *redis._conversations}
        call.cancel()
        await waiting


async def test_a_forked_process_opens_its_own_connection(redis: RedisServer) -> None:
    limiter = SharedRateLimit(RateLimit(1000), redis.url, key="k")
    await limiter.acquire()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        child = os.fork()  # warns if threads are running
    if child == 0:
        _in_the_child(limiter)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    await limiter.acquire()
    await limiter.aclose()
    assert redis.connections == 2


def _in_the_child(limiter: SharedRateLimit) -> None:
    code = 1
    try:
        asyncio._set_running_loop(None)  # the parent's loop was running when it forked

        async def ask() -> None:
            await limiter.acquire()
            assert not limiter._queue().is_away
            await limiter.aclose()

        asyncio.run(ask())
        code = 0
    finally:
        os._exit(code)
