"""How much memory does it take to reconcile 1,000,000 payments, and how long?"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import _ours
import _server
from _measure import Row, in_a_process, peak_memory, report

from paywint_async.reconcile import (
    Columns,
    LedgerFormat,
    Period,
    ReconcileOptions,
    read_ledger,
    reconcile,
)

RECORDS = 1_000_000
MONTH = 8640  # payments, one every five minutes
LEDGERS = (  # what is compared, how many rows at most, columns that are left out, MB at most
    ("the last weeks' ledger", MONTH, {}, 100),
    ("a ledger of all, with ids", RECORDS, {}, 700),
    ("a ledger of all, by amount and date", RECORDS, {"id": "", "description": ""}, 1800),
)
WEEKS = timedelta(days=20)  # within the month that are compared; its oldest payments took a while


async def compare(url: str, ledger: str, left_out: dict[str, str], first_day: str) -> None:
    """In the process that is measured."""
    started = time.process_time()
    form = LedgerFormat(columns=Columns(**left_out))
    since = date.fromisoformat(first_day) if first_day else None
    options = ReconcileOptions(ledger=ledger, format=form, period=Period(since=since))
    async with _ours.client(url) as paywint:
        found = await reconcile(paywint.payments, options, max_concurrency=16)
    print(time.process_time() - started, peak_memory(), len(found.result.differences))


def first_day_of(ledger: Path, most: int) -> str:
    """From when on a part of the history is compared; a whole one from its beginning."""
    if most == RECORDS:
        return ""
    return str(max(row.day for row in read_ledger(str(ledger), LedgerFormat()) if row.day) - WEEKS)


def row(
    url: str, name: str, ledger: Path, left_out: dict[str, str], most: int, at_most: int
) -> Row:
    """The peak of the memory of a process that compares, in MB."""
    seconds, peak, differences = in_a_process(
        __file__, url, str(ledger), left_out, first_day_of(ledger, most)
    )
    return Row(
        measure=f"peak memory, 1,000,000 payments against {name}",
        measured=peak,
        unit="MB",
        at_most=at_most,
        note=f"{seconds:.0f} s of a core, {differences:,.0f} differences",
    )


def rows(server: str) -> list[Row]:
    """One process for each ledger."""
    url = _server.place(server, records=RECORDS)
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        whole, part = Path(folder, "whole.csv"), Path(folder, "part.csv")
        asyncio.run(_ours.export(url, str(whole)))
        measured = []
        for name, most, left_out, at_most in LEDGERS:
            with whole.open("rb") as file, part.open("wb") as copy:
                copy.writelines(itertools.islice(file, most + 1))
            measured.append(row(url, name, part, left_out, most, at_most))
        return measured


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("["):
        asyncio.run(compare(*json.loads(sys.argv[1])))
    else:
        with _server.serving() as address:
            report(str(__doc__).partition("\n")[0], rows(address))
