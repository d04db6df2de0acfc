"""The SDK as its users call it, by public names only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from _peers import HEADERS

from paywint_async import PaywintClient


@asynccontextmanager
async def client(url: str) -> AsyncIterator[PaywintClient]:
    """A client with default options."""
    keys = HEADERS["X-Api-Key"], HEADERS["X-Api-Secret"]
    async with PaywintClient(*keys, base_url=url) as opened:
        yield opened


async def read(paywint: PaywintClient, in_flight: int) -> int:
    """Reads a whole history, accessing each record once."""
    count = 0
    async for _payment in paywint.payments.received(max_concurrency=in_flight):
        count += 1
    return count


async def export(url: str, output: str) -> int:
    """Exports all received payments into an output."""
    from paywint_async.export import make_table, reader, transfer  # not needed by other benchmarks

    async with client(url) as paywint:
        read = reader(paywint.payments, "received", max_concurrency=16)
        return await transfer(read, make_table(output, "received"))
