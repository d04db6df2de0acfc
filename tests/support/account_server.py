"""An account with a history, and a client that lists it over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from paywint_async import Handler, PaywintClient, Request, Response
from paywint_async.emulator import Emulator


@asynccontextmanager
async def account(
    payments: int = 0, *, middlewares: Any = (), on_event: Any = None, **settings: Any
) -> AsyncIterator[tuple[Emulator, PaywintClient]]:
    async with (
        Emulator(hostile=True, payments=payments, **settings) as emulator,
        PaywintClient(
            emulator.api_key,
            emulator.api_secret,
            base_url=emulator.url,
            middlewares=middlewares,
            on_event=on_event,
        ) as client,
    ):
        yield emulator, client


def ids(payments: Any) -> list[str]:
    return [str(payment.payment_id) for payment in payments]


async def sort_by_amount(request: Request, handler: Handler) -> Response:
    """A middleware that sorts the payments of a page by amount instead of time."""
    response = await handler(request)
    body = json.loads(response.body)
    body["records"].sort(key=lambda record: record["amount"])
    return attrs.evolve(response, body=json.dumps(body).encode())
