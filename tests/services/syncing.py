"""A program that syncs one direction into a database, under a shared rate limit.

`python syncing.py DIRECTION`; environment variables name the account and the two servers.
"""

from __future__ import annotations

import asyncio
import os
import sys

from paywint_async import PaywintClient, RateLimit, SharedRateLimit
from paywint_async.export import Refresh, make_table, reader, transfer

REQUESTS, BURST = 60, 5  # per second, for all processes together


async def sync(direction: str) -> None:
    limit = RateLimit(REQUESTS, burst=BURST)
    key = os.environ["PAYWINT_API_KEY"]
    shared = SharedRateLimit(limit, os.environ["PAYWINT_TEST_REDIS"], key=key, processes=2)
    async with PaywintClient.from_env(rate_limit=shared) as client:
        table = make_table(os.environ["PAYWINT_DESTINATION"], direction)
        read = reader(client.payments, direction, rows_per_page=10)
        refresh = Refresh(client.payments, direction)
        await transfer(
            read, table, commit_every=0.1, before=lambda start: refresh.run(table, start)
        )


if __name__ == "__main__":
    asyncio.run(sync(sys.argv[1]))
