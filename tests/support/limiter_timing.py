"""Measures when limiters let requests go. On virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from virtual_time import pass_time

from paywint_async import Limiter


def now() -> float:
    return asyncio.get_running_loop().time()


async def departures(limiter: Limiter, arrivals: Sequence[float]) -> list[float]:
    """The times at which requests that arrive at these times may leave, in order of arrival."""
    start = now()

    async def one(arrival: float) -> float:
        if arrival:
            await pass_time(arrival)
        await limiter.acquire()
        return now() - start

    return await asyncio.gather(*map(one, arrivals))


async def waiters(limiter: Limiter, count: int) -> list[asyncio.Task[float]]:
    """Tasks that wait in the limiter's queue; each returns the time of its turn."""

    async def one() -> float:
        await limiter.acquire()
        return now()

    tasks = []
    for _ in range(count):
        tasks.append(asyncio.ensure_future(one()))
        await asyncio.sleep(0)
    return tasks


def most_in_a_window(times: Sequence[float], seconds: float) -> int:
    """The highest number of these times in any half-open window of that length."""
    ordered = sorted(times)
    most = first = 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= seconds - 1e-9:
            first += 1
        most = max(most, last - first + 1)
    return most
