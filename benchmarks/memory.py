"""How much more memory does a history of 1,000,000 payments take than one of 10,000?"""

from __future__ import annotations

import asyncio
import json
import sys

import _ours
import _server
from _measure import Row, in_a_process, peak_memory, report

SHORT, LONG = 10_000, 1_000_000


def peak(server: str, records: int) -> float:
    """The peak memory of a process that reads this number of records, in MB."""
    (megabytes,) = in_a_process(__file__, _server.place(server, records=records), records)
    return megabytes


async def read(url: str, records: int) -> None:
    """Runs in the measured process."""
    async with _ours.client(url) as paywint:
        assert await _ours.read(paywint, 16) == records
    print(peak_memory())


def rows(server: str) -> list[Row]:
    """The lowest of a few peaks each, since the allocator's variation only adds memory."""
    short = min(peak(server, SHORT) for _ in range(7))
    long = min(peak(server, LONG) for _ in range(2))
    return [
        Row(
            measure="memory, 1,000,000 records over 10,000",
            measured=long - short,
            unit="MB",
            at_most=5,
            note=f"peaks of the process: {long:.1f} and {short:.1f} MB",
        )
    ]


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("["):
        asyncio.run(read(*json.loads(sys.argv[1])))
    else:
        with _server.serving() as address:
            report(str(__doc__), rows(address))
