"""What does one call cost over bare aiohttp and a decoder: alone, 100 at once, 1,000 at once?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import _history
import _ours
import _peers
import _server
from _measure import Rounds, Row, Work, interleave, report

RECORDS = 10_000
IDS = [_history.payment_id(rank) for rank in range(1, 1_001)]
CALLS = {1: 300, 100: 2_000, 1_000: 4_000}  # calls at once: calls per run
OURS, BARE = "payments.get", "aiohttp + decode"

Get = Callable[[str], Awaitable[object]]


async def at_once(get: Get, width: int) -> int:
    """Makes `CALLS[width]` calls, ``width`` at a time."""
    for _ in range(CALLS[width] // width):
        await asyncio.gather(*(get(identity) for identity in IDS[:width]))
    return CALLS[width]


async def measure(server: str) -> dict[int, Rounds]:
    """Measures each number of calls at once."""
    url = _server.place(server, records=RECORDS)
    async with _ours.client(url) as paywint, _peers.aiohttp_session() as session:

        async def bare(identity: str) -> object:
            async with session.get(url + _peers.GET + identity) as response:
                response.raise_for_status()
                return _peers.decode_one(await response.read()).data

        def contenders(width: int) -> dict[str, Work]:
            return {
                OURS: partial(at_once, paywint.payments.get, width),
                BARE: partial(at_once, bare, width),
            }

        return {width: await interleave(contenders(width)) for width in CALLS}


def rows(measured: dict[int, Rounds]) -> list[Row]:
    """The rows of the rounds."""
    return [
        Row(
            measure=f"payments.get, {width:,} at once, against bare aiohttp + decode",
            measured=rounds.speed(OURS, BARE),
            at_least=0.80 if width == 100 else None,
            note=f"{rounds.spread(OURS, BARE)}; by processor time "
            f"{rounds.speed_by_cpu(OURS, BARE):.2f}; {rounds.rate(OURS):,.0f} calls/s",
        )
        for width, rounds in measured.items()
    ]


if __name__ == "__main__":
    with _server.serving() as address:
        report(str(__doc__), rows(asyncio.run(measure(address))))
