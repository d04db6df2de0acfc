"""Builds the ``User-Agent`` header."""

from __future__ import annotations

import re
import sys
from functools import cache

import aiohttp

from paywint_async._errors import ConfigurationError

_SENDABLE = r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?"


def full_user_agent(prefix: object) -> str:
    """``prefix`` and the SDK's own: ``paywint-async/VERSION Python/X.Y aiohttp/X.Y.Z``.

    Raises:
        ConfigurationError: the prefix cannot be sent as a header.
    """
    if prefix is None:
        return _own()
    if not isinstance(prefix, str) or not re.fullmatch(_SENDABLE, prefix):
        raise ConfigurationError(f"user_agent must be visible ASCII text, not {prefix!r}")
    return f"{prefix} {_own()}"


@cache
def _own() -> str:
    from importlib.metadata import (
        distributions,  # takes long to import, and no other module needs it
    )

    installed = distributions(name="paywint-async")
    version = next((each.version for each in installed), "unknown")
    python = f"Python/{sys.version_info.major}.{sys.version_info.minor}"
    return f"paywint-async/{version} {python} aiohttp/{aiohttp.__version__}"
