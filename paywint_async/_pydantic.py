"""Records in models of pydantic and in FastAPI. The only user of pydantic; imported when pydantic asks.

pydantic writes no JSON number with more digits than a float has. So amounts become JSON texts with all
their digits, as pydantic writes every Decimal; `Record.to_json` writes numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_type_hints

import attrs
from pydantic_core import core_schema

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FLOAT_DIGITS = 15  # a float keeps this many decimal digits


def record_schema(record: Any, handler: Any) -> core_schema.CoreSchema:
    """Returns the schema of a record: validates an instance or its fields, serializes its fields."""
    hints = get_type_hints(record)
    fields = {
        field.name: core_schema.typed_dict_field(
            _field_schema(hints[field.name], handler), required=field.default is attrs.NOTHING
        )
        for field in attrs.fields(record)
    }
    as_dict = core_schema.typed_dict_schema(
        fields, extra_behavior="ignore", cls_name=record.__name__
    )
    from_dict = core_schema.no_info_after_validator_function(_maker(record), as_dict)
    return core_schema.json_or_python_schema(
        json_schema=from_dict,
        python_schema=core_schema.union_schema([core_schema.is_instance_schema(record), from_dict]),
        serialization=core_schema.plain_serializer_function_ser_schema(
            _fields_of(record), return_schema=as_dict
        ),
        ref=f"{record.__module__}.{record.__qualname__}:{id(record)}",
        metadata={"pydantic_js_updates": {"title": record.__name__}},
    )


def _maker(record: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda fields: record(**fields)


def _fields_of(record: Any) -> Callable[[Any], dict[str, Any]]:
    """Returns a function that reads the fields unchanged; nested records have schemas of their own."""
    names = [field.name for field in attrs.fields(record)]
    return lambda value: {name: getattr(value, name) for name in names}


def _field_schema(hint: Any, handler: Any) -> core_schema.CoreSchema:
    if type(None) in get_args(hint):
        (inner,) = [each for each in get_args(hint) if each is not type(None)]
        schema = core_schema.nullable_schema(_field_schema(inner, handler))
        return core_schema.with_default_schema(schema, default=None)
    if hint is datetime:
        return core_schema.datetime_schema(tz_constraint="aware")
    if hint is Decimal:
        decimal = core_schema.decimal_schema(allow_inf_nan=False)
        return core_schema.no_info_before_validator_function(_check_number, decimal)
    if isinstance(hint, type) and issubclass(hint, Enum):  # unknown values are kept
        return core_schema.no_info_after_validator_function(hint, core_schema.str_schema())
    return handler.generate_schema(hint)  # type: ignore[no-any-return]


def _check_number(value: Any) -> Any:
    if isinstance(value, float):
        digits = Decimal(repr(value))
        if len(digits.as_tuple().digits) > _FLOAT_DIGITS:
            raise ValueError("a float has lost digits of this amount: pass a Decimal, or text")
        return digits
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a decimal number, such as 150.75")
    return value
