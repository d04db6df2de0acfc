"""Reads a JSON object field by field, with FastAPI's messages for the problems.

Knows neither HTTP nor the meaning of the fields.
"""

import json
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any, cast

# Larger numbers exceed a double, and could fill the memory.
_LARGEST_EXPONENT = 308

Problem = tuple[tuple[str | int, ...], str, str]
"""Location, message and type: one entry of the `detail` of a 422."""

_Fault = tuple[str, str]


class InvalidBody(Exception):
    """The body is invalid; `problems` says where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


class Form:
    """A JSON object whose problems are collected until `check`.

    A method that finds a problem records it and returns a placeholder of the right type, so that one
    response names all problems.

    Args:
        body: The request's bytes.

    Raises:
        InvalidBody: The bytes are not a JSON object.
    """

    def __init__(self, body: bytes) -> None:
        self._problems: list[Problem] = []
        self._fields = _object(body)

    def refuse(self, where: tuple[str | int, ...], message: str, kind: str) -> None:
        """Record a problem at this location of the body."""
        self._problems.append((("body", *where), message, kind))

    def check(self) -> None:
        """Raise if there was a problem.

        Raises:
            InvalidBody: With all recorded problems.
        """
        if self._problems:
            raise InvalidBody(self._problems)

    def money(self, name: str, *, at_most: Decimal | None = None) -> Decimal:
        """A required amount: positive, written with at most two decimals."""
        number = self._number(name, ("Input should be a valid decimal", "decimal_type"))
        if number is not None:
            self._note(name, _money_fault(number, at_most))
        return number or Decimal(0)

    def integer(self, name: str, *, at_least: int = 1, among: Collection[int] = ()) -> int:
        """A required integer; `10.0` is one, as in JSON Schema."""
        number = self._number(name, ("Input should be a valid integer", "int_type"))
        if number is not None:
            self._note(name, _integer_fault(number, at_least, among))
        return int(number or 0)

    def text(
        self,
        name: str,
        *,
        shortest: int = 0,
        longest: int | None = None,
        pattern: re.Pattern[str] | None = None,
        nullable: bool = True,
    ) -> str | None:
        """An optional string; lengths count code points."""
        value = self._fields.get(name)
        if value is None and (nullable or name not in self._fields):
            return None
        if not isinstance(value, str):
            self.refuse((name,), "Input should be a valid string", "string_type")
            return None
        self._note(name, _text_fault(value, shortest, longest, pattern))
        return value

    def _number(self, name: str, wrong_type: _Fault) -> Decimal | None:
        value = self._fields.get(name)
        fault = None
        if name not in self._fields:
            fault = "Field required", "missing"
        elif isinstance(value, bool) or not isinstance(value, int | Decimal):
            fault = wrong_type
        elif Decimal(value).adjusted() > _LARGEST_EXPONENT:
            fault = "Input should be a finite number", "finite_number"
        self._note(name, fault)
        return None if fault else Decimal(cast(int | Decimal, value))

    def _note(self, name: str, fault: _Fault | None) -> None:
        if fault:
            self.refuse((name,), *fault)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(body.decode(), parse_float=Decimal, parse_constant=_no_constant)
    # Deep nesting overflows the stack, a huge exponent the decimal type; neither may give a 500.
    except (ValueError, ArithmeticError, RecursionError) as error:
        message = f"JSON decode error: {type(error).__name__}"
        raise InvalidBody([(("body",), message, "json_invalid")]) from None
    if not isinstance(value, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise InvalidBody([(("body",), message, "model_attributes_type")])
    return cast(dict[str, Any], value)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _money_fault(number: Decimal, at_most: Decimal | None) -> _Fault | None:
    if number <= 0:
        return "Input should be greater than 0", "greater_than"
    if cast(int, number.as_tuple().exponent) < -2:
        return "Decimal input should have no more than 2 decimal places", "decimal_max_places"
    if at_most is not None and number > at_most:
        return f"Input should be less than or equal to {at_most}", "less_than_equal"
    return None


def _integer_fault(number: Decimal, at_least: int, among: Collection[int]) -> _Fault | None:
    if number != number.to_integral_value():
        message = "Input should be a valid integer, got a number with a fractional part"
        return message, "int_from_float"
    if among and number not in among:
        return f"Input should be {', '.join(map(str, among))}", "enum"
    if number < at_least:
        return f"Input should be greater than or equal to {at_least}", "greater_than_equal"
    return None


def _text_fault(
    text: str, shortest: int, longest: int | None, pattern: re.Pattern[str] | None
) -> _Fault | None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "Input should be a valid string, without lone surrogates", "string_unicode"
    if len(text) < shortest:
        return f"String should have at least {shortest} characters", "string_too_short"
    if longest is not None and len(text) > longest:
        return f"String should have at most {longest} characters", "string_too_long"
    if pattern is not None and not pattern.fullmatch(text):
        return f"String should match pattern '{pattern.pattern}'", "string_pattern_mismatch"
    return None
