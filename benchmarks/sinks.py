"""How much memory does an export of 1,000,000 payments take, and how long, for every destination?

PostgreSQL takes part where PAYWINT_TEST_POSTGRES has the URL of an empty database:
`python tests/services/postgres.py python benchmarks/sinks.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import _ours
import _server
from _measure import Row, report

from paywint_async.export import make_table, reader, transfer

RECORDS = 1_000_000
AT_MOST = 150  # MB
MEGABYTE = 1024  # of the unit of ru_maxrss on Linux
FILES = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "csv.zst", "parquet")


async def export(url: str, output: str) -> None:
    """In the process that is measured."""
    started = time.perf_counter()
    async with _ours.client(url) as paywint:
        read = reader(paywint.payments, "received", max_concurrency=16)
        assert await transfer(read, make_table(output, "received")) == RECORDS
    print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def row(url: str, name: str, output: str) -> Row:
    """The peak of the memory of a process that exports all, in MB."""
    finished = subprocess.run(
        [sys.executable, __file__, json.dumps([url, output])],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    seconds, peak = map(float, finished.stdout.split())
    return Row(
        measure=f"peak memory, 1,000,000 payments into {name}",
        measured=peak / MEGABYTE,
        unit="MB",
        at_most=AT_MOST,
        note=f"{seconds:.0f} s, {RECORDS / seconds:,.0f} payments/s",
    )


def rows(server: str) -> list[Row]:
    """One process for each destination."""
    url = _server.place(server, records=RECORDS)
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        outputs = {name: f"{folder}/payments.{name}" for name in FILES}
        outputs["SQLite"] = f"sqlite:///{folder}/payments.db"
        if database := os.environ.get("PAYWINT_TEST_POSTGRES"):
            outputs["PostgreSQL"] = database
        return [row(url, name, output) for name, output in outputs.items()]


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("["):
        asyncio.run(export(*json.loads(sys.argv[1])))
    else:
        with _server.serving() as address:
            report(str(__doc__).partition("\n")[0], rows(address))
