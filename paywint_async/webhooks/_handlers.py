"""Which functions of an application are called for an event. Knows no store and no HTTP."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from paywint_async import ConfigurationError, InvalidRequestError, WebhookEventName
from paywint_async._log import fields
from paywint_async.webhooks._event import WebhookEvent

EventHandler: TypeAlias = Callable[[WebhookEvent], Awaitable[object]]

logger = logging.getLogger("paywint_async.webhooks")

_NAME = re.compile(r"(?P<prefix>[a-z0-9_-]+)(\.[a-z0-9_-]+)+")
_PAYMENT = "payment"
_ALIKE = 0.8  # of the letters


async def acknowledge(event: WebhookEvent) -> None:
    """Does nothing about an event: the `on_event` of who has handlers for some events only."""


class Handlers:
    """The handlers of every event, and those of events of one name.

    Args:
        every: called with each event.
    """

    def __init__(self, every: EventHandler) -> None:
        self._every = every
        self._named: dict[str, list[EventHandler]] = {}

    def add(self, names: tuple[str, ...], handler: EventHandler) -> None:
        """Calls it for events of these names, too.

        Raises:
            ConfigurationError: it cannot be called.
        """
        if not callable(handler):
            raise ConfigurationError("a handler must be a coroutine function that takes an event")
        for name in names:
            self._named.setdefault(name, []).append(handler)

    async def call(self, event: WebhookEvent) -> None:
        """One after the other: what is for every event, then what is for its name, as it was added.

        An event of no payment cannot be confirmed, now or later: a handler that tries is told so in the
        log, and no reason for the event to come again.

        Raises:
            ConfigurationError: there is no handler at all, so the event would be lost.
            Exception: whatever a handler raises; those after it are not called.
        """
        if self._every is acknowledge and not self._named:
            raise ConfigurationError("pass on_event, or register handlers by receiver.on(…)")
        for handler in [self._every, *self._named.get(event.event, ())]:
            try:
                await handler(event)
            except InvalidRequestError as error:
                if event.payment_id is not None or error.field != "payment_id":
                    raise
                logger.warning(
                    "webhook %.80r is of no payment: %.200r",
                    event.id,
                    str(error),
                    extra=fields(
                        event="webhook_of_no_payment",
                        webhook_id=event.id[:80],
                        webhook_event=event.event[:80],
                        reason=str(error)[:200],
                    ),
                )


def check_names(names: tuple[object, ...]) -> tuple[str, ...]:
    """The names, where events of each may come.

    Names of payments must be known, so that a misspelt one is told at once. Paywint publishes others,
    such as ``kyc.approved``, and not all of them; those are taken as they are.

    Raises:
        ConfigurationError: there is none, or one is misspelt.
    """
    if not names:
        raise ConfigurationError('receiver.on needs the name of an event: on("payment.success")')
    return tuple(map(_check, names))


def _check(name: object) -> str:
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigurationError(
            f"{name!r:.80} is no name of an event, such as payment.success; for all events pass on_event"
        )
    assert isinstance(name, str)
    known = [each.value for each in WebhookEventName]
    is_of_payment = found["prefix"] == _PAYMENT
    if name not in known and (is_of_payment or _is_like(found["prefix"], _PAYMENT)):
        close = difflib.get_close_matches(name, known, n=1, cutoff=0)
        raise ConfigurationError(f"no event is named {name!r}; did you mean {close[0]!r}?")
    return str(name)


def _is_like(word: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, word, other).ratio() >= _ALIKE
