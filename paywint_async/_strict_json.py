"""Parses JSON strictly, but repairs invalid texts in it. Knows nothing of records.

Strictly: a key twice in one object, ``NaN`` and ``Infinity`` are errors, and numbers keep all digits.
Texts are the exception: a payer's text may be truncated or badly encoded on its way (half an emoji, a
byte of Latin-1, a control character), and must not make an account unreadable.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

UUID_PATTERN = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

# Possessive, and a text that has no end reaches to the end of the document: no quote is read twice.
_TEXT = r'(?s)"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_HALF_A_PAIR = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# Matches escapes one by one, so that the second backslash of `\\` does not begin one.
_DAMAGE = rf"(?s){_PAIR}|(?P<half>{_HALF_A_PAIR})|\\.|(?P<control>[\x00-\x1f])"
_UNSAFE = r"[\\\x00-\x1f]"  # a document without these needs no repair
_SHOWN = 40  # characters of a key that a message shows


class Digits(str):
    """The digits of a JSON number as written; a plain `str` is JSON text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def repair_texts(data: bytes) -> bytes:
    """Makes every text of a document valid; nothing outside of texts is changed.

    Half a surrogate pair and bytes that are not UTF-8 become U+FFFD, control characters are escaped.
    """
    text = data.decode("utf-8", "replace")
    if re.search(_UNSAFE, text) is None:
        return text.encode()
    damage = re.compile(_DAMAGE)
    return re.sub(_TEXT, lambda found: damage.sub(_repaired, found[0]), text).encode()


def _repaired(found: re.Match[str]) -> str:
    if found["half"] is not None:
        return "\ufffd"
    if found["control"] is not None:
        return f"\\u{ord(found['control']):04x}"
    return found[0]


def load(
    data: bytes,
    parse_int: Callable[[str], Any] = int,
    parse_float: Callable[[str], Any] = Decimal,
    parse_constant: Callable[[str], Any] | None = None,
) -> Any:
    """Parses any JSON value; numbers become int and Decimal by default, and keep all their digits.

    ``parse_constant`` reads ``NaN``, ``Infinity`` and ``-Infinity``, which are not JSON; None: they are
    errors.

    Raises:
        ValueError: not strict JSON; the message says what is wrong.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique,
        parse_int=parse_int,
        parse_float=parse_float,
        parse_constant=parse_constant or _refuse_constant,
    )
    try:
        return decoder.decode(repair_texts(data).decode())
    except ArithmeticError:
        problem = "a number's exponent is beyond all bounds"
    except RecursionError:
        problem = "it is nested too deeply"
    raise ValueError(problem)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice[:_SHOWN]!r} comes twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
