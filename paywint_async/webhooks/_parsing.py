"""Verifies and parses one delivery: size, signature, content, age. No I/O, no state."""

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
"""The largest size of a body in bytes; published events have less than 1,000."""
TOLERANCE = 300.0
"""The largest age of a signed delivery in seconds, as Paywint recommends."""
UNSIGNED_TOLERANCE = 900.0
"""The same if no time is signed: the third attempt comes six minutes after the event's own time."""

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
    """Verifies and parses one delivery.

    Without a verifier nothing proves the sender: ``is_verified`` is False, and only the result of
    `WebhookEvent.confirm` can be trusted. Repeated deliveries are not detected here, but by a
    `ReplayStore`, which `WebhookReceiver` has.

    Args:
        body: the unchanged bytes of the request; a body that was parsed and encoded again does not match
            the signature.
        headers: of the request, names in any case.
        verifier: proves the sender, such as ``StandardWebhooks(secret)``.
        tolerance: the largest age of the delivery in seconds, also into the future: 300 by default from
            the signed time; 900 from ``eventGeneratedTime`` if no time is signed. None: unlimited.
        amounts: the unit of ``amount``, ``"cents"`` or ``"dollars"``, if it is known (Paywint's pages
            contradict each other). None: ``event.amount`` is None unless the digits show the unit.
        clock: returns Unix seconds.

    Raises:
        WebhookSignatureError: the verifier refuses the delivery.
        WebhookTimestampError: the delivery is too old, or too far in the future.
        WebhookDecodeError: the body is too large, or is not a webhook of Paywint.
        ConfigurationError: verifier, tolerance or amounts cannot be used.
    """
    checked, is_verified = _verify(body, headers, verifier), verifier is not None
    # A traceback shows local variables: headers, or arguments of a partial.
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
    """Raises ConfigurationError if this is not a unit of amounts."""
    if amounts is not None and amounts not in UNITS:
        raise ConfigurationError(
            f'amounts must be "cents", "dollars", or None where that is not known: {amounts!r}'
        )


def _verify(
    body: object, headers: HeadersLike, verifier: Verifier | None
) -> tuple[bytes, datetime | None] | PaywintError:
    """The bytes with the signed time, if there is one; or the error to raise."""
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
