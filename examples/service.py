"""An aiohttp service: payment links and payments as JSON, webhooks, and errors as HTTP statuses.

pip install paywint-async
PAYWINT_WEBHOOK_SECRET=... PAYWINT_API_KEY=... PAYWINT_API_SECRET=... python examples/service.py
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal, InvalidOperation

from aiohttp import web

from paywint_async import (
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PaywintClient,
    PaywintError,
    RateLimitedError,
)
from paywint_async.webhooks import (
    StandardWebhooks,
    WebhookEvent,
    WebhookReceiver,
    aiohttp_handler,
)

CLIENT = web.AppKey("client", PaywintClient)
log = logging.getLogger("service")


async def create(request: web.Request) -> web.Response:
    """POST /links {"amount": "4.50", "description": "Coffee"}"""
    try:
        asked = await request.json()
        amount, description = Decimal(asked["amount"]), asked.get("description")
        if not isinstance(asked["amount"], str):  # JSON numbers are parsed as floats
            raise TypeError
    except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation):
        raise web.HTTPBadRequest(text="amount must be a decimal number as text") from None
    link = await request.app[CLIENT].payments.create_link(amount, description=description)
    made = {"payment_id": str(link.payment_id), "payment_link": link.payment_link}
    return web.json_response(made, status=201)


async def show(request: web.Request) -> web.Response:
    """GET /payments/{payment_id}"""
    payment = await request.app[CLIENT].payments.get(request.match_info["payment_id"])
    return web.json_response({"status": payment.status, "amount": str(payment.amount)})


@web.middleware
async def errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answers each error with an HTTP status and a message for the caller."""
    try:
        return await handler(request)
    except InvalidRequestError as error:
        return web.json_response({"field": error.field, "problem": str(error)}, status=422)
    except NotFoundError:
        return web.json_response({"problem": "no such payment"}, status=404)
    except RateLimitedError as error:
        headers = {"Retry-After": f"{error.retry_after or 1:.0f}"}
        return web.json_response({"problem": "too busy"}, status=503, headers=headers)
    except OutcomeUnknownError as error:
        log.error("look for the link before creating another: %s", error)
        return web.json_response({"problem": "it may have been created; check first"}, status=502)
    except PaywintError as error:
        log.error("%s", error)
        return web.json_response({"problem": "payments are not available"}, status=502)


async def connect(app: web.Application) -> AsyncIterator[None]:
    """One client for as long as the service runs."""
    async with PaywintClient.from_env() as client:
        app[CLIENT] = client
        yield


def make_app() -> web.Application:
    """Makes the application."""
    app = web.Application(middlewares=[errors])

    async def on_event(event: WebhookEvent) -> None:
        if event.payment_id is None:  # an event of a wallet, a card or an identity check
            return
        payment = await event.confirm(app[CLIENT])
        log.info("payment %s is %s", payment.payment_id, payment.status)

    verifier = StandardWebhooks(os.environ["PAYWINT_WEBHOOK_SECRET"])
    app.cleanup_ctx.append(connect)
    app.router.add_post("/links", create)
    app.router.add_get("/payments/{payment_id}", show)
    app.router.add_post("/webhooks", aiohttp_handler(WebhookReceiver(on_event, verifier=verifier)))
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(make_app(), host="127.0.0.1", port=8000)
