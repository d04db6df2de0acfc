"""A shop on FastAPI: a payment link for each order, webhooks that update it, a page that shows it.

    pip install 'paywint-async[cli]' fastapi python-multipart uvicorn
    export PAYWINT_WEBHOOK_SECRET=secret
    paywint emulator --webhook-url http://127.0.0.1:8000/webhooks \\
        --redirect-url http://127.0.0.1:8000/back > account.sh &
    sleep 2; . ./account.sh; uvicorn --app-dir examples shop:app

Then open http://127.0.0.1:8000. With the real API, omit the emulator.
"""

from __future__ import annotations

import asyncio
import html
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import attrs
from fastapi import FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from paywint_async import (
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    Payment,
    PaymentStatus,
    PaywintClient,
    PaywintError,
)
from paywint_async.webhooks import (
    StandardWebhooks,
    WebhookEvent,
    WebhookReceiver,
    parse_redirect,
    starlette_endpoint,
)

REFUNDS = {"payment.refunded", "payment.refund"}  # both are published for the same event
PRICES = {"Coffee": Decimal("4.50"), "Cake": Decimal("6.25"), "Both": Decimal("9.99")}
SWEEP_EVERY = 60.0  # seconds
NEVER = datetime.min.replace(tzinfo=UTC)
STYLE = """
body { max-width: 26rem; margin: 12vh auto; padding: 0 1.5rem; font: 1.1rem/1.5 system-ui, sans-serif }
button { display: flex; justify-content: space-between; width: 100%; margin: .6rem 0;
  padding: .9rem 1.1rem; font: inherit; border: 1px solid #8888; border-radius: .6rem;
  background: none; cursor: pointer }
"""
log = logging.getLogger("shop")


@attrs.define
class Order:
    """An order; a database row in a real shop."""

    number: str
    item: str
    payment_id: UUID
    status: PaymentStatus = PaymentStatus.PENDING
    created_at: datetime = NEVER
    refunds: dict[str, Decimal | None] = attrs.field(factory=dict)  # None: unknown amount

    @property
    def state(self) -> str:
        """The state for the buyer and the shop; a refunded order is not paid any more."""
        parts = [part for part in self.refunds.values() if part is not None]
        if self.status != "success" or not self.refunds:
            return str(self.status)
        if sum(parts) >= PRICES[self.item]:
            return "refunded"
        if len(parts) < len(self.refunds):  # the amounts must be checked by hand
            return "success, refunded in part or whole"
        return f"success, ${sum(parts)} refunded"


