"""Reads the client's configuration from the environment, as far as a report may show it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from paywint_async import Environment
from paywint_async._doctor.observations import Setup
from paywint_async._transport import find_proxy


def read_setup() -> Setup:
    """Reads what `PaywintClient.from_env` reads, except the credentials; keeps invalid values as given.

    Raises:
        ConfigurationError: the environment names a proxy that cannot be used.
    """
    environment = os.environ.get("PAYWINT_ENVIRONMENT") or Environment.SANDBOX.value
    is_known = environment in tuple(Environment)
    hosted = Environment(environment).base_url if is_known else ""
    base_url = (os.environ.get("PAYWINT_BASE_URL") or hosted).rstrip("/")
    proxy = find_proxy(_host(base_url), None, trust_env=True)
    return Setup(
        environment=environment,
        base_url=base_url,
        proxy_source=None if proxy is None else proxy.source,
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
