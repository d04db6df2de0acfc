"""Receives webhooks: verification, typed events, deduplication.

Uses the public API and two small private modules. `parse_event` converts one delivery to a typed event.
`WebhookReceiver` handles deliveries for a web application, and `aiohttp_handler`, `starlette_endpoint`
and `asgi_app` connect it to one. `parse_redirect` parses the URL to which a payer is redirected.
"""

from paywint_async import (
    WebhookDecodeError,
    WebhookError,
    WebhookEventName,
    WebhookSignatureError,
    WebhookTimestampError,
)
from paywint_async.webhooks._adapters import aiohttp_handler, asgi_app, starlette_endpoint
from paywint_async.webhooks._event import WebhookEvent
from paywint_async.webhooks._headers import Headers
from paywint_async.webhooks._parsing import (
    MAX_BODY,
    TOLERANCE,
    UNSIGNED_TOLERANCE,
    parse_event,
)
from paywint_async.webhooks._receiver import WebhookReceiver
from paywint_async.webhooks._redirect import Redirect, parse_redirect
from paywint_async.webhooks._replay import MemoryReplayStore, ReplayStore
from paywint_async.webhooks._signatures import StandardWebhooks, Verifier

__all__ = [
    "Headers",
    "MAX_BODY",
    "MemoryReplayStore",
    "Redirect",
    "ReplayStore",
    "StandardWebhooks",
    "TOLERANCE",
    "UNSIGNED_TOLERANCE",
    "Verifier",
    "WebhookDecodeError",
    "WebhookError",
    "WebhookEvent",
    "WebhookEventName",
    "WebhookReceiver",
    "WebhookSignatureError",
    "WebhookTimestampError",
    "aiohttp_handler",
    "asgi_app",
    "parse_event",
    "parse_redirect",
    "starlette_endpoint",
]
