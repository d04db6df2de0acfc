"""The events that a client reports while it works: typed values, passed to one hook.

They suffice for metrics: every attempt, retry, cooldown, page and checkpoint is an event. No event
contains credentials, a body, or a header other than the request id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from paywint_async._log import fields, logger


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt has ended: with an HTTP ``status``, or without an answer (None).

    ``request_id`` identifies the request in the API's logs; None if the answer has no id.
    """

    operation: str
    attempt: int
    status: int | None
    seconds: float
    bytes_received: int = 0
    request_id: str | None = None


class RetryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An operation will be tried again in ``wait`` seconds, because of ``reason``."""

    operation: str
    attempt: int
    wait: float
    reason: str


class CooldownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The API answered 429: this client sends no request for ``seconds``."""

    operation: str
    seconds: float


class PageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A listing has read a page, and delivers ``records`` of its payments."""

    direction: str
    page_no: int
    records: int
    total_records: int


class CheckpointEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A caller has read a listing's checkpoint, after ``delivered`` of ``total`` payments."""

    direction: str
    delivered: int
    total: int


class DisorderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A list is not in the order of ``created_at``.

    To list a span of time, the whole list is then read; with ``oldest_first``, the payments are delivered
    in the list's own order, from its oldest end.
    """

    direction: str


Event: TypeAlias = (
    RequestEvent | RetryEvent | CooldownEvent | PageEvent | CheckpointEvent | DisorderEvent
)
OnEvent: TypeAlias = Callable[[Event], object]


def ignore(event: Event) -> None:
    """Does nothing: the hook of a client that was given none."""


def guarded(hook: OnEvent | None) -> OnEvent:
    """Wraps a hook: its exceptions are logged, so that they cannot affect a payment."""
    if hook is None:
        return ignore

    def call(event: Event) -> None:
        try:
            hook(event)
        except Exception as error:
            logger.exception(
                "on_event raised on %s",
                type(event).__name__,
                extra=fields(
                    event="on_event_raised",
                    event_type=type(event).__name__,
                    error=type(error).__name__,
                ),
            )

    return call
