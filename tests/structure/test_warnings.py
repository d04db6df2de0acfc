"""The SDK causes no warning on any Python; each test runs a process in which warnings are errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import paywint_async

# Removes names that newer Pythons deprecate, so that a test on an older Python detects their use.
WITHOUT_DEPRECATED_NAMES = """
import asyncio
del asyncio.iscoroutinefunction, asyncio.set_event_loop_policy, asyncio.get_event_loop_policy
"""
USE = """
import asyncio, gc, logging
logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of slow callbacks on a busy machine
from paywint_async import PaywintClient, RetryPolicy
from paywint_async.emulator import Emulator

async def main():
    retry = RetryPolicy(base_delay=0.0, max_attempts=50)
    async with Emulator(hostile=True, payments=100, seed=1, failures=0.3) as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url, retry=retry) as client:
            payments = await client.payments.received(rows_per_page=10).collect()
            await client.payments.get(payments[0].payment_id)
            statuses = [exchange.status for exchange in emulator.requests]
    assert len(payments) == 100
    assert any(status >= 500 for status in statuses), statuses

asyncio.run(main())
gc.collect()
"""
IMPORT_EVERYTHING = """
import paywint_async, paywint_async.emulator, paywint_async.export, paywint_async.reconcile
import paywint_async.webhooks, paywint_async.pytest_plugin, paywint_async._cli.app
for name in paywint_async.__all__:
    getattr(paywint_async, name)
"""


def run(program: str) -> tuple[int, str]:
    package = str(Path(paywint_async.__file__).parents[1])
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=os.environ | {"PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return finished.returncode, finished.stderr


def test_import_construction_use_and_close_cause_no_warning() -> None:
    assert run(USE) == (0, "")


def test_nothing_is_used_that_newer_pythons_deprecate() -> None:
    assert run(WITHOUT_DEPRECATED_NAMES + USE) == (0, "")


def test_no_public_module_warns_when_imported() -> None:
    assert run(IMPORT_EVERYTHING) == (0, "")
