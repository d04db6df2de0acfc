"""While Redis is unavailable, hangs or refuses, each process keeps to its part of the limit."""

from __future__ import annotations

import asyncio
import logging
from asyncio import sleep  # virtual: no test really sleeps
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from fake_redis import HANG_UP, SILENCE, RedisServer
from limiter_timing import departures, most_in_a_window, now, waiters
from shared.conftest import PASSWORD

from paywint_async import RateLimit, RateLimitedError, SharedRateLimit

LIMIT = RateLimit(40, burst=4)
PART = pytest.approx(0.1, abs=0.001)  # seconds between two requests of each of four processes
REFUSALS = [
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-READONLY You can't write against a read only replica.\r\n",
    b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    b"-NOAUTH Authentication required.\r\n",
    b"-NOPERM this user has no permissions to run the 'evalsha' command\r\n",
    b"-MOVED 3999 127.0.0.1:1\r\n",
    b"-CLUSTERDOWN The cluster is down\r\n",
    b"-NOSCRIPT No matching script. Please use EVAL.\r\n",
    b"-ERR unknown command\r\n",
    b"+OK\r\n",
    b":1\r\n",
    b"*1\r\n:1\r\n",
    b"*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n+now\r\n",
    b"*99\r\n" + 99 * b":1\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    HANG_UP,
    SILENCE,
]


@pytest.fixture
async def limiter(redis: RedisServer) -> AsyncIterator[SharedRateLimit]:
    """The limiter of one of four processes, connected, with a burst saved up."""
    async with SharedRateLimit(LIMIT, redis.url, key="k", processes=4, timeout=0.5) as limiter:
        await limiter.acquire()
        await sleep(100)
        yield limiter


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class TestAnOutage:
    @pytest.mark.parametrize("refusal", REFUSALS, ids=lambda line: line.decode().split("\r")[0])
    async def test_lets_each_process_continue_with_its_part(self, redis, limiter, refusal, caplog):
        redis.fault = refusal
        left = await departures(limiter, [0.0] * 12)
        assert left[0] <= 0.5 + 0.1
        assert gaps(left) == [PART] * 11
        (warning,) = warnings(caplog)
        assert "is unavailable" in warning
        assert "10 requests a second" in warning

    async def test_of_a_stopped_redis_has_the_same_effect(self, redis, limiter, caplog):
        await redis.stop()
        left = await departures(limiter, [0.0] * 12)
        assert left[0] <= 0.5 + 0.1
        assert gaps(left) == [PART] * 11
        assert len(warnings(caplog)) == 1

    async def test_from_the_start_has_the_same_effect(self, redis, caplog):
        await redis.stop()
        async with SharedRateLimit(LIMIT, redis.url, key="k", processes=4, timeout=0.5) as limiter:
            left = await departures(limiter, [0.0] * 12)
        assert gaps(left) == [PART] * 11
        assert len(warnings(caplog)) == 1

    async def test_is_logged_once_and_so_is_its_end(self, redis, limiter, caplog):
        await redis.stop()
        await departures(limiter, [0.0, 5.0, 5.0, 9.0])
        await redis.start()
        await departures(limiter, [0.0, 5.0])
        began, ended = warnings(caplog)
        assert "is unavailable (" in began
        assert "is available again" in ended

    async def test_delays_only_the_calls_that_notice_it(self, redis, limiter):
        redis.fault, start = SILENCE, now()
        await limiter.acquire()
        assert now() - start <= 0.5 + 0.1
        for _ in range(20):
            await sleep(0.7)
            start = now()
            await limiter.acquire()
            assert now() == start

    async def test_is_checked_about_once_a_second(self, redis, limiter):
        redis.fault, before = b"-LOADING\r\n", redis.connections
        await departures(limiter, [0.0] * 100)
        assert 8 <= redis.connections - before <= 25

    async def test_ends_for_those_who_already_wait(self, redis, share):
        limiter = share(RateLimit(1, per_seconds=6000), processes=1000)
        await redis.stop()
        line = await waiters(limiter, 3)
        await sleep(30)
        await redis.start()
        start = now()
        times = [await task - start for task in line]
        assert times == pytest.approx([0, 6000, 12000], abs=5)

    async def test_respects_a_deadline(self, redis, share):
        limiter, start = share(RateLimit(1, per_seconds=60), processes=10), now()
        await redis.stop()
        with pytest.raises(RateLimitedError):
            await asyncio.gather(*(limiter.acquire(start + 30) for _ in range(2)))
        assert now() - start <= 30

    async def test_respects_an_earlier_cooldown(self, redis, share):
        one, other, start = share(LIMIT), share(LIMIT), now()
        await other.acquire()
        one.cool_down(10)
        await sleep(1)
        with pytest.raises(RateLimitedError):
            await other.acquire(start + 2)
        await redis.stop()
        await other.acquire()
        assert now() - start >= 9.9

    async def test_shares_its_cooldowns_once_it_is_over(self, redis, limiter, share):
        await redis.stop()
        await limiter.acquire()
        limiter.cool_down(20)
        await sleep(5)
        await redis.start()
        await sleep(2)
        start = now()
        await share(LIMIT, key="k").acquire()
        assert now() - start == pytest.approx(13, abs=1)

    async def test_invalidates_reserved_turns(self, redis, limiter):
        line = await waiters(limiter, 12)
        await sleep(0.03)
        await redis.stop()
        times = [await task for task in line]
        assert max(gaps(times[-5:])) == PART


class TestAllProcesses:
    """Four processes that send as fast as they may, during the worst second."""

    @pytest.mark.parametrize("away_for", [0.45, 0.7])
    @pytest.mark.parametrize("kind", ["restart", "restart that forgets", "silence"])
    async def test_is_never_above_the_limit(self, redis, share, away_for, kind):
        fleet = [share(LIMIT, processes=4) for _ in range(4)]
        lines = [task for limiter in fleet for task in await waiters(limiter, 50)]
        await sleep(1)
        if kind == "silence":
            redis.latency = away_for + 0.1
            await sleep(away_for)
            redis.latency = 0.0
        else:
            await redis.stop()
            if kind == "restart that forgets":
                redis.lose_everything()
            await sleep(away_for)
            await redis.start()
        times = [await task for task in lines]
        assert most_in_a_window(times, 1.0) <= 40 + 4
        assert max(times) - min(times) <= 200 / 40 + 3.5


async def test_a_short_restart_is_not_reported_as_an_outage(redis, limiter, caplog):
    await redis.stop()
    line = await waiters(limiter, 3)
    await sleep(0.2)
    redis.lose_everything()
    await redis.start()
    start = now()
    assert [await task - start for task in line][-1] <= 0.4
    assert warnings(caplog) == []


async def test_a_server_that_repeats_the_password_is_not_quoted(redis, caplog):
    url = redis.url.replace(PASSWORD, "wrong-but-s3cret")
    async with SharedRateLimit(LIMIT, url, key="k") as limiter:
        await limiter.acquire()
        assert "s3cret" not in repr(limiter)
        assert repr(limiter).endswith(", unavailable>")
    assert len(warnings(caplog)) == 1
    assert "s3cret" not in caplog.text
