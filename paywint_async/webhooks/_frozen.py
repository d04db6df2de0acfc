"""JSON as immutable values: frozen mappings, tuples, exact numbers. Knows no event."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from paywint_async._strict_json import Digits

_DEEPEST = 100  # levels; published events have two
_LONGEST_INT = 4_000  # digits; Python converts 4,300 at most
_LARGEST = 10_000  # powers of ten; converting a larger number to an int could fill the memory


class FrozenDict(dict[str, Any]):
    """An immutable and hashable dict; `dict(it)` makes a mutable copy.

    It is a subclass of dict, so JSON encoders and JSON columns of databases accept it.
    """

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def _refuse(self, *args: object, **fields: object) -> NoReturn:
        raise TypeError("it is frozen; change a copy: dict(it)")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = _refuse
    setdefault: Any = _refuse
    update: Any = _refuse


def freeze(value: Any, levels: int = _DEEPEST) -> Any:
    """Converts JSON with `Digits` to an immutable value with ints and Decimals.

    A number above 10 ** 10,000 in exponent notation stays a text.

    Raises:
        RecursionError: it has more levels than `levels`.
    """
    if isinstance(value, Digits):
        return _number(value)
    if not isinstance(value, list | dict):
        return value
    if levels == 0:
        raise RecursionError
    if isinstance(value, list):
        return tuple(freeze(each, levels - 1) for each in value)
    return freeze_fields(value, levels)


def freeze_fields(fields: Mapping[str, Any], levels: int = _DEEPEST) -> FrozenDict:
    """As `freeze`, for an object."""
    return FrozenDict({name: freeze(value, levels - 1) for name, value in fields.items()})


def _number(digits: str) -> int | Decimal | str:
    if digits.lstrip("-").isdigit() and len(digits) <= _LONGEST_INT:
        return int(digits)
    try:
        number = Decimal(digits)
    except ArithmeticError:
        return str(digits)
    is_usable = number.is_finite() and abs(number.adjusted()) <= max(_LARGEST, len(digits))
    return number if is_usable else str(digits)
