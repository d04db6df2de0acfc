"""What a client tells its owner while it works: typed events, one hook, and log lines.

Enough to write metrics with: every attempt, retry, cooldown, page and checkpoint is told. Nothing
here carries a credential or a body, nor any header but the request's id. Success is silent in the log
below DEBUG.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from paywint_async._log import fields, logger


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt has ended: with an HTTP ``status``, or without an answer (None).

    ``request_id`` names the request in the API's logs, where the answer has one.
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
    """The API said 429: no request of this client leaves for ``seconds``."""

    operation: str
    seconds: float


class PageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A listing has taken a page; ``records`` of it are handed on."""

    direction: str
    page_no: int
    records: int
    total_records: int


class CheckpointEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A caller took a listing's checkpoint, with ``delivered`` of ``total`` payments behind it."""

    direction: str
    delivered: int
    total: int


class DisorderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A list is not in the order of ``created_at``.

    For a span of time, all of it is read; with ``oldest_first``, its payments come in its own order, from
    its oldest end.
    """

    direction: str


Event: TypeAlias = (
    RequestEvent | RetryEvent | CooldownEvent | PageEvent | CheckpointEvent | DisorderEvent
)
OnEvent: TypeAlias = Callable[[Event], object]


def ignore(event: Event) -> None:
    """The hook of a client that has none."""


def guarded(hook: OnEvent | None) -> OnEvent:
    """The hook, made harmless: what it raises is logged, and no payment suffers from it."""
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
