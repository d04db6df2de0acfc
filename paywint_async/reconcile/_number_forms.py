"""Parses amounts as people write them: decimal marks, thousands separators, signs, dollars. Pure.

`44.300` can be $44.30 or $44,300: the decimal mark is determined from all amounts of a column
together, never from one that can be read both ways.
"""

from __future__ import annotations

import re
from decimal import Decimal

MARKS = (".", ",")
MOST_DIGITS = 60
_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_SPACES = " \u00a0\u202f\u2009"  # space, no-break space, narrow no-break space, thin space
_DOLLARS = re.compile(
    r"(?<![0-9.,])\s*(?:US\$|US-\$|USD|\$)\s*|\s*(?:US\$|USD|\$)(?=[)-]?$)", re.IGNORECASE
)
_OTHER_CURRENCY = re.compile(r"[€£¥₹₽₩₪₺₫₱฿₴₦¢]|\b(?!USD\b)[A-Z]{3}\b")
_MINUS_SIGNS = str.maketrans("\u2212\u2013", "--")
_THOUSANDS = {".": f",'’{_SPACES}", ",": f".'’{_SPACES}"}


def _number(mark: str) -> re.Pattern[str]:
    """Match digits, optionally in groups of three (or, as in India, of two before the last three)."""
    grouped = rf"[1-9][0-9]{{0,2}}(?:([{_THOUSANDS[mark]}])[0-9]{{3}})(?:\1[0-9]{{3}})*"
    indian = r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if mark == "." else r"(?!)"
    return re.compile(
        rf"(?:(?:{grouped}|{indian}|[0-9]+)(?:{re.escape(mark)}[0-9]*)?|{re.escape(mark)}[0-9]+)"
    )


_NUMBERS = {mark: _number(mark) for mark in MARKS}


def read_amount(text: str, mark: str) -> Decimal:
    """Parse an amount; it is negative if it has a minus sign, parentheses or ``DR``.

    Args:
        text: as it is in the ledger, not empty.
        mark: the decimal mark, ``.`` or ``,``.

    Raises:
        ValueError: the text is not an amount in dollars with this mark.
    """
    if mark == "." and _PLAIN.fullmatch(text):
        return _decimal(text, text)
    body, is_negative = _unsigned(text)
    if not _NUMBERS[mark].fullmatch(body):
        raise ValueError(_problem(text, mark))
    digits = body.replace(mark, "_")
    for separator in _THOUSANDS[mark]:
        digits = digits.replace(separator, "")
    amount = _decimal(digits.replace("_", "."), text)
    return amount.copy_negate() if is_negative else amount


def marks_of(text: str) -> dict[str, Decimal]:
    """Parse a text with each decimal mark; marks with which it is not an amount are left out."""
    found = {}
    for mark in MARKS:
        try:
            found[mark] = read_amount(text, mark)
        except ValueError:
            continue
    return found


def is_undecided(text: str) -> bool:
    """Return whether the two marks give two different amounts."""
    return len(set(marks_of(text).values())) > 1


def is_plain(text: str) -> bool:
    """Return whether an amount is only digits and a decimal point, as programs write it."""
    return _PLAIN.fullmatch(text) is not None


def _unsigned(text: str) -> tuple[str, bool]:
    """Return the digits with their separators, and whether any form of sign makes them negative."""
    body = _DOLLARS.sub("", text.translate(_MINUS_SIGNS), count=1).strip()
    signs = 0
    if body.startswith("(") and body.endswith(")"):
        body, signs = body[1:-1].strip(), 1
    upper = body.upper()
    if upper.endswith(("CR", "DR")):
        signs += upper.endswith("DR")
        body = body[:-2].strip()
    if body.startswith("-") or body.endswith("-"):
        signs += 1
        body = body[1:] if body.startswith("-") else body[:-1]
    elif body.startswith("+"):
        body = body[1:]
    if signs > 1:
        raise ValueError("has more than one sign")
    return body.strip(), signs == 1


def _decimal(digits: str, text: str) -> Decimal:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"has more than {MOST_DIGITS} digits")
    return Decimal(digits)


def _problem(text: str, mark: str) -> str:
    if _OTHER_CURRENCY.search(text):
        return "is not in US dollars, which Paywint's amounts are in"
    example = "1234.50 or 1,234.50" if mark == "." else "1234,50 or 1.234,50"
    return f"is not an amount such as {example}"
