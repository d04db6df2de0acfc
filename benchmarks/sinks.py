"""How much memory does an export of 1,000,000 payments take, and how long, for every destination?

PostgreSQL is included if PAYWINT_TEST_POSTGRES has the URL of an empty database:
`python tests/services/postgres.py python benchmarks/sinks.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import _ours
import _server
from _measure import Row, in_a_process, peak_memory, report

RECORDS = 1_000_000
AT_MOST = 150  # MB
FILES = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "csv.zst", "parquet", "xlsx")


async def export(url: str, output: str) -> None:
    """Runs in the measured process."""
    started = time.perf_counter()
    assert await _ours.export(url, output) == RECORDS
    print(time.perf_counter() - started, peak_memory())


def row(url: str, name: str, output: str) -> Row:
    """The peak memory of a process that exports all payments, in MB."""
    seconds, peak = in_a_process(__file__, url, output)
    return Row(
        measure=f"peak memory, 1,000,000 payments into {name}",
        measured=peak,
        unit="MB",
        at_most=AT_MOST,
        note=f"{seconds:.0f} s, {RECORDS / seconds:,.0f} payments/s",
    )


def rows(server: str) -> list[Row]:
    """One row and process for each destination."""
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
