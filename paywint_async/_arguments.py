"""Checks the arguments of calls; an invalid one is an InvalidRequestError before anything is sent.

Knows the bounds of single values; does not know which operation sends them, or how.
Source of every bound: the published Payment API, unless a comment says "assumed".
"""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from uuid import UUID

from paywint_async._errors import InvalidRequestError
from paywint_async._models import Direction
from paywint_async._strict_json import UUID_PATTERN

ROWS_PER_PAGE = (10, 20, 50, 100)
UUID_TEXT = re.compile(UUID_PATTERN)
_MAX_DIGITS = 30  # assumed: no payment is larger, and a large exponent must not be written as zeros


def check_amount(amount: object, *, at_most: Decimal | None = None) -> Decimal:
    """Returns the amount in dollars, without an exponent: above zero, finite, at most two decimals.

    Raises:
        InvalidRequestError: anything else; a float too, since it has already lost cents.
    """
    if isinstance(amount, float):
        raise InvalidRequestError("amount", f"a float loses cents: use Decimal('{amount}')")
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
        raise InvalidRequestError(
            "amount", f"must be a Decimal or int, not {type(amount).__name__}"
        )
    if isinstance(amount, Decimal) and not amount.is_finite():
        raise InvalidRequestError("amount", f"must be finite, not {amount}")
    return _check_digits(Decimal(amount), at_most)


def _check_digits(amount: Decimal, at_most: Decimal | None) -> Decimal:
    _sign, digits, exponent = amount.as_tuple()
    if amount.adjusted() >= _MAX_DIGITS or len(digits) > _MAX_DIGITS + 2:
        raise InvalidRequestError("amount", f"has more than {_MAX_DIGITS} digits")
    if amount <= 0:
        raise InvalidRequestError("amount", f"must be above zero, not {amount}")
    # Not `amount % cent`: the caller's decimal context may be too narrow for it.
    decimals = -int(exponent)
    if decimals > 2 and any(digits[2 - decimals :]):
        raise InvalidRequestError("amount", f"has more than two decimals: {amount}")
    if at_most is not None and amount > at_most:
        raise InvalidRequestError("amount", f"must be at most {at_most}, not {amount}")
    return Decimal(f"{amount:f}")


def check_payment_id(payment_id: object, field: str = "payment_id") -> UUID:
    """Returns the id as a UUID.

    Raises:
        InvalidRequestError: no UUID, or a string that is not in the 8-4-4-4-12 form.
    """
    if isinstance(payment_id, UUID):
        return payment_id
    if isinstance(payment_id, str) and UUID_TEXT.fullmatch(payment_id):
        return UUID(payment_id)
    raise InvalidRequestError(field, f"must be a UUID, not {payment_id!r}")


def check_direction(direction: object) -> Direction:
    """Returns the direction of that name.

    Raises:
        InvalidRequestError: neither "sent" nor "received".
    """
    if isinstance(direction, str) and direction in tuple(Direction):
        return Direction(direction)
    raise InvalidRequestError("direction", f"must be 'sent' or 'received', not {direction!r}")


def check_whole(field: str, value: object, *, low: int) -> int:
    """Returns a whole number of at least ``low``; raises InvalidRequestError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= low:
        return value
    raise InvalidRequestError(field, f"must be a whole number, at least {low}, not {value!r}")


def check_seconds(field: str, value: object) -> float:
    """Returns finite seconds above zero; raises InvalidRequestError otherwise."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value <= sys.float_info.max:  # type: ignore[operator]
        return value  # type: ignore[return-value]
    raise InvalidRequestError(field, f"must be seconds above 0, not {value!r}")


def check_rows_per_page(rows_per_page: object) -> int:
    """Returns a page size of the API: 10, 20, 50 or 100; raises InvalidRequestError otherwise."""
    if type(rows_per_page) is int and rows_per_page in ROWS_PER_PAGE:
        return rows_per_page
    raise InvalidRequestError("rows_per_page", f"must be 10, 20, 50 or 100, not {rows_per_page!r}")


def check_text(field: str, text: object, shortest: int, longest: int) -> str | None:
    """Returns a text of ``shortest`` to ``longest`` characters, or None.

    Raises:
        InvalidRequestError: anything else, or a text with half a surrogate pair. A subclass of `str`
            is a text; an exact `str` is returned.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidRequestError(field, f"must be a string, not {type(text).__name__}")
    text = plain_text(text)
    if not shortest <= len(text) <= longest:
        bounds = f"at most {longest}" if not shortest else f"{shortest} to {longest}"
        raise InvalidRequestError(field, f"must have {bounds} characters, not {len(text)}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequestError(field, "has half a surrogate pair, which is no text")
    return text


def plain_text(text: str) -> str:
    """Returns the characters as an exact `str`, also those of a subclass, such as Django's SafeString."""
    return str.__str__(text)  # `str(text)` is what the subclass makes of it


def check_email(email: object) -> str | None:
    """Returns an email address or None; raises InvalidRequestError otherwise."""
    text = check_text("email", email, 3, 254)
    if text is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise InvalidRequestError("email", f"is not an email address: {text!r}")
    return text
