"""How much more than reading a history does it take to reconcile it, in time and memory?

With another number of payments: ``python benchmarks/reconcile.py 1000000``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import _ours
import _server
from _measure import Row, in_a_process, peak_memory, report

from paywint_async import PaywintClient
from paywint_async.export import reader
from paywint_async.reconcile import (
    Columns,
    LedgerFormat,
    Period,
    ReconcileOptions,
    read_ledger,
    reconcile,
)

RECORDS = 300_000  # by default
RUNS = 3  # per process
MONTH = 8640  # payments, one every five minutes
IN_FLIGHT = 16
LEDGERS = (  # name, highest number of rows (None: all), omitted columns
    ("the last weeks' ledger", MONTH, {}),
    ("a ledger of all, with ids", None, {}),
    ("a ledger of all, by amount and date", None, {"id": "", "description": ""}),
)
WITH_IDS = LEDGERS[1][0]
WEEKS = timedelta(days=20)  # the compared part of the month
MOST_TIMES = 2  # times the processor time of only reading the history
MOST_MEMORY = 250  # MB, the target for 1,000,000 payments


async def read(paywint: PaywintClient) -> int:
    """Reads the history as the comparison does, and returns the number of payments."""
    reading = reader(paywint.payments, "received", max_concurrency=IN_FLIGHT)(None)
    async with aclosing(reading.pages()) as pages:
        return sum([len(page) async for page in pages])


async def compare(
    paywint: PaywintClient, ledger: str, left_out: dict[str, str], first_day: str
) -> int:
    """Compares a ledger, and returns the number of differences."""
    since = date.fromisoformat(first_day) if first_day else None
    form = LedgerFormat(columns=Columns(**left_out))
    options = ReconcileOptions(ledger=ledger, format=form, period=Period(since=since))
    found = await reconcile(paywint.payments, options, max_concurrency=IN_FLIGHT)
    return len(found.result.differences)


async def measure(url: str, *compared: str) -> None:
    """Runs in the measured process."""
    async with _ours.client(url) as paywint:
        started = time.process_time()
        found = await (compare(paywint, *compared) if compared else read(paywint))
        print(time.process_time() - started, peak_memory(), found)


def first_day_of(ledger: Path, most: int | None) -> str:
    """The first day that is compared, for a part of the history; "" for all of it."""
    if most is None:
        return ""
    return str(max(row.day for row in read_ledger(str(ledger), LedgerFormat()) if row.day) - WEEKS)


def rows_of(
    name: str, records: int, runs: Sequence[Sequence[float]], alone: Sequence[float]
) -> list[Row]:
    """The memory for one ledger, and the time ratio if its rows have ids."""
    seconds, peak = median(run[0] for run in runs), max(run[1] for run in runs)
    measured = [
        Row(
            measure=f"peak memory, {records:,} payments against {name}",
            measured=peak,
            unit="MB",
            at_most=MOST_MEMORY if name == WITH_IDS else None,
            note=f"{seconds:.1f} s of a core, {runs[0][2]:,.0f} differences",
        )
    ]
    if name == WITH_IDS:
        ratios = [run[0] / reading for run, reading in zip(runs, alone, strict=True)]
        measured.append(
            Row(
                measure="ratio to reading the history alone (processor time)",
                measured=median(ratios),
                at_most=MOST_TIMES,
                note=f"{min(ratios):.2f}–{max(ratios):.2f}, {name}",
            )
        )
    return measured


def rows(server: str, records: int = RECORDS) -> list[Row]:
    """One process for each ledger, each followed by one that only reads the history."""
    url = _server.place(server, records=records)
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        whole, part = Path(folder, "whole.csv"), Path(folder, "part.csv")
        asyncio.run(_ours.export(url, str(whole)))
        measured = []
        for name, most, left_out in LEDGERS:
            with whole.open("rb") as file, part.open("wb") as copy:
                copy.writelines(itertools.islice(file, most and most + 1))
            runs, alone = [], []
            for _ in range(RUNS if name == WITH_IDS else 1):
                day = first_day_of(part, most)
                runs.append(in_a_process(__file__, url, str(part), left_out, day))
                alone.append(in_a_process(__file__, url)[0])
            measured += rows_of(name, records, runs, alone)
        return measured


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("["):
        asyncio.run(measure(*json.loads(sys.argv[1])))
    else:
        with _server.serving() as address:
            report(str(__doc__).partition("\n")[0], rows(address, *map(int, sys.argv[1:])))
