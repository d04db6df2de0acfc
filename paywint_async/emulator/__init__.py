"""The Paywint API on loopback: an aiohttp.web server for offline work, demos and tests.

It stands apart from the SDK. Nothing here imports the codec, the models or any other module of
`paywint_async`: it writes its JSON literally, so that a codec bug cannot cancel itself out.

Read it from the bottom up: `identity` (seed and rank to id and back) · `catalogue` (the words) ·
`payment` (one record) · `generator` (rank to record) · `wire` (JSON out) · `history` (one
direction) · `ledger` (both, and what changes them) · `form` and `validation` (JSON in) · `traffic`
(limit and journal) · `settings` · `api` (HTTP) · `server` (`Emulator`, the life cycle).
"""

from paywint_async.emulator.server import Emulator
from paywint_async.emulator.traffic import Exchange
from paywint_async.emulator.webhooks import Delivery, WebhookFaults

__all__ = ["Delivery", "Emulator", "Exchange", "WebhookFaults"]
