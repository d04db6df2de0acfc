"""A plain HTTP client for the emulator, without the SDK's code."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import attrs
import pytest
from webhook_listener import Receiver, listening

from paywint_async.emulator import Emulator

PAYMENTS = "/api/user-api/payment"


@attrs.frozen(kw_only=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON; numbers with a decimal point are text."""
        return json.loads(self.body, parse_float=str)

    @property
    def records(self) -> list[dict[str, Any]]:
        return self.json["records"]


@attrs.frozen(kw_only=True)
class Account:
    """A running emulator, and a session with its keys."""

    emulator: Emulator
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        url = f"{self.emulator.url}{path}"
        async with self.session.request(method, url, **options) as response:
            body = await response.read()
            return Answer(status=response.status, headers=response.headers, body=body)

    async def send(self, path: str, body: Any) -> Answer:
        """POST a body: bytes unchanged, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("POST", path, data=data, headers={"Content-Type": "application/json"})

    async def create_link(self, body: Any) -> Answer:
        return await self.send(f"{PAYMENTS}/create-payment-link", body)

    async def link(self, amount: str = "5.99") -> str:
        """The id of a new link."""
        answer = await self.create_link(b'{"amount": %s}' % amount.encode())
        return str(answer.json["data"]["payment_id"])

    async def create_token(self, body: Any) -> Answer:
        return await self.send("/api/checkout/token/developer", body)

    async def get(self, payment_id: str) -> Answer:
        return await self.ask("GET", f"{PAYMENTS}/get/{payment_id}")

    async def page(self, direction: str, page_no: Any, rows_per_page: Any = 100) -> Answer:
        body = {"page_no": page_no, "rows_per_page": rows_per_page}
        return await self.send(f"{PAYMENTS}/list/payment-{direction}", body)

    async def everything(self, direction: str) -> list[dict[str, Any]]:
        """All records of a direction in the order of the listing."""
        first = await self.page(direction, 1)
        records = first.records
        for page_no in range(2, -(-first.json["totalRecords"] // 100) + 1):
            records += (await self.page(direction, page_no)).records
        return records


Serve = Callable[..., AbstractAsyncContextManager[Account]]


@pytest.fixture
def serve() -> Serve:
    """`async with serve(payments=...) as account`: an emulator with these arguments."""

    @asynccontextmanager
    async def running(**arguments: Any) -> AsyncIterator[Account]:
        async with Emulator(**{"hostile": True} | arguments) as emulator:
            keys = {"X-Api-Key": emulator.api_key, "X-Api-Secret": emulator.api_secret}
            async with aiohttp.ClientSession(headers=keys) as session:
                yield Account(emulator=emulator, session=session)

    return running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks."""
    async with listening() as receiver:
        yield receiver
