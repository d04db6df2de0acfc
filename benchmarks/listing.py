"""How fast is a whole history read, against a hand-written loop, bytes only, peers and the ideal?"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import _ours
import _peers
import _server
import aiohttp
from _measure import RUNS, Rounds, Row, Work, interleave, report

OURS, HAND, FLOOR, TRIP = "paywint_async", "hand-written loop", "bytes only", "a round trip"
ALL = 100_000  # records, without latency
NEAR_RUNS = 15  # without much latency, ratios vary with the machine's load
FEW = 5_000  # records for the peers, whose rate does not depend on the number
TARGETS = {"OpenAI's paginator": 17, "Stripe's paginator": 17, "httpx + pydantic": 3.2}
LATENCIES = (20, 50, 100)  # ms
SHORT = 37  # records missing from the last page: a full one needs one more request to find the end
FAR, FAR_RUNS = 97 * _peers.ROWS - SHORT, 2  # the peers take five seconds per run
WINDOWS = {1: 8, 8: 20, 32: 20}  # requests in flight: round trips per run


async def without_latency(server: str) -> Rounds:
    """All contenders, with 16 requests in flight where possible."""
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
        return await interleave(contenders, NEAR_RUNS)


def rows_without_latency(rounds: Rounds) -> list[Row]:
    """The rows of these rounds."""
    targets = {HAND: 0.75, FLOOR: 0.37, **TARGETS}
    return [
        Row(
            measure=f"listing, no latency, 16 in flight, against {name}",
            measured=rounds.speed(OURS, name),
            at_least=targets[name],
            note=f"{rounds.spread(OURS, name)}; by processor time "
            f"{rounds.speed_by_cpu(OURS, name):.2f}; {rounds.rate(OURS):,.0f} against "
            f"{rounds.rate(name):,.0f} records/s",
        )
        for name in rounds.wall
        if name != OURS
    ]


async def with_latency(server: str, latency: int, in_flight: int) -> Row:
    """Wall time as a multiple of ``(1 + ceil((pages − 1) / C)) × RTT``."""
    records = (1 + in_flight * WINDOWS[in_flight]) * _peers.ROWS - SHORT
    url = _server.place(server, records=records, latency_ms=latency)
    async with _ours.client(url) as paywint, _peers.aiohttp_session() as session:
        contenders = {
            OURS: partial(_ours.read, paywint, in_flight),
            HAND: partial(_peers.hand_written, session, url, in_flight),
            TRIP: partial(single_pages, session, url),
        }
        rounds = await interleave(contenders, NEAR_RUNS if latency == LATENCIES[0] else RUNS)
    ideal = records / (1 + WINDOWS[in_flight])
    ours, hand = (ideal / rounds.speed(name, TRIP) for name in (OURS, HAND))
    limit = 1.12 if (latency, in_flight) == (20, 32) else 1.05
    return Row(
        measure=f"listing, {latency} ms, {in_flight} in flight: wall time over the ideal",
        measured=ours,
        at_most=limit if in_flight > 1 else None,
        note=f"hand-written loop {hand:.3f}; a round trip takes {1000 / rounds.rate(TRIP):.1f} ms",
    )


async def single_pages(session: aiohttp.ClientSession, url: str) -> int:
    """A few sequential round trips with decoding, from which the ideal is computed."""
    trips = 3
    for _ in range(trips):
        _peers.decode_page(await _peers.fetch(session, url + _peers.LIST, 1))
    return trips


async def peers_with_latency(server: str) -> Rounds:
    """Measures the cost of reading one page after another at 50 ms of latency."""
    url = _server.place(server, records=FAR, latency_ms=50)
    async with AsyncExitStack() as stack:
        paywint = await stack.enter_async_context(_ours.client(url))
        contenders: dict[str, Work] = {OURS: partial(_ours.read, paywint, 32)}
        for name, peer in _peers.installed_peers().items():
            contenders[name] = partial(await stack.enter_async_context(peer()), url)
        return await interleave(contenders, FAR_RUNS)


def rows_of_peers_with_latency(rounds: Rounds) -> list[Row]:
    """The rows of these rounds."""
    return [
        Row(
            measure=f"listing, 50 ms, 32 in flight, against {name}",
            measured=rounds.speed(OURS, name),
            note=f"{FAR:,} records, {FAR_RUNS} runs; it reads page after page",
        )
        for name in rounds.wall
        if name != OURS
    ]


async def measure(server: str) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """All rows, and the charts in records per second."""
    near = await without_latency(server)
    rows = rows_without_latency(near)
    for in_flight in WINDOWS:
        for latency in LATENCIES:
            rows.append(await with_latency(server, latency, in_flight))
    far = await peers_with_latency(server)
    drawn = {
        "no latency, 16 requests in flight": {name: near.rate(name) for name in near.wall},
        "50 ms, 32 requests in flight": {name: far.rate(name) for name in far.wall},
    }
    return rows + rows_of_peers_with_latency(far), drawn


if __name__ == "__main__":
    with _server.serving() as address:
        answers, drawn = asyncio.run(measure(address))
    report(str(__doc__), answers, drawn=drawn)
