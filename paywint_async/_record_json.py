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
from paywint_async._strict_json import load

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
                An amount must be a JSON number, also in a record inside this one.
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
def money_fields(hint: Any) -> tuple[str, ...]:
    """The names of the Decimal fields, which must not be read from JSON text, at any depth of a type."""
    return tuple(
        inner_name
        for name, inner in _fields_with_money(hint)
        for inner_name in money_fields(inner) or (name,)
    )


@cache
def _fields_with_money(hint: Any) -> tuple[tuple[str, Any], ...]:
    """The fields of the records in a type that hold a Decimal: the names in JSON, and the types."""
    return tuple(
        (name, inner)
        for part in (hint, *parts_of(hint))
        for name, inner in _fields(part)
        if Decimal in (inner, *parts_of(inner)) or _fields_with_money(inner)
    )


def _fields(record: Any) -> list[tuple[str, Any]]:
    """The names in JSON and the types of a record's fields; none of a type that is no record."""
    structs: tuple[str, ...] = getattr(record, "__struct_fields__", ())
    if not structs and not attrs.has(record):
        return []
    in_json: tuple[str, ...] = getattr(record, "__struct_encode_fields__", ())
    names = dict(zip(structs, in_json, strict=True))
    return [(names.get(name, name), hint) for name, hint in get_type_hints(record).items()]


def parts_of(hint: Any) -> Sequence[Any]:
    """The types within a type hint at any depth, such as in ``tuple[Payment, ...] | None``."""
    parts = get_args(hint)
    return [*parts, *(inner for part in parts if get_origin(part) for inner in parts_of(part))]


def refuse_text_money(value: Any, hint: Any, path: str) -> None:
    """Refuses an amount as JSON text, which the decoder would accept, even ``"1_000"`` and ``"NaN"``.

    Args:
        value: a JSON value, whose numbers are numbers or `Digits`.
        hint: the type of the value: a record, or any type that has records in it. Lists, and records
            inside records, are followed.
        path: the path of the value.

    Raises:
        ResponseDecodeError: an amount is text; has the path of the field.
    """
    if isinstance(value, list):
        for index, each in enumerate(value):
            refuse_text_money(each, hint, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, inner in _fields_with_money(hint):
            refuse_text_money(value.get(name), inner, f"{path}.{name}")
    elif type(value) is str and Decimal in (hint, *parts_of(hint)):  # neither a number nor Digits
        raise ResponseDecodeError("Expected `number`, got `str`", path)


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
