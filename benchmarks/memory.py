"""How much more memory does a history of 1,000,000 payments take than one of 10,000?"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys

import _ours
import _server
from _measure import Row, report

SHORT, LONG = 10_000, 1_000_000
MEGABYTE = 1024  # of the unit of ru_maxrss on Linux


def peak(server: str, records: int) -> float:
    """The peak of the memory of a process that reads so many, in MB."""
    given = json.dumps([_server.place(server, records=records), records])
    finished = subprocess.run(
        [sys.executable, __file__, given], capture_output=True, text=True, check=True, timeout=300
    )
    return float(finished.stdout) / MEGABYTE


async def read(url: str, records: int) -> None:
    """In the process that is measured."""
    async with _ours.client(url) as paywint:
        assert await _ours.read(paywint, 16) == records
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def rows(server: str) -> list[Row]:
    """The lowest of a few peaks each, since an allocator's luck only ever adds."""
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
