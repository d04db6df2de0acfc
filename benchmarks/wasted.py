"""How many requests are wasted on payments that arrive while a listing is read?"""

from __future__ import annotations

import asyncio
import math
import random
from statistics import median

from _measure import RUNS, Row, report

from paywint_async import Handler, Middleware, PaywintClient, Request, Response
from paywint_async.emulator import Emulator

IN_FLIGHT = 8
TRIP = 0.03  # seconds, far longer than the emulator's own work for eight pages
PAGES = 200


def unsteady(seed: int) -> Middleware:
    """A middleware that delays each request by a random part of a round trip.

    So requests overtake each other, and the server reads its state in any order.
    """
    draw = random.Random(seed).random

    async def delay(request: Request, handler: Handler) -> Response:
        await asyncio.sleep(TRIP * draw())
        return await handler(request)

    return delay


async def requests_per_page(arrivals: float, records: int, seed: int = 0) -> float:
    """The requests per page of one read; ``arrivals`` are per second."""
    async with (
        Emulator(payments=records, latency=TRIP / 2, arrivals=arrivals) as emulator,
        PaywintClient(
            emulator.api_key,
            emulator.api_secret,
            base_url=emulator.url,
            attempt_middlewares=[unsteady(seed)],
        ) as client,
    ):
        listing = client.payments.received(max_concurrency=IN_FLIGHT)
        count = 0
        async for _payment in listing:
            count += 1
        assert count == listing.total
        return emulator.request_count / math.ceil(count / 100)


async def measure() -> list[Row]:
    """The rows, with medians; notes have the worst value."""
    full, partly = PAGES * 100, PAGES * 100 - 37
    still = [await requests_per_page(0, partly), await requests_per_page(0, full)]
    busy = [await requests_per_page(1 / (5 * TRIP), partly, seed) for seed in range(RUNS)]
    most = (PAGES + 1) / PAGES
    return [
        Row(
            measure="requests a page, nothing arrives",
            measured=max(still),
            at_most=most,
            note=f"{PAGES} pages; last page full: {still[1] * PAGES:.0f} requests, "
            f"not full: {still[0] * PAGES:.0f}",
        ),
        Row(
            measure=f"requests a page, one arrival per 5 round trips, {IN_FLIGHT} in flight",
            measured=median(busy),
            at_most=1.15,
            note=f"the worst of {RUNS} reads {max(busy):.3f}",
        ),
    ]


if __name__ == "__main__":
    report(str(__doc__), asyncio.run(measure()))