class Shop:
    """The orders by number, which is also the last word of their payment's description."""

    def __init__(self, client: PaywintClient) -> None:
        self.client = client
        self.orders: dict[str, Order] = {}

    async def order(self, item: str) -> str:
        """Makes an order, and returns its payment link."""
        number = secrets.token_hex(8)
        description = f"{item}, order {number}"
        link = await self.client.payments.create_link(PRICES[item], description=description)
        self.orders[number] = Order(number, item, link.payment_id)
        return link.payment_link

    async def on_event(self, event: WebhookEvent) -> None:
        """Relies on Get Payment only: events may be late, repeated, out of order or forged."""
        if event.payment_id is None:  # an event of a wallet, a card or an identity check
            return
        order = self.settle(await event.confirm(self.client))
        if order is not None and event.event in REFUNDS and event.is_verified:
            # Get Payment may still say `success`. Each partial refund has an id; repeats change nothing.
            order.refunds[event.refund_transaction_id or event.id] = event.amount

    def settle(self, payment: Payment) -> Order | None:
        """Updates the order of a payment, and returns the order.

        Answers can arrive out of order, so a final status is kept. Of several payments for one
        order the latest counts: a retry of a failed payment is a new payment. A paid order can
        only become refunded, and a refunded order is paid only by another payment.
        """
        order = self.orders.get((payment.description or "").rpartition(" ")[2])
        if order is None or payment.amount != PRICES[order.item]:
            return None
        is_same = payment.payment_id == order.payment_id
        if order.status == "success":
            is_news = is_same and payment.status == "refunded"
        elif order.status == "refunded":
            is_news = not is_same and payment.status == "success"
        else:
            is_open = not order.status.is_final or payment.status == "retried"
            is_later = payment.created_at > order.created_at
            is_news = payment.status == "success" or is_later or (is_same and is_open)
        if is_news:
            order.payment_id, order.status = payment.payment_id, payment.status
            order.created_at = payment.created_at
        return order

    async def sweep(self) -> None:
        """Makes up for lost webhooks: reads the list back to the oldest unpaid order.

        (A real shop gives up orders after some days, or each sweep would read more. It also checks
        recently paid orders by Get Payment, since a refund's webhook may have been lost, too.)
        """
        done = ("success", "refunded")
        unpaid = {o.payment_id for o in self.orders.values() if o.status not in done}
        if not unpaid:
            return
        async with self.client.payments.received() as payments:
            async for payment in payments:
                self.settle(payment)
                unpaid.discard(payment.payment_id)
                if not unpaid:
                    break

    async def keep_sweeping(self) -> None:
        """Sweeps periodically while the application runs."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                await self.sweep()
            except PaywintError as error:
                log.warning("sweep failed, the next one will try again: %s", error)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for as long as the application runs."""
    async with PaywintClient.from_env() as client:
        app.state.shop = shop = Shop(client)
        verifier = StandardWebhooks(os.environ["PAYWINT_WEBHOOK_SECRET"])
        app.state.endpoint = starlette_endpoint(WebhookReceiver(shop.on_event, verifier=verifier))
        sweeping = asyncio.create_task(shop.keep_sweeping())
        yield
        sweeping.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks")
async def webhooks(request: Request) -> Response:
    """Receives Paywint's webhooks."""
    answer: Response = await request.app.state.endpoint(request)
    return answer


@app.get("/")
async def home() -> HTMLResponse:
    """Shows the items on sale."""
    buttons = "".join(
        f'<button name="item" value="{item}">{item} <b>${price}</b></button>'
        for item, price in PRICES.items()
    )
    return page("The shop", f'<form method="post" action="/orders">{buttons}</form>')


@app.post("/orders")
async def buy(request: Request, item: Annotated[str, Form()]) -> RedirectResponse:
    """Makes an order, and sends the buyer to its payment link."""
    if item not in PRICES:
        raise HTTPException(422, "no such item")
    return RedirectResponse(await request.app.state.shop.order(item), status_code=303)


@app.get("/back")
async def back(request: Request) -> RedirectResponse:
    """The redirect target for payers; does not rely on the status in its URL."""
    shop: Shop = request.app.state.shop
    order = shop.settle(await parse_redirect(str(request.url)).confirm(shop.client))
    if order is None:
        raise HTTPException(404, "no such order")
    return RedirectResponse(f"/orders/{order.number}", status_code=303)


@app.get("/orders/{number}")
async def status(request: Request, number: str) -> HTMLResponse:
    """Shows the state of an order; the page reloads until it is final."""
    order: Order | None = request.app.state.shop.orders.get(number)
    if order is None:
        raise HTTPException(404, "no such order")
    again = "" if order.status.is_final else '<meta http-equiv="refresh" content="1">'
    name = html.escape(order.state)
    return page(f"Your {order.item}", f'{again}<p>Payment: <b id="status">{name}</b></p>')


@app.exception_handler(PaywintError)
async def apologize(request: Request, error: PaywintError) -> PlainTextResponse:
    """Answers an error with a message for the buyer, and logs the details."""
    if isinstance(error, NotFoundError | InvalidRequestError):
        return PlainTextResponse("no such payment", status_code=404)
    log.error("%s %s: %s", request.method, request.url.path, error)
    if isinstance(error, OutcomeUnknownError):
        return PlainTextResponse("please look at your orders before trying again", status_code=502)
    return PlainTextResponse("payments are not available right now", status_code=502)


def page(title: str, content: str) -> HTMLResponse:
    """A page of the shop."""
    title = html.escape(title)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style><h1>{title}</h1>{content}</html>"
    )
