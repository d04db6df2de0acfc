"""How fast is a whole history read: against a hand-written loop, the floor, the peers, the ideal?"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from statistics import median

import _ours
import _peers
import _server
from _measure import RUNS, Row, Rounds, Work, interleave, report

OURS, HAND, FLOOR = "paywint_async", "hand-written loop", "bytes only"
ALL = 100_000  # records, without latency
FEW = 5_000  # records, for the peers, whose rate does not depend on the number
TARGETS = {"OpenAI's paginator": 17, "Stripe's paginator": 17, "httpx + pydantic": 3.2}
LATENCIES = (20, 50, 100)  # ms
WINDOWS = {1: 12, 8: 20, 32: 20}  # in flight: round trips a run


async def without_latency(server: str) -> Rounds:
    """Everybody, 16 in flight where they can."""
    url, short = (_server.place(server, records=records) for records in (ALL, FEW))
    async with AsyncExitStack() as stack:
        paywint = await stack.enter_async_context(_ours.client(url))
        session = await stack.enter_async_context(_peers.aiohttp_session())
        contenders: dict[str, Work] = {
            OURS: partial(_ours.read, paywint, 16),
            HAND: partial(_peers.hand_written, session, url, 16),
            FLOOR: partial(_peers.bytes_only, session, url, 16),
        }
        for name, peer in _peers.installed_peers().items():
            contenders[name] = partial(await stack.enter_async_context(peer()), short)
        return await interleave(contenders)


def rows_without_latency(rounds: Rounds) -> list[Row]:
    """What these rounds say."""
    targets = {HAND: 0.85, FLOOR: 0.37, **TARGETS}
    return [
        Row(
            measure=f"listing, no latency, 16 in flight, against {name}",
            measured=rounds.speed(OURS, name),
            at_least=targets[name],
            note=f"{rounds.spread(OURS, name)}; by processor time "
            f"{rounds.speed_by_cpu(OURS, name):.2f}; {rounds.rate(name):,.0f} records/s",
        )
        for name in rounds.wall
        if name != OURS
    ]


async def with_latency(server: str, latency: int, in_flight: int) -> tuple[Rounds, float]:
    """Seconds a record, and seconds a round trip."""
    pages = 1 + in_flight * WINDOWS[in_flight]
    url = _server.place(server, records=pages * _peers.ROWS, latency_ms=latency)
    async with _ours.client(url) as paywint, _peers.aiohttp_session() as session:
        contenders = {
            OURS: partial(_ours.read, paywint, in_flight),
            HAND: partial(_peers.hand_written, session, url, in_flight),
        }
        rounds = await interleave(contenders)
        return rounds, await round_trip(session, url)


async def round_trip(session: object, url: str) -> float:
    """The median time of one page on its own, decoded."""
    seconds = []
    for _ in range(2 * RUNS):
        started = time.perf_counter()
        _peers.decode_page(await _peers.fetch(session, url + _peers.LIST, 1))
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def over_ideal(seconds: float, in_flight: int, trip: float) -> float:
    """Wall time as a multiple of ``(1 + ceil((pages − 1) / C)) × RTT``."""
    return seconds / ((1 + WINDOWS[in_flight]) * trip)


def row_with_latency(latency: int, in_flight: int, rounds: Rounds, trip: float) -> Row:
    """What these rounds say."""
    records = (1 + in_flight * WINDOWS[in_flight]) * _peers.ROWS
    ours, hand = (over_ideal(records / rounds.rate(n), in_flight, trip) for n in (OURS, HAND))
    limit = 1.12 if (latency, in_flight) == (20, 32) else 1.05
    return Row(
        measure=f"listing, {latency} ms, {in_flight} in flight: wall time over the ideal",
        measured=ours,
        at_most=limit if in_flight > 1 else None,
        note=f"hand-written {hand:.3f}; round trip {trip * 1000:.1f} ms",
    )
