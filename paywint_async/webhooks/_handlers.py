"""Calls the functions of an application for an event. Knows neither store nor HTTP."""

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
_ALIKE = 0.8  # similarity of two words, from 0 to 1


async def acknowledge(event: WebhookEvent) -> None:
    """Does nothing; the default `on_event`, for receivers that use only `on`."""


class Handlers:
    """The handler of all events, and the handlers of events by name.

    Args:
        every: called with each event.
    """

    def __init__(self, every: EventHandler) -> None:
        self._every = every
        self._named: dict[str, list[EventHandler]] = {}

    def add(self, names: tuple[str, ...], handler: EventHandler) -> None:
        """Registers a handler for events with these names.

        Raises:
            ConfigurationError: it is not callable.
        """
        if not callable(handler):
            raise ConfigurationError("a handler must be a coroutine function that takes an event")
        for name in names:
            self._named.setdefault(name, []).append(handler)

    async def call(self, event: WebhookEvent) -> None:
        """Calls the handler of all events, then those of the event's name, in order of registration.

        An event without a payment can never be confirmed. A handler that tries gets a warning in the log,
        and the event is not delivered again.

        Raises:
            ConfigurationError: there is no handler, so the event would be lost.
            Exception: the exception of a handler; those after it are not called.
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
                    "webhook %.80r is not about a payment: %.200r",
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
    """Validates names of events.

    Names of payment events must be published ones, so that a misspelling is found at once. Other names,
    such as ``kyc.approved``, are not checked, since Paywint does not publish all of them.

    Raises:
        ConfigurationError: there is no name, or one is misspelt.
    """
    if not names:
        raise ConfigurationError('receiver.on needs the name of an event: on("payment.success")')
    return tuple(map(_check, names))


def _check(name: object) -> str:
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigurationError(
            f"{name!r:.80} is not the name of an event, such as payment.success (on_event gets all)"
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
