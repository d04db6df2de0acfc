"""How many requests, and how long, for a day, a month, a year out of a long history?

At 50 ms, 8 requests in flight, 1,000,000 payments or the number in the variable PAYMENTS.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from datetime import datetime, timedelta

from _measure import Row, report

from paywint_async import PaywintClient
from paywint_async.emulator import Emulator

PAYMENTS = int(os.environ.get("PAYMENTS", "1000000"))
LATENCY = 0.05
IN_FLIGHT = 8
SPANS = {"ten minutes": 1 / 144, "a day": 1, "a month": 30, "a year": 365, "all": None}
ALSO_OLDEST_FIRST = ("a day", "a month")


async def measure() -> list[Row]:
    """Counts the requests beyond the pages of each span."""
    async with (
        Emulator(payments=PAYMENTS, latency=LATENCY) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        # Not the exact middle, where the search begins.
        middle = (
            (await client.payments.page("received", PAYMENTS * 37 // 10_000 + 1))
            .records[0]
            .created_at
        )
        rows = [await row(emulator, client, name, middle) for name in SPANS]
        for name in ALSO_OLDEST_FIRST:
            rows.append(await row(emulator, client, name, middle, is_oldest_first=True))
        return rows


async def row(
    emulator: Emulator,
    client: PaywintClient,
    name: str,
    middle: datetime,
    *,
    is_oldest_first: bool = False,
) -> Row:
    """One span that ends at a moment of the history."""
    days = SPANS[name]
    since = None if days is None else middle - timedelta(days=days)
    until = None if days is None else middle
    before, started = emulator.request_count, time.perf_counter()
    listing = client.payments.received(
        since=since, until=until, oldest_first=is_oldest_first, max_concurrency=IN_FLIGHT
    )
    count = 0
    async for page in listing.pages():
        count += len(page.records)
    seconds, requests = time.perf_counter() - started, emulator.request_count - before
    assert count == listing.total
    pages = math.ceil(count / 100)
    return Row(
        measure=f"requests beyond its pages, {name}{', oldest first' if is_oldest_first else ''}",
        measured=requests - pages,
        unit="requests",
        at_most=2 * math.ceil(math.log2(max(2, PAYMENTS / 100))) + 4,
        note=f"{count:,} payments, {requests:,} requests, {seconds:.1f} s",
    )


if __name__ == "__main__":
    report(str(__doc__).splitlines()[0], asyncio.run(measure()))
