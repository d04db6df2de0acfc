"""Checks one delivery: size, signature, content, age. No I/O, no state."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeAlias

from paywint_async import (
    ConfigurationError,
    PaywintError,
    WebhookDecodeError,
    WebhookTimestampError,
)
from paywint_async.webhooks._amounts import UNITS, Unit
from paywint_async.webhooks._decoding import decode_event
from paywint_async.webhooks._event import WebhookEvent
from paywint_async.webhooks._headers import Headers, HeadersLike
from paywint_async.webhooks._signatures import Verifier, check_signature

MAX_BODY = 65_536
"""Bytes of a body at most; what is published fits into 1,000."""
TOLERANCE = 300.0
"""Seconds between a signed time and ours, as Paywint recommends."""
UNSIGNED_TOLERANCE = 900.0
"""Seconds where only the event's own time is known: its third attempt comes some six minutes later."""

Tolerance: TypeAlias = float | Literal["auto"] | None


def parse_event(
    body: bytes | str,
    headers: HeadersLike,
    *,
    verifier: Verifier | None = None,
    tolerance: Tolerance = "auto",
    amounts: Unit | None = None,
    clock: Callable[[], float] = time.time,
) -> WebhookEvent:
    """The typed event of one delivery.

    Without a verifier nothing proves who sent it: ``is_verified`` is False, and only what
    `WebhookEvent.confirm` returns may be believed. Repeats are not recognised here; that is what a
    `ReplayStore` is for, and `WebhookReceiver` has one.

    Args:
        body: the request's bytes as they came; once parsed and written again, no signature fits.
        headers: the request's, names in any case.
        verifier: who vouches for it, such as ``StandardWebhooks(secret)``.
        tolerance: seconds by which the delivery may be old, or ahead. It counts from the time that
            was signed, 300 by default; where none was, from ``eventGeneratedTime``, 900 by default.
            None: any age.
        amounts: the unit of ``amount``, ``"cents"`` or ``"dollars"``, where you know it (Paywint's pages
            contradict each other). None: ``event.amount`` is None unless the digits show it.
        clock: Unix seconds.

    Raises:
        WebhookSignatureError: the verifier refuses it.
        WebhookTimestampError: it is too old or too far ahead.
        WebhookDecodeError: it is too large, or not what Paywint sends.
        ConfigurationError: verifier, tolerance or amounts cannot be used, whatever the delivery is.
    """
    checked, is_verified = _verify(body, headers, verifier), verifier is not None
    # A traceback shows the locals of its frames: headers, or what was bound to a partial.
    del headers, verifier
    if isinstance(checked, PaywintError):
        raise checked
    raw, signed_at = checked
    check_unit(amounts)
    event = decode_event(raw, is_verified=is_verified, amounts=amounts)
    if tolerance == "auto":
        tolerance = UNSIGNED_TOLERANCE if signed_at is None else TOLERANCE
    if tolerance is not None:
        _check_age(signed_at or event.event_generated_time, tolerance, clock())
    return event


def check_unit(amounts: object) -> None:
    """Raises ConfigurationError where it is no unit of amounts."""
    if amounts is not None and amounts not in UNITS:
        raise ConfigurationError(
            f'amounts must be "cents", "dollars", or None where that is not known: {amounts!r}'
        )


def _verify(
    body: object, headers: HeadersLike, verifier: Verifier | None
) -> tuple[bytes, datetime | None] | PaywintError:
    """The bytes and when they were signed, if that is known, or what is to be raised."""
    try:
        raw, received = _bytes(body), Headers(headers)
        return raw, None if verifier is None else check_signature(verifier, raw, received)
    except PaywintError as error:
        return error.with_traceback(None)


def _bytes(body: object) -> bytes:
    if not isinstance(body, bytes | bytearray | memoryview | str):
        kind = type(body).__name__
        raise WebhookDecodeError(f"the body must be the request's bytes, not a {kind}")
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    if len(raw) > MAX_BODY:
        raise WebhookDecodeError(f"the body has {len(raw):,} bytes, more than {MAX_BODY:,}")
    return raw


def _check_age(sent_at: datetime, tolerance: float, now: float) -> None:
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
        raise ConfigurationError(f"tolerance must be seconds, or None for any: {tolerance!r}")
    age = now - sent_at.timestamp()
    if abs(age) <= tolerance:
        return
    how = f"{age:,.0f} s old" if age > 0 else f"{-age:,.0f} s ahead"
    raise WebhookTimestampError(
        f"the webhook is {how}, more than {tolerance:g}: a replay, or a clock is wrong",
        sent_at=sent_at,
        tolerance=tolerance,
    )
