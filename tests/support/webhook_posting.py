"""A receiver of signed deliveries with a configurable handler. On virtual time."""

from __future__ import annotations

import attrs
from virtual_time import pass_time
from webhook_deliveries import SECRET, clock, delivery, signed

from paywint_async.webhooks import StandardWebhooks, WebhookReceiver

BODY = delivery()


@attrs.define
class Handler:
    """Records its events; raises `outcomes` in turn, and returns for None."""

    outcomes: list = attrs.field(factory=list)
    events: list = attrs.field(factory=list)
    seconds: float = 0.0
    at_once: int = 0
    peak: int = 0

    async def __call__(self, event):
        self.events.append(event)
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            if self.seconds:
                await pass_time(self.seconds)
        finally:
            self.at_once -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome


def make(handler, **options):
    options = {"verifier": StandardWebhooks(SECRET), "clock": clock} | options
    return WebhookReceiver(handler, **options)


def post(receiver, body=BODY, headers=None):
    return receiver.handle("POST", signed(body) if headers is None else headers, body)
