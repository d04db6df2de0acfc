"""The programs that the SDK is compared with, each as well written as we can.

Every contender reads a whole history and accesses each record once, in order. `hand_written` is a
concurrent loop without the SDK; `bytes_only` is the same without decoding, the lower bound of any
client on aiohttp. The others are the paginators of well-known SDKs, used with the same server, and
the common httpx with pydantic; by design they read one page after another.
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
    """The published values; an unknown one is an error, as in most code."""

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


def _payment_class(*, slots: bool) -> Any:
    @attrs.frozen(kw_only=True, slots=slots)
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

    return Payment


Payment = _payment_class(slots=True)
# msgspec writes the fields of a class with slots in alphabetical order, those of this one in order.
OrderedPayment = _payment_class(slots=False)


class OrderedPage(msgspec.Struct):
    """The list envelope for a loop that writes JSON."""

    records: list[OrderedPayment]


class Page(msgspec.Struct):
    """The list envelope, as far as a loop needs it."""

    records: list[Payment]
    totalRecords: int
    success: bool = True


class One(msgspec.Struct):
    """The envelope of one payment."""

    data: Payment
    success: bool = True


decode_page = msgspec.json.Decoder(Page).decode
decode_ordered_page = msgspec.json.Decoder(OrderedPage).decode
decode_one = msgspec.json.Decoder(One).decode


@asynccontextmanager
async def aiohttp_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A well-configured session: headers, no cookies, a pool without a limit."""
    async with aiohttp.ClientSession(
        headers=HEADERS,
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


async def fetch(session: aiohttp.ClientSession, url: str, page_no: int) -> bytes:
    """Requests one page, and returns its bytes."""
    body = b'{"rows_per_page":100,"page_no":%d}' % page_no
    async with session.post(url, data=body) as response:
        response.raise_for_status()
        return await response.read()


async def bodies(session: aiohttp.ClientSession, url: str, workers: int) -> AsyncIterator[bytes]:
    """Every page's bytes, in order: page 1 has the total, workers fetch the others.

    At most two pages per worker are requested and not yet consumed. A worker sends its next request
    before the consumer decodes a page, which is the fastest of the orders that were tried.
    """
    first = await fetch(session, url + LIST, 1)
    yield first
    pages = -(-msgspec.json.decode(first, type=_Total).totalRecords // ROWS)
    order = range(2, pages + 1)
    loop = asyncio.get_running_loop()
    coming = {page_no: loop.create_future() for page_no in order}
    room = asyncio.Semaphore(2 * workers)
    numbers = iter(order)

    async def work() -> None:
        for page_no in numbers:
            await room.acquire()
            future = coming[page_no]
            try:
                future.set_result(await fetch(session, url + LIST, page_no))
            except Exception as error:
                future.set_exception(error)
                return

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    try:
        for page_no in order:
            body = await coming[page_no]
            del coming[page_no]
            room.release()
            yield body
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Total(msgspec.Struct):
    totalRecords: int


async def hand_written(session: aiohttp.ClientSession, url: str, workers: int) -> int:
    """Reads typed records concurrently, in order."""
    count = 0
    async for body in bodies(session, url, workers):
        for _payment in decode_page(body).records:
            count += 1
    return count


async def bytes_only(session: aiohttp.ClientSession, url: str, workers: int) -> int:
    """Like `hand_written` without decoding; returns the number of records in the pages."""
    pages = 0
    async for _body in bodies(session, url, workers):
        pages += 1
    return pages * ROWS


# -- well-known clients ---------------------------------------------------------------------------

Read = Callable[[str], Any]


@asynccontextmanager
async def httpx_pydantic() -> AsyncIterator[Read]:
    """httpx and pydantic, one page after another."""
    import httpx

    page_type = pydantic_page()

    async def read(url: str) -> int:
        count, page_no = 0, 1
        while True:
            asked = {"rows_per_page": ROWS, "page_no": page_no}
            response = await client.post(url + LIST, json=asked)
            page: Any = page_type.model_validate_json(response.raise_for_status().content)
            for _payment in page.records:
                count += 1
            if count >= page.totalRecords:
                return count
            page_no += 1

    async with httpx.AsyncClient(headers=HEADERS) as client:
        yield read


def pydantic_page() -> Any:
    """The list envelope as a pydantic model."""
    from pydantic import BaseModel

    fields = {"records": list[_pydantic_payment(BaseModel)], "totalRecords": int}
    return type("Page", (BaseModel,), {"__annotations__": fields})


def _pydantic_payment(base: Any, **more: Any) -> Any:
    """A payment as a pydantic model."""
    fields = {field.name: field.type for field in attrs.fields(attrs.resolve_types(Payment))}
    defaults = {name: None for name, kind in fields.items() if type(None) in _arms(kind)}
    return type("Payment", (base,), {"__annotations__": {**more, **fields}, **defaults})


def _arms(kind: Any) -> tuple[Any, ...]:
    return getattr(kind, "__args__", ())


@asynccontextmanager
async def openai_paginator() -> AsyncIterator[Read]:
    """The OpenAI SDK's client and cursor page, with payments as its records."""
    from openai import AsyncOpenAI, BaseModel
    from openai.pagination import AsyncCursorPage

    payment = _pydantic_payment(BaseModel, id=str)
    clients: dict[str, AsyncOpenAI] = {}

    async def read(url: str) -> int:
        if url not in clients:
            clients[url] = AsyncOpenAI(api_key="key", base_url=url + "/cursor")
        count = 0
        query = {"params": {"limit": ROWS}}
        async for _payment in clients[url].get_api_list(
            "/payments", model=payment, page=AsyncCursorPage[payment], options=query
        ):
            count += 1
        return count

    yield read
    for client in clients.values():
        await client.close()


@asynccontextmanager
async def stripe_paginator() -> AsyncIterator[Read]:
    """The Stripe SDK's client and list object, on aiohttp."""
    import stripe

    async def read(url: str) -> int:
        client = stripe.StripeClient("key", base_addresses={"api": url}, http_client=http)
        first = await client.v1.payment_intents.list_async({"limit": ROWS})
        count = 0
        async for _payment in first.auto_paging_iter():
            count += 1
        return count

    http = stripe.AIOHTTPClient()
    yield read
    await http.close_async()


_PEERS = {
    "OpenAI's paginator": ("openai", openai_paginator),
    "Stripe's paginator": ("stripe", stripe_paginator),
    "httpx + pydantic": ("httpx pydantic", httpx_pydantic),
}


def installed_peers() -> dict[str, Callable[[], Any]]:
    """The installed peers by name; prints those that are not installed."""
    found = {}
    for name, (modules, peer) in _PEERS.items():
        missing = [m for m in modules.split() if importlib.util.find_spec(m) is None]
        if missing:
            print(f"left out: {name}, as {' and '.join(missing)} is not installed")
        else:
            found[name] = peer
    return found
