"""Converts records to dicts and JSON and back, without losing digits. Knows no envelopes or HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Self, get_args, get_origin, get_type_hints

import attrs
import msgspec

from paywint_async._errors import ResponseDecodeError
from paywint_async._strict_json import Digits, load

_encode = msgspec.json.Encoder(decimal_format="number").encode
# JSON allows these line separators inside a text; readers that use `splitlines()` break there.
_SEPARATORS = tuple(
    (character.encode(), f"\\u{ord(character):04x}".encode()) for character in "\x85\u2028\u2029"
)


class Record:
    """Base class of the API's records: values that convert to dicts and JSON, and keep all digits."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, in the API's order: `Decimal`, `UUID`, aware `datetime`, text.

        Nested records become dicts, too.
        """
        names = (field.name for field in attrs.fields(type(self)))  # type: ignore[arg-type]
        return {name: _plain(getattr(self, name)) for name in names}

    def to_json(self) -> str:
        """Returns one JSON object, in the API's order; amounts are numbers with all their digits.

        Times are in UTC, with six decimals and ``Z``.
        """
        return escape_separators(_encode(_timed(self.to_dict()))).decode()

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Parses a record written by `to_json` or by the API; unknown fields are ignored.

        Raises:
            ResponseDecodeError: not strict JSON, or not this record; has the ``$.path`` of the problem.
                An amount must be a JSON number.
        """
        problem, path = "", "$"
        try:
            value = load(data if isinstance(data, bytes) else _encoded(data))
            refuse_text_money(value, cls, "$")
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            problem, _, place = str(error).partition(" - at `")
            path = place.rstrip("`") or "$"
        except ValueError as error:
            problem = f"no valid JSON ({error})"
        raise ResponseDecodeError(problem, path)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Called by pydantic, for models and FastAPI."""
        from paywint_async._pydantic import record_schema

        return record_schema(cls, handler)


def _encoded(text: str) -> bytes:
    """Encodes as UTF-8; half a surrogate pair, which is not a character, becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _timed(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, dict):
        return {name: _timed(each) for name, each in value.items()}
    return [_timed(each) for each in value] if isinstance(value, tuple) else value


@cache
def money_fields(record: type) -> tuple[str, ...]:
    """The Decimal fields of a record, which must not be read from JSON text."""
    hints = get_type_hints(record)
    return tuple(name for name, hint in hints.items() if Decimal in (hint, *parts_of(hint)))


def parts_of(hint: Any) -> Sequence[Any]:
    """The types within a type hint at any depth, such as in ``tuple[Payment, ...] | None``."""
    parts = get_args(hint)
    return [*parts, *(inner for part in parts if get_origin(part) for inner in parts_of(part))]


def refuse_text_money(value: Any, record: type, path: str) -> None:
    """Refuses an amount as JSON text, which the decoder would accept, even ``"1_000"`` and ``"NaN"``.

    Args:
        value: a JSON value, whose numbers are numbers or `Digits`.
        record: the type of the record.
        path: the path of the value.

    Raises:
        ResponseDecodeError: an amount is text; has the path of the field.
    """
    for name in money_fields(record) if isinstance(value, dict) else ():
        amount = value.get(name)
        if isinstance(amount, str) and not isinstance(amount, Digits):
            raise ResponseDecodeError("Expected `number`, got `str`", f"{path}.{name}")


def time_text(moment: datetime) -> str:
    """Formats a time as ISO 8601 in UTC with six decimals and ``Z``, which sorts as text.

    A time that is beyond Python's calendar in UTC keeps its own offset.
    """
    try:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return moment.isoformat(timespec="microseconds")
    return f"{moment.isoformat(timespec='microseconds')}Z"


def escape_separators(data: bytes) -> bytes:
    """Escapes U+0085, U+2028 and U+2029 in JSON, where they can occur only in texts."""
    for separator, escaped in _SEPARATORS:
        # Looking for the first byte alone first takes a tenth of the time.
        if separator[:1] in data and separator in data:
            data = data.replace(separator, escaped)
    return data
