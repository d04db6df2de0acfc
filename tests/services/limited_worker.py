"""One of several processes that send requests as fast as a shared limit allows.

Its settings are JSON in argv. Its clocks are shifted before other imports. It prints "ready", starts
at a line on stdin, and stops at the next one.
"""

from __future__ import annotations

import json
import sys
import time

SETTINGS = json.loads(sys.argv[1])


def set_clocks(seconds: float) -> None:
    """Shift the wall clock and the monotonic clock."""
    for name in ("time", "monotonic"):
        clock, clock_ns = getattr(time, name), getattr(time, f"{name}_ns")
        setattr(time, name, lambda clock=clock: clock() + seconds)
        setattr(time, f"{name}_ns", lambda clock=clock_ns: clock() + int(seconds * 1e9))


set_clocks(SETTINGS["clock_is_off"])

import asyncio  # noqa: E402
import logging  # noqa: E402
from uuid import UUID  # noqa: E402

from redis.asyncio.cluster import RedisCluster  # noqa: E402

from paywint_async import PaywintClient, PaywintError, RateLimit, SharedRateLimit  # noqa: E402


async def work() -> None:
    limit = RateLimit(SETTINGS["requests"], burst=SETTINGS["burst"])
    url = SETTINGS["redis"]
    redis = RedisCluster.from_url(url) if SETTINGS["is_cluster"] else url
    shared = SharedRateLimit(limit, redis, key="the account", processes=SETTINGS["processes"])
    payment_id = UUID(int=SETTINGS["number"])

    async def request_repeatedly(client: PaywintClient) -> None:
        while True:
            try:
                await client.payments.get(payment_id)
            except PaywintError as error:
                print(error, file=sys.stderr)

    async with PaywintClient(
        "key", "secret", base_url=SETTINGS["api"], rate_limit=shared
    ) as client:
        await shared.acquire()  # connects
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        tasks = [asyncio.create_task(request_repeatedly(client)) for _ in range(SETTINGS["tasks"])]
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if SETTINGS["is_cluster"]:
        await redis.aclose()


logging.basicConfig(format=f"worker {SETTINGS['number']}: %(message)s")
asyncio.run(work())
