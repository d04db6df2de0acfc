"""Decodes a body to a `WebhookEvent`. Knows nothing of signatures, clocks or HTTP.

Required are unambiguous JSON, a name, an id and a time. All other fields are used if they have the
published form, and are in ``data`` unchanged: no event is refused for a field that has changed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

from paywint_async import PaymentStatus, WebhookDecodeError, WebhookEventName
from paywint_async._strict_json import UUID_PATTERN, Digits, load
from paywint_async.webhooks._amounts import Unit, digits_of, in_dollars
from paywint_async.webhooks._event import WebhookEvent
from paywint_async.webhooks._frozen import FrozenDict, freeze_fields

_UUID = re.compile(UUID_PATTERN)
_LATEST = 253_402_300_799  # Unix seconds: the end of the year 9999
_OF_NO_PAYMENT = ("kyc.", "kyb.", "wallet.", "card.")
_SHOWN = 40  # characters of an invalid value


def decode_event(body: bytes, *, is_verified: bool, amounts: Unit | None) -> WebhookEvent:
    """Decodes the body of a delivery.

    Raises:
        WebhookDecodeError: it is not JSON, an object has a key twice, or a required field is missing or
            has another type than published; names the ``$.path`` of the problem.
    """
    envelope = _load(body)
    if not isinstance(envelope, dict):
        _refuse("an object", envelope, "$")
    data = envelope.get("data")
    if not isinstance(data, dict | None):
        _refuse("an object", data, "$.data")
    fields: dict[str, Any] = data or {}
    name, status = _name(envelope), _text(fields.get("status"))
    return WebhookEvent(
        id=_id(envelope),
        event=WebhookEventName(name),
        payment_id=None if name.startswith(_OF_NO_PAYMENT) else _uuid(fields.get("payment_id")),
        status=None if status is None else PaymentStatus(status),
        amount_sent=digits_of(fields.get("amount")),
        amount=_amount(fields, amounts),
        event_generated_time=_time(envelope),
        failed_reason=_text(fields.get("failed_reason")),
        retry_payment_id=_uuid(fields.get("retry_payment_id")),
        refund_transaction_id=_refund(fields) or _refund(envelope),
        data=_freeze(fields),
        is_verified=is_verified,
    )


def _read(envelope: dict[str, Any], name: str) -> Any:
    if name not in envelope:
        raise WebhookDecodeError(f"the field {name!r} is missing", "$")
    return envelope[name]


def _name(envelope: dict[str, Any]) -> str:
    name = _text(_read(envelope, "event"))
    return _refuse("text", envelope["event"], "$.event") if name is None else name


def _id(envelope: dict[str, Any]) -> str:
    """The id in any form: Paywint publishes UUIDs, ``evt_83a2bfc1``, and a part of a UUID."""
    value = _read(envelope, "id")
    if not isinstance(value, str) or not value:
        _refuse("an id", value, "$.id")
    return str(value)


def _time(envelope: dict[str, Any]) -> datetime:
    value = _read(envelope, "eventGeneratedTime")
    if not isinstance(value, Digits) or not 0 <= (seconds := float(value)) <= _LATEST:
        _refuse("Unix seconds", value, "$.eventGeneratedTime")
    return datetime.fromtimestamp(seconds, UTC)


def _amount(fields: dict[str, Any], unit: Unit | None) -> Any:
    """The amount in dollars; None if another currency is named."""
    is_foreign = (_text(fields.get("currency")) or "USD").strip().upper() != "USD"
    return None if is_foreign else in_dollars(fields.get("amount"), unit)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and not isinstance(value, Digits) else None


def _uuid(value: object) -> UUID | None:
    return UUID(value) if isinstance(value, str) and _UUID.fullmatch(value) else None


def _refund(fields: dict[str, Any]) -> str | None:
    value = fields.get("refund_transaction_id")
    return str(value) if isinstance(value, str) and value else None


def _freeze(fields: dict[str, Any]) -> FrozenDict:
    try:
        return freeze_fields(fields)
    except RecursionError:
        pass
    raise WebhookDecodeError("it is nested too deeply", "$.data")


def _refuse(expected: str, value: object, path: str) -> NoReturn:
    seen = repr(value) if isinstance(value, str | bool | None) else f"a {type(value).__name__}"
    shown = seen if len(seen) <= _SHOWN else f"{seen[:_SHOWN]}…"
    raise WebhookDecodeError(f"expected {expected}, got {shown}", path)


def _load(body: bytes) -> object:
    try:
        # NaN is not an amount, but not a reason to refuse an event either.
        return load(body, parse_int=Digits, parse_float=Digits, parse_constant=lambda name: None)
    except ValueError as error:
        problem = f"no valid JSON ({error})"
    raise WebhookDecodeError(problem)
