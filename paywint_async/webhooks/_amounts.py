"""Converts the ``amount`` of a webhook to dollars, if its unit is known. Knows no JSON.

Paywint documents the same deliveries once with cents and once with dollars, so a whole number may be
either. Nothing is guessed: if neither the caller nor the digits show the unit, there is no amount.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, TypeAlias

from paywint_async._strict_json import Digits

Unit: TypeAlias = Literal["cents", "dollars"]
UNITS = ("cents", "dollars")

_NUMBER = re.compile(
    r"(?P<plain>-?[0-9]+(?:\.(?P<decimals>[0-9]+))?)(?:[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
)
_DECIMALS = 2  # of a dollar


def digits_of(value: object) -> str | None:
    """The digits of a number, or of a text with a number; None for other values."""
    if isinstance(value, Digits):
        return str(value)
    return value if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def in_dollars(value: object, unit: Unit | None) -> Decimal | None:
    """The exact amount; None if its unit is not known, or the digits contradict the unit.

    A number with a fraction can only be dollars, as can a text with a point (``"100.00"``). But some
    programs write 599 as ``599.0``. More than two decimals do not show a unit: ``1998.9999999999998``
    may be 19.99 dollars, converted to cents by a float.
    """
    digits = digits_of(value)
    found = None if digits is None else _NUMBER.fullmatch(digits)
    if found is None:  # not a number, or one with a huge exponent
        return None
    number = Decimal(found[0])
    if unit == "dollars":
        return _plain(number)
    is_written = (
        not isinstance(value, Digits) and found["exponent"] is None
    )  # in the notation for money
    decimals = len(found["decimals"] or "") if is_written else _decimals(number)
    if unit == "cents":
        return None if decimals else _cents(number)
    return number if 0 < decimals <= _DECIMALS else None


def _decimals(number: Decimal) -> int:
    """The number of decimals, without trailing zeros."""
    _sign, digits, exponent = _parts(number)
    written = "".join(map(str, digits)).rjust(-exponent, "0")[exponent:] if exponent < 0 else ""
    return len(written.rstrip("0"))


def _plain(number: Decimal) -> Decimal:
    """The number without a positive exponent: ``1E+2`` as 100."""
    sign, digits, exponent = _parts(number)
    return number if exponent <= 0 else Decimal((sign, digits + (0,) * exponent, 0))


def _cents(number: Decimal) -> Decimal:
    """Converts whole cents to dollars by moving the point in the digits, without rounding."""
    sign, digits, exponent = _parts(_plain(number))
    return Decimal((sign, digits[:exponent] if exponent else digits, -_DECIMALS))


def _parts(number: Decimal) -> tuple[int, tuple[int, ...], int]:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # it is finite
    return sign, digits, exponent
