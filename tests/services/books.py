"""The complete process with real servers: two syncs that share a limit in Redis fill PostgreSQL, are
killed and run again; then the table is compared with the history as a ledger. `nox -s services`.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from cli.conftest import Account, served
from services.postgres import serving
from services.real_redis import RealRedis
from services.syncing import BURST, REQUESTS

SYNCING = Path(__file__).with_name("syncing.py")
DIRECTIONS = ("sent", "received")
PAYMENTS = 1000  # in each direction
OPEN = {"initiated", "opened", "processing", "pending"}
TIMEOUT = 60  # seconds, reached only by a test that hangs
STRANGER = str(UUID(int=1))

Row = dict[str, str]


class Shop:
    """An account, its database, and the shared limit of its programs."""

    def __init__(self, account: Account, database: str, redis: str) -> None:
        self.account = account
        self._database = database
        self._environment = os.environ | account.environment
        self._environment |= {"PAYWINT_DESTINATION": database, "PAYWINT_TEST_REDIS": redis}

    def start_syncs(self) -> list[subprocess.Popen[str]]:
        """Start a sync for each direction."""
        command = (sys.executable, "-W", "error", str(SYNCING))
        return [
            subprocess.Popen(
                [*command, direction], env=self._environment, stderr=subprocess.PIPE, text=True
            )
            for direction in DIRECTIONS
        ]

    def query(self, text: str) -> list[Any]:
        """Run a query in the database, and return the rows."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self._database)
            try:
                return list(await connection.fetch(text))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def statuses(self, direction: str) -> dict[str, str]:
        """The status of each payment in the table."""
        found = self.query(
            f"SELECT payment_id, status FROM paywint_payments WHERE direction = '{direction}'"
        )
        return {str(row["payment_id"]): row["status"] for row in found}

    def write_ledger(self, path: Path) -> None:
        """Let PostgreSQL write the table as CSV."""

        async def copy() -> None:
            connection = await asyncpg.connect(self._database)
            query = "SELECT * FROM paywint_payments ORDER BY created_at, direction"
            await connection.copy_from_query(query, output=path, format="csv", header=True)
            await connection.close()

        asyncio.run(copy())

    def reconcile(self, ledger: Path) -> tuple[int, list[dict[str, Any]]]:
        """Run `paywint reconcile`; return its exit code and the differences."""
        words = ("reconcile", str(ledger), "--direction", "both", "--json")
        finished = subprocess.run(
            [sys.executable, "-W", "error", "-m", "paywint_async", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        assert finished.returncode in (0, 3), finished.stderr
        return finished.returncode, json.loads(finished.stdout)["differences"]


@pytest.fixture
def shop() -> Iterator[Shop]:
    with ExitStack() as running:
        account = running.enter_context(served(payments=PAYMENTS, latency=0.01))
        database = running.enter_context(serving())
        redis = running.enter_context(RealRedis())
        yield Shop(account, database, redis.url)


def wait_for_rows(shop: Shop, count: int) -> None:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        try:
            if len(shop.query("SELECT FROM paywint_payments")) >= count:
                return
        except asyncpg.UndefinedTableError:
            pass
        time.sleep(0.01)
    raise AssertionError("no rows come")


def kill(processes: list[subprocess.Popen[str]]) -> None:
    for each in processes:
        assert each.poll() is None, each.communicate()
        each.kill()
        each.communicate()


def change_payments(account: Account) -> None:
    """Add payments, and make the open ones final."""
    for direction in DIRECTIONS:
        account.arrive(25, direction)
        unpaid = [each for each, status in account.truth(direction).items() if status in OPEN]
        for number, each in enumerate(unpaid):
            account.let("fail" if number % 5 == 0 else "pay", each)


def finish(processes: list[subprocess.Popen[str]]) -> None:
    for each in processes:
        _, errors = each.communicate(timeout=TIMEOUT)
        assert (each.returncode, errors) == (0, "")


def check_limit(times: list[float]) -> None:
    """Check the limit of all processes together, with a tolerance of 5 % for the clocks."""
    seconds = max(times) - min(times)
    assert len(times) <= 1.05 * REQUESTS * seconds + BURST
    assert len(times) >= 0.5 * REQUESTS * seconds


# -- one corrupted ledger for each kind of difference ----------------------------------------------

Corrupt = Callable[[list[Row]], None]


def paid(rows: list[Row]) -> Row:
    """The row of a received payment that succeeded."""
    return next(row for row in rows if (row["direction"], row["status"]) == ("received", "success"))


def forget(rows: list[Row]) -> None:
    rows.remove(paid(rows))


def invent(rows: list[Row]) -> None:
    rows.append(paid(rows) | {"payment_id": STRANGER, "amount": "98765.43", "description": ""})


def round_up(rows: list[Row]) -> None:
    row = paid(rows)
    row["amount"] = str(Decimal(row["amount"]) + Decimal("0.01"))


def deny(rows: list[Row]) -> None:
    paid(rows)["status"] = "failed"


def repeat(rows: list[Row]) -> None:
    rows.append(dict(paid(rows)))


CORRUPTIONS: dict[str, Corrupt] = {
    "missing_in_ledger": forget,
    "missing_at_paywint": invent,
    "amount": round_up,
    "status": deny,
    "duplicate": repeat,
}


def corrupted(ledger: Path, corrupt: Corrupt) -> tuple[Path, str]:
    """Write a ledger with one error; return its path and the id of the payment concerned."""
    with ledger.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    subject = STRANGER if corrupt is invent else paid(rows)["payment_id"]
    corrupt(rows)
    wrong = ledger.with_name(f"{corrupt.__name__}.csv")
    with wrong.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return wrong, subject


def test_after_a_kill_and_a_rerun_under_one_limit_the_books_agree(
    shop: Shop, tmp_path: Path
) -> None:
    account = shop.account
    processes = shop.start_syncs()
    wait_for_rows(shop, 200)
    kill(processes)
    assert len(shop.query("SELECT FROM paywint_payments")) < 2 * PAYMENTS
    change_payments(account)

    arrivals = account.note_arrivals()
    finish(shop.start_syncs())  # the rest of the snapshot
    check_limit(list(arrivals))
    finish(shop.start_syncs())  # new payments, and those that were open

    for direction in DIRECTIONS:
        assert shop.statuses(direction) == account.truth(direction)

    ledger = tmp_path / "ledger.csv"
    shop.write_ledger(ledger)
    assert shop.reconcile(ledger) == (0, [])
    for kind, corrupt in CORRUPTIONS.items():
        wrong, subject = corrupted(ledger, corrupt)
        code, differences = shop.reconcile(wrong)
        assert (code, [each["kind"] for each in differences]) == (3, [kind])
        assert subject in json.dumps(differences[0])
