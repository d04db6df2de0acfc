"""Finds a password in a destination, for the places where others could read it."""

from __future__ import annotations

import re

# As SQLAlchemy reads a URL: the name may contain "@", the password anything else.
_PASSWORD = re.compile(
    r"[^/?#]*://[^:/]*:[^@]*@|[^/?#]*://.*[?&](?:ssl)?pass(?:word|wd)?=",
    re.IGNORECASE | re.DOTALL,
)


def has_password(output: str) -> bool:
    """Whether an output is a database URL with a password in it."""
    return _PASSWORD.match(output) is not None
