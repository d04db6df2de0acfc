"""How fast is a whole history read: against a hand-written loop, the floor, the peers, the ideal?"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from statistics import median

import _ours
import _peers
import _server
import aiohttp
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


async def round_trip(session: aiohttp.ClientSession, url: str) -> float:
    """The median time of one page on its own, decoded."""
    seconds = []
    for _ in range(2 * RUNS):
        started = time.perf_counter()
        _peers.decode_page(await _peers.fetch(session, url + _peers.LIST, 1))
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def row_with_latency(latency: int, in_flight: int, rounds: Rounds, trip: float) -> Row:
    """Wall time as a multiple of ``(1 + ceil((pages − 1) / C)) × RTT``."""
    trips = 1 + WINDOWS[in_flight]
    records = (1 + in_flight * WINDOWS[in_flight]) * _peers.ROWS
    ours, hand = (records / rounds.rate(name) / (trips * trip) for name in (OURS, HAND))
    limit = 1.12 if (latency, in_flight) == (20, 32) else 1.05
    return Row(
        measure=f"listing, {latency} ms, {in_flight} in flight: wall time over the ideal",
        measured=ours,
        at_most=limit if in_flight > 1 else None,
        note=f"the hand-written loop {hand:.3f}; a round trip takes {trip * 1000:.1f} ms",
    )


async def peers_with_latency(server: str) -> list[Row]:
    """What reading page after page costs where the network has a latency."""
    records, runs = 1_000, 3
    url = _server.place(server, records=records, latency_ms=50)
    async with AsyncExitStack() as stack:
        paywint = await stack.enter_async_context(_ours.client(url))
        contenders: dict[str, Work] = {OURS: partial(_ours.read, paywint, 32)}
        for name, peer in _peers.installed_peers().items():
            contenders[name] = partial(await stack.enter_async_context(peer()), url)
        rounds = await interleave(contenders, runs)
    return [
        Row(
            measure=f"listing, 50 ms, 32 in flight, against {name}",
            measured=rounds.speed(OURS, name),
            note=f"{records:,} records, {runs} runs; it reads page after page",
        )
        for name in rounds.wall
        if name != OURS
    ]


async def measure(server: str) -> list[Row]:
    """All of it."""
    rows = rows_without_latency(await without_latency(server))
    for in_flight in WINDOWS:
        for latency in LATENCIES:
            rounds, trip = await with_latency(server, latency, in_flight)
            rows.append(row_with_latency(latency, in_flight, rounds, trip))
    return rows + await peers_with_latency(server)


if __name__ == "__main__":
    with _server.serving() as address:
        report(str(__doc__), asyncio.run(measure(address)))
