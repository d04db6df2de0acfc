"""The Paywint API on loopback: an aiohttp.web server for offline work, demos and tests.

It stands apart from the SDK. Nothing here imports the codec, the models or any other module of
`paywint_async`: it writes its JSON literally, so that a codec bug cannot cancel itself out.

Read it from the bottom up: `identity` (seed and rank to id and back) · `calendar` (rank to time) ·
`payment` (one record) · `generator` (rank to record), `everyday_generator` and `hostile_generator`
(what is in a record), each with its `catalogue` of words · `wire` (JSON out) · `history` (one
direction) · `payment_book` (both) · `transitions` (which status may follow which) · `lifecycle` (what
happens to the payments) · `clock` · `state` (the file) · `webhooks` · `form` and `validation` (JSON
in) · `traffic` (limit and journal) · `deviations` · `options` · `api` (HTTP) · `controls` (the handles
that need no socket) · `server` (`Emulator`, from start to close).
"""

from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._server import Emulator
from paywint_async.emulator._traffic import RecordedExchange
from paywint_async.emulator._transitions import Change, IllegalChange, Refund
from paywint_async.emulator._webhooks import Delivery, WebhookFaults

__all__ = [
    "Change",
    "Delivery",
    "EmulatedPayment",
    "Emulator",
    "IllegalChange",
    "RecordedExchange",
    "Refund",
    "WebhookFaults",
]
