"""With a low limit of open files, bursts of calls wait for connections instead of failing."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, resource, sys
from decimal import Decimal
from paywint_async import PaywintClient
from paywint_async.emulator import Emulator

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

async def main(kind):
    async with Emulator(hostile=True, payments=10) as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            link = await client.payments.create_link(5)
            def call():
                if kind == "get":
                    return client.payments.get(link.payment_id)
                return client.payments.create_link(Decimal(5))
            for _ in range(2):
                calls = (call() for _ in range(1000))
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                failed = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
                print(len(outcomes) - len(failed), failed[:1])

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["get", "create_link"])
def test_two_bursts_of_a_thousand_calls_need_no_more_than_256_files(kind: str) -> None:
    """Client and server are in one process, so each connection needs two files."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind], capture_output=True, text=True, timeout=100
    )
    assert (run.stdout.splitlines(), run.stderr) == (["1000 []", "1000 []"], "")
