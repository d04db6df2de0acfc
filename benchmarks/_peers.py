"""What the SDK is measured against, each as well as a good engineer would write it.

Every contender reads a whole history and touches each record once, in order. `hand_written` is the
loop that nobody should have a reason to write; `bytes_only` is the same without decoding, the floor
under any client on aiohttp. The others are the paginators of well-known SDKs, pointed at the same
server, and the usual httpx with pydantic; they read page after page, by their design.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import attrs
import msgspec

LIST = "/api/user-api/payment/list/payment-received"
GET = "/api/user-api/payment/get/"
ROWS = 100
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "X-Api-Key": "d4211545-cfc9-4aa0-8fcc-e4c2639e8052",
    "X-Api-Secret": "secret",
}

Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class Status(StrEnum):
    """The published values; an unknown one fails, as in most code."""

    INITIATED = "initiated"
    OPENED = "opened"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    RETRIED = "retried"
    PENDING = "pending"


class Method(StrEnum):
    """The published values."""

    WALLET = "WALLET"
    CARD = "CARD"
    ACH = "ACH"
    PW_BANK = "PW_BANK"
    RTP = "RTP"
    FEDNOW = "FEDNOW"


@attrs.frozen(kw_only=True)
class Payment:
    """A payment, typed as the SDK types it."""

    payment_id: UUID
    payer_id: UUID | None = None
    payer_name: str | None = None
    payee_id: UUID | None = None
    payee_name: str | None = None
    amount: Decimal
    currency: str | None = None
    description: str | None = None
    payment_method: Method | None = None
    receiving_method: Method | None = None
    created_at: Aware
    payment_date: Aware | None = None
    status: Status
    failure_reason: str | None = None


class Page(msgspec.Struct):
    """The list envelope, as far as a loop needs it."""

    records: list[Payment]
    totalRecords: int  # noqa: N815
    success: bool = True


class One(msgspec.Struct):
    """The envelope of one payment."""

    data: Payment
    success: bool = True


decode_page = msgspec.json.Decoder(Page).decode
decode_one = msgspec.json.Decoder(One).decode


@asynccontextmanager
async def aiohttp_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session as a good engineer sets it up once: headers, no cookies, a pool without a limit."""
    async with aiohttp.ClientSession(
        headers=HEADERS,
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


async def fetch(session: aiohttp.ClientSession, url: str, page_no: int) -> bytes:
    """One page as bytes."""
    body = b'{"rows_per_page":100,"page_no":%d}' % page_no
    async with session.post(url, data=body) as response:
        response.raise_for_status()
        return await response.read()


async def bodies(session: aiohttp.ClientSession, url: str, workers: int) -> AsyncIterator[bytes]:
    """Every page's bytes, in order: page 1 tells how many there are, workers fetch the rest.

    At most as many pages as there are workers wait for the consumer. A worker sends its next request
    before the consumer decodes what came: the quickest of the orders that were tried.
    """
    url += LIST
    first = await fetch(session, url, 1)
    pages = -(-msgspec.json.decode(first, type=_Total).totalRecords // ROWS)
    loop = asyncio.get_running_loop()
    coming: list[asyncio.Future[bytes]] = [loop.create_future() for _ in range(2, pages + 1)]
    numbers, room = iter(range(2, pages + 1)), asyncio.Semaphore(2 * workers)

    async def work() -> None:
        for page_no in numbers:
            await room.acquire()
            coming[page_no - 2].set_result(await fetch(session, url, page_no))

    tasks = [asyncio.create_task(work()) for _ in range(min(workers, pages - 1))]
    try:
        yield first
        coming.reverse()
        while coming:
            body = await coming[-1]
            coming.pop()
            room.release()
            yield body
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Total(msgspec.Struct):
    totalRecords: int  # noqa: N815
