"""Bytes → `WebhookEvent`, strictly. Knows nothing of signatures, clocks or HTTP.

A webhook's ``amount`` is in cents, while the REST API's is in dollars. Only an integer can be cents,
so anything with a point, an exponent or quotes is refused: it may be dollars.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from paywint_async import PaymentStatus, WebhookDecodeError, WebhookEventName
from paywint_async.webhooks._event import WebhookEvent

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CENTS = re.compile(r"[0-9]+")
_LATEST = 253_402_300_799  # Unix seconds: the end of the year 9999
_SHOWN = 40  # characters of a value that is wrong


class _Number(str):
    """A JSON number, kept as it was written; plain `str` is JSON text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def decode_event(body: bytes, *, is_verified: bool) -> WebhookEvent:
    """The event of a delivery's body; fields it does not know are ignored.

    Raises:
        WebhookDecodeError: not JSON, a key comes twice in one object, or a field is absent or of
            another kind than published; names the ``$.path`` of the problem.
    """
    envelope = _Object(_load(body), "$")
    data = _Object(envelope.read("data"), "$.data")
    return WebhookEvent(
        id=envelope.uuid("id"),
        event=WebhookEventName(envelope.text("event")),
        payment_id=data.uuid("payment_id"),
        status=PaymentStatus(data.text("status")),
        amount=data.cents("amount"),
        event_generated_time=envelope.time("eventGeneratedTime"),
        failed_reason=data.text("failed_reason") if data.has("failed_reason") else None,
        retry_payment_id=data.uuid("retry_payment_id") if data.has("retry_payment_id") else None,
        is_verified=is_verified,
    )


class _Object:
    """A JSON object and where it stands."""

    def __init__(self, value: object, path: str) -> None:
        self._path = path
        if not isinstance(value, dict):
            _refuse("an object", value, path)
        self._fields: dict[str, Any] = value

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def read(self, name: str) -> Any:
        if name not in self._fields:
            raise WebhookDecodeError(f"the field {name!r} is missing", self._path)
        return self._fields[name]

    def text(self, name: str) -> str:
        value = self.read(name)
        if not isinstance(value, str) or isinstance(value, _Number) or not _is_unicode(value):
            self._refuse(name, "text")
        return value

    def uuid(self, name: str) -> UUID:
        value = self.text(name)
        if not _UUID.fullmatch(value):
            self._refuse(name, "a UUID")
        return UUID(value)

    def cents(self, name: str) -> Decimal:
        """Cents as dollars: the point is moved in the text, so nothing can be rounded."""
        value = self.read(name)
        if not isinstance(value, _Number) or not _CENTS.fullmatch(value):
            self._refuse(name, "whole cents")
        return Decimal(f"{value}e-2")

    def time(self, name: str) -> datetime:
        value = self.read(name)
        if not isinstance(value, _Number) or not 0 <= (seconds := float(value)) <= _LATEST:
            self._refuse(name, "Unix seconds")
        return datetime.fromtimestamp(seconds, UTC)

    def _refuse(self, name: str, expected: str) -> NoReturn:
        _refuse(expected, self._fields[name], f"{self._path}.{name}")


def _refuse(expected: str, value: object, path: str) -> NoReturn:
    seen = repr(value) if isinstance(value, str | bool | None) else f"a {type(value).__name__}"
    shown = seen if len(seen) <= _SHOWN else f"{seen[:_SHOWN]}…"
    raise WebhookDecodeError(f"expected {expected}, got {shown}", path)


def _is_unicode(text: str) -> bool:
    """Half of a surrogate pair is no character, and would fail wherever it is printed or stored."""
    return not re.search(r"[\ud800-\udfff]", text)


def _load(body: bytes) -> object:
    try:
        return _decode(body.decode())
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except RecursionError:
        problem = "it is nested too deeply"
    except ValueError as error:
        problem = f"no valid JSON ({error})"
    raise WebhookDecodeError(problem)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r:.{_SHOWN}} comes twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_decode = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=_refuse_constant,
).decode
