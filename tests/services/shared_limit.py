"""Measures the shared rate limit over a real Redis, with processes half of which have wrong clocks.

A server in place of the API records when requests arrive. Not part of the suite: `nox -s redis`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from fault_server import GOT, head
from limiter_timing import most_in_a_window
from services.real_redis import RealRedis

pytestmark = pytest.mark.real_time

WORKER = Path(__file__).with_name("limited_worker.py")
LIMIT, BURST = 50, 5


class CountingApi:
    """Answers each request, and records its time and the process that sent it."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[float, int]] = []
        self.refusals = 0
        self.latest = 0.0
        self.url = ""

    async def __aenter__(self) -> CountingApi:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._now = asyncio.get_running_loop().time
        self._watch = asyncio.create_task(self._measure_delays())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._watch.cancel()

    async def _measure_delays(self) -> None:
        """Measure delays of this loop: requests that arrive in one have the same recorded time."""
        while True:
            before = self._now()
            await asyncio.sleep(0.005)
            self.latest = max(self.latest, self._now() - before - 0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                number = int(request.split(" ")[1][-12:], 16)
                self.arrivals.append((self._now(), number))
                if self.refusals:
                    self.refusals -= 1
                    writer.write(head(0, 429, "Retry-After: 2\r\n"))
                else:
                    writer.write(head(len(GOT)) + GOT)
        writer.close()

    def times(self, start: float = 0.0, end: float = float("inf")) -> list[float]:
        """The times of the requests that arrived between ``start`` and ``end``."""
        return [time for time, _ in self.arrivals if start <= time < end]


class Fleet:
    """Processes that send requests as fast as the limit allows."""

    def __init__(self, api: CountingApi, redis: RealRedis, tasks: Sequence[int], cluster: bool):
        self.api = api
        self.redis = redis
        self._settings = [
            {
                "number": number + 1,
                "tasks": count,
                "clock_is_off": 0.6 if number % 2 else 0.0,
                "redis": redis.url,
                "is_cluster": cluster,
                "api": api.url,
                "requests": LIMIT,
                "burst": BURST,
                "processes": len(tasks),
            }
            for number, count in enumerate(tasks)
        ]

    async def start(self) -> None:
        self._processes = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", WORKER, json.dumps(settings)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            for settings in self._settings
        ]
        for process in self._processes:
            assert process.stdout
            assert await process.stdout.readline() == b"ready\n"
        self._send_line()
        self.started_at = asyncio.get_running_loop().time()

    async def stop(self) -> None:
        self.stopped_at = asyncio.get_running_loop().time()
        self._send_line()
        codes = [await process.wait() for process in self._processes]
        assert codes == [0] * len(codes)

    def _send_line(self) -> None:
        for process in self._processes:
            assert process.stdin
            process.stdin.write(b"\n")

    def check(self, name: str, *, least: float = 0.95) -> None:
        """Print the measured values, and compare them with the guarantees."""
        start, end = self.started_at, self.stopped_at
        times = self.api.times()
        total = len(self.api.times(start, end)) / ((end - start) * LIMIT)
        parts = Counter(number for _, number in self.api.arrivals)
        shares = [parts[s["number"]] * len(self._settings) / len(times) for s in self._settings]
        most = most_in_a_window(times, 1.0)
        print(
            f"\n{name}: {len(times)} requests in {end - start:.1f} s, {total:.1%} of the limit;"
            f" most in a second {most} of {LIMIT + BURST} allowed"
            f" (the counter was late by {self.api.latest * 1000:.0f} ms at most);"
            f" shares {', '.join(f'{share:.2f}' for share in shares)} of the fair one"
        )
        assert least <= total <= 1.05
        assert min(shares) >= 0.5
        assert most <= LIMIT + BURST


@asynccontextmanager
async def fleet(tasks: Sequence[int] = (8, 8, 8, 8), *, cluster: bool = False):
    with RealRedis(is_cluster=cluster) as redis:
        async with CountingApi() as api:
            workers = Fleet(api, redis, tasks, cluster)
            await workers.start()
            yield workers


async def test_a_limit_is_shared_by_processes_with_wrong_clocks() -> None:
    async with fleet() as workers:
        await asyncio.sleep(10)
        await workers.stop()
    workers.check("four processes, two with clocks 0.6 s off")


async def test_a_greedy_process_does_not_starve_the_others() -> None:
    async with fleet((64, 4, 4, 4)) as workers:
        await asyncio.sleep(10)
        await workers.stop()
    workers.check("one of four processes with 64 tasks, three with 4")


async def test_scripts_are_flushed_and_redis_restarts() -> None:
    async with fleet() as workers:
        for _ in range(2):
            await asyncio.sleep(2)
            workers.redis.command("SCRIPT", "FLUSH")
            await asyncio.sleep(2)
            workers.redis.kill()
            workers.redis.start()
        await asyncio.sleep(6)
        await workers.stop()
    workers.check("two script flushes, two restarts that lose all data")


async def test_redis_is_killed_and_comes_back() -> None:
    async with fleet() as workers:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(3)
        workers.redis.kill()
        killed_at = now()
        await asyncio.sleep(6)
        back_at = now()
        workers.redis.start()
        await asyncio.sleep(6)
        await workers.stop()
    noticed_at = killed_at + 1.1  # an outage of Redis is tolerated for a second
    away = len(workers.api.times(noticed_at, back_at)) / ((back_at - noticed_at) * LIMIT)
    workers.check(f"Redis away for 6 s ({away:.1%} of the limit then)", least=0.85)
    assert 0.9 <= away <= 1.0


async def test_redis_hangs_and_continues() -> None:
    async with fleet() as workers:
        await asyncio.sleep(3)
        workers.redis.pause()
        await asyncio.sleep(5)
        workers.redis.resume()
        await asyncio.sleep(6)
        await workers.stop()
    workers.check("Redis hung for 5 s", least=0.85)


async def test_a_429_of_one_process_pauses_all() -> None:
    async with fleet() as workers:
        await asyncio.sleep(3)
        before = len(workers.api.arrivals)
        workers.api.refusals = 1
        await asyncio.sleep(5)
        await workers.stop()
    refused_at = workers.api.arrivals[before][0]
    late = [time - refused_at for time in workers.api.times(refused_at, refused_at + 1.95)][1:]
    print(f"\nafter the 429: {len(late)} more, {[round(time, 3) for time in late]} s after it")
    workers.check("a 429 with Retry-After: 2", least=0.7)
    assert [time for time in late if time > 0.05] == []


async def test_a_cluster_works() -> None:
    async with fleet(cluster=True) as workers:
        await asyncio.sleep(5)
        await workers.stop()
    workers.check("over a cluster")
