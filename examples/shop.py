"""A shop on FastAPI: a link for each order, a webhook that settles it, a page that shows it.

    pip install 'paywint-async[cli]' fastapi python-multipart uvicorn
    export PAYWINT_WEBHOOK_SECRET=secret
    paywint emulator --webhook-url http://127.0.0.1:8000/webhooks \\
        --redirect-url http://127.0.0.1:8000/back > account.sh &
    sleep 2; . ./account.sh; uvicorn --app-dir examples shop:app

Then open http://127.0.0.1:8000. With the real API leave the emulator out.
"""

from __future__ import annotations

import html
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import attrs
from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from paywint_async import (
    NotFoundError,
    OutcomeUnknownError,
    Payment,
    PaymentStatus,
    PaywintClient,
    PaywintError,
)
from paywint_async.webhooks import StandardWebhooks, WebhookEvent, WebhookReceiver
from paywint_async.webhooks import starlette_endpoint as endpoint

PRICES = {"Coffee": Decimal("4.50"), "Cake": Decimal("6.25"), "Both": Decimal("9.99")}


@attrs.define
class Order:
    """What somebody wants to buy; a database row in a real shop."""

    item: str
    payment_id: UUID
    status: PaymentStatus


class Shop:
    """The orders, by the id of their payment."""

    def __init__(self, client: PaywintClient) -> None:
        self.client = client
        self.orders: dict[UUID, Order] = {}

    async def order(self, item: str) -> str:
        """A new order; the address at which it can be paid."""
        link = await self.client.payments.create_link(PRICES[item], description=item)
        self.orders[link.payment_id] = Order(item, link.payment_id, PaymentStatus.PENDING)
        return link.payment_link

    async def on_event(self, event: WebhookEvent) -> None:
        """Believes Get Payment alone: events may be late, twice, out of order, or made up."""
        order = self.orders.get(event.payment_id)
        if order is None:
            return
        self.settle(order, await event.confirm(self.client))
        if event.retry_payment_id is not None:  # a new payment takes this one's place
            order = self.orders.setdefault(event.retry_payment_id, order)
            self.settle(order, await self.client.payments.get(event.retry_payment_id))

    def settle(self, order: Order, payment: Payment) -> None:
        """Notes how the payment stands, unless the order has gone on to a newer one."""
        if payment.payment_id == order.payment_id or order.status == PaymentStatus.RETRIED:
            order.payment_id, order.status = payment.payment_id, payment.status


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for as long as the application runs."""
    async with PaywintClient.from_env() as client:
        app.state.shop = shop = Shop(client)
        verifier = StandardWebhooks(os.environ["PAYWINT_WEBHOOK_SECRET"])
        receiver = WebhookReceiver(shop.on_event, verifier=verifier)
        app.add_route("/webhooks", endpoint(receiver), methods=["POST"])
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def home() -> HTMLResponse:
    """What there is to buy."""
    buttons = "".join(
        f'<p><button name="item" value="{item}">{item}, ${price}</button></p>'
        for item, price in PRICES.items()
    )
    return page("The shop", f'<form method="post" action="/orders">{buttons}</form>')


@app.post("/orders")
async def buy(request: Request, item: Annotated[str, Form()]) -> RedirectResponse:
    """Makes an order, and sends the buyer to its payment link."""
    if item not in PRICES:
        raise HTTPException(422, "no such item")
    try:
        return RedirectResponse(await request.app.state.shop.order(item), status_code=303)
    except OutcomeUnknownError:
        raise HTTPException(502, "please look at your orders before trying again") from None
    except PaywintError:
        raise HTTPException(502, "payments are not available right now") from None


@app.get("/back")
async def back(request: Request, id: UUID) -> RedirectResponse:
    """Where the payer comes back to; the address says a status, and is not believed."""
    shop: Shop = request.app.state.shop
    order = shop.orders.get(id)
    if order is None:
        raise HTTPException(404)
    try:
        shop.settle(order, await shop.client.payments.get(id))
    except NotFoundError:
        raise HTTPException(404) from None
    return RedirectResponse(f"/orders/{order.payment_id}", status_code=303)


@app.get("/orders/{payment_id}")
async def status(request: Request, payment_id: UUID) -> HTMLResponse:
    """How an order stands; looks again by itself until that is final."""
    order: Order | None = request.app.state.shop.orders.get(payment_id)
    if order is None:
        raise HTTPException(404)
    again = "" if order.status.is_final else '<meta http-equiv="refresh" content="1">'
    name = html.escape(str(order.status))
    return page(f"Your {order.item}", f'{again}<p>Payment: <b id="status">{name}</b></p>')


def page(title: str, content: str) -> HTMLResponse:
    """A page of the shop."""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<h1>{html.escape(title)}</h1>{content}</html>"
    )
