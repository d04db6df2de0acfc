"""JSON of every record, and the places of the amounts in it, derived from the types of their fields."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from paywint_async._record_json import Record

Place = tuple[str | int, ...]
TEXTS = {UUID: "d4211545-cfc9-4aa0-8fcc-e4c2639e8052", datetime: "2025-06-16T10:04:51.739761Z"}


def record_classes() -> list[type[Record]]:
    """Every class of records that the package defines."""
    defined = {
        each.__name__: each
        for each in Record.__subclasses__()
        # attrs makes a second class with slots; the first one may still exist.
        if getattr(sys.modules[each.__module__], each.__name__) is each
    }
    return sorted(defined.values(), key=lambda each: each.__name__)


def sample(hint: Any) -> Any:
    """A JSON value of that type, in which every field is present and every list has two items."""
    arguments = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (each for each in arguments if each is not NoneType)
        return sample(inner)
    if get_origin(hint) in (tuple, list):
        assert get_origin(hint) is list or arguments[1] is ..., "a tuple of any length"
        return [sample(arguments[0]), sample(arguments[0])]
    if is_object(hint):
        return {name: sample(inner) for name, inner in fields(hint)}
    if issubclass(hint, Enum):
        return next(iter(hint)).value
    if hint in TEXTS:
        return TEXTS[hint]
    return {str: "text", bool: True, int: 1, float: 1.5, Decimal: 5, Any: None}[hint]


def amounts(hint: Any) -> Iterator[Place]:
    """The places in the sample of that type which have a Decimal."""
    arguments = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        for inner in arguments:
            yield from amounts(inner)
    elif get_origin(hint) in (tuple, list):
        yield from ((index, *place) for index in (0, 1) for place in amounts(arguments[0]))
    elif is_object(hint):
        yield from ((name, *place) for name, inner in fields(hint) for place in amounts(inner))
    elif hint is Decimal:
        yield ()


def with_value(value: Any, place: Place, replacement: Any) -> Any:
    """A copy of a JSON value with another value at a place."""
    if not place:
        return replacement
    changed = copy.copy(value)
    changed[place[0]] = with_value(value[place[0]], place[1:], replacement)
    return changed


def path_of(place: Place) -> str:
    """The place as an error names it, such as ``$.records[0].amount``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)


def is_object(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Record | msgspec.Struct)


def fields(record: Any) -> list[tuple[str, Any]]:
    """The names in JSON and the types of a record's fields."""
    hints = get_type_hints(record)
    if issubclass(record, msgspec.Struct):
        names = zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
        return [(json_name, hints[name]) for name, json_name in names]
    return list(hints.items())
