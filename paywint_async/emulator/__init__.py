"""The Paywint API on loopback: an aiohttp.web server for offline work, demos and tests.

It is independent of the SDK: nothing here imports the codec, the models or any other module of
`paywint_async`. It writes JSON by templates of its own, so that an error of the codec cannot cancel out.

Read it from the bottom up: `identity` (seed and rank to id and back) · `calendar` (rank to time) ·
`payment` (one record) · `generator` (rank to record), `everyday_generator` and `hostile_generator`
(the content of a record), each with its `catalogue` of words · `wire` (JSON output) · `history` (one
direction) · `payment_book` (both) · `transitions` (which status may follow which) · `lifecycle` (changes
of the payments) · `clock` · `state` (the file) · `webhooks` · `form` and `validation` (JSON input) ·
`traffic` (limit and journal) · `fault_settings` · `deviations` · `options` · `api` (HTTP) · `controls`
(methods that need no socket) · `server` (`Emulator`, from start to close).
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
