"""Parses single values of a ledger: text, amounts, ids, directions, currencies. Pure.

Values are text, as from a CSV file, or typed, as from a Parquet file.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from paywint_async.reconcile._forms import ID
from paywint_async.reconcile._number_forms import MOST_DIGITS
from paywint_async.reconcile._words import DIRECTION_WORDS

_RULED = re.compile(r"[-–—_=*\s]+")


def is_filled(value: Any) -> bool:
    """Return whether a value is not blank."""
    return value is not None and (
        not isinstance(value, str) or (value != "" and not value.isspace())
    )


def has_amount(value: Any) -> bool:
    """Return whether a value is filled and not only dashes or a ruled line."""
    return is_filled(value) and not (isinstance(value, str) and _RULED.fullmatch(value))


def text_of(value: Any) -> str:
    """Return a text without the marks that keep a spreadsheet from evaluating or converting it."""
    text = "" if value is None else str(value).strip()
    if text[:1] not in ("'", "="):
        return text
    if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@"):
        return text[1:]
    if text[:2] == '="' and text[-1:] == '"':
        return text[2:-1]
    return text


def typed_amount(value: Any) -> Decimal:
    """Convert a typed value to an amount.

    Raises:
        ValueError: it is not an amount, or not an exact one.
    """
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("is not an amount")
        if abs(value.adjusted()) > MOST_DIGITS:
            raise ValueError(f"has more than {MOST_DIGITS} digits")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        raise ValueError("is a float, in which cents are not exact")
    raise ValueError("is not an amount: it is empty" if value is None else "is not an amount")


def read_id(value: Any) -> UUID | None:
    """Parse a payment's id, also in braces; None if the value is empty.

    Raises:
        ValueError: it is not a UUID.
    """
    if isinstance(value, UUID):
        return value
    if isinstance(value, bytes) and len(value) == 16:
        return UUID(bytes=value)
    text = text_of(value)
    if not text:
        return None
    if not ID.fullmatch(text):
        raise ValueError("is not a payment id, which is a UUID")
    return UUID(text)


def read_direction(value: Any) -> str:
    """Parse a direction: ``sent`` or ``received``.

    Raises:
        ValueError: it is not a known word for either.
    """
    word = DIRECTION_WORDS.get(text_of(value).casefold())
    if word is None:
        raise ValueError("is neither 'sent' nor 'received'")
    return word


def check_currency(value: Any) -> None:
    """Accept US dollars or an empty value.

    Raises:
        ValueError: it is another currency.
    """
    if (text_of(value) or "USD").casefold() != "usd":
        raise ValueError("is not USD, and Paywint's amounts are in US dollars")
