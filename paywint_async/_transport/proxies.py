"""Finds the proxy for requests: the caller's, or that of the environment by curl's rules.

Keeps the proxy's user and password secret.
Source: curl(1), "PROXY PROTOCOL PREFIXES" and "ENVIRONMENT"; curl's lib/noproxy.c.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from ipaddress import ip_address, ip_network
from typing import Any, NoReturn
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from paywint_async._config import is_loopback
from paywint_async._errors import ConfigurationError

_DEFAULT_PORT = 1080  # curl's default
_FORM = "http://[user:password@]host:port"
# For https only: plain http is only used on loopback, without a proxy.
_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class Proxy:
    """The only object that contains the proxy's URL.

    Neither repr, ``vars``, comparison, copy nor pickle shows it. The constructor never raises, so that no
    frame with the password as a local variable is in a traceback: call `check` afterwards.

    Args:
        given: the URL.
        source: the name of the argument or environment variable, for messages.
    """

    __slots__ = ("__given", "source")

    def __init__(self, given: object, source: str = "proxy") -> None:
        self.__given = given
        self.source = source

    def __repr__(self) -> str:
        return "Proxy(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a proxy's password is not pickled or copied")

    def check(self) -> None:
        """Raises ConfigurationError if this is not a usable http proxy."""
        if problem := self._problem():
            raise ConfigurationError(f"{self.source} {problem}")

    @property
    def url(self) -> str:
        """The URL without user and password."""
        parts = self._parts()
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{parts.port or _DEFAULT_PORT}"

    def arguments(self) -> dict[str, Any]:
        """The arguments of `aiohttp.ClientSession.request`, only for the last step."""
        return {"proxy": self.url, "proxy_headers": self._headers()}

    def _headers(self) -> dict[str, str]:
        parts = self._parts()
        if parts.username is None and parts.password is None:
            return {}
        pair = (unquote_to_bytes(parts.username or ""), unquote_to_bytes(parts.password or ""))
        return {"Proxy-Authorization": f"Basic {b64encode(b':'.join(pair)).decode()}"}

    def _parts(self) -> SplitResult:
        return urlsplit(_with_scheme(str(self.__given)))

    def _problem(self) -> str | None:
        if not isinstance(self.__given, str):
            return f"must be a string such as {_FORM}"
        try:
            parts = self._parts()
            host, _ = parts.hostname or "", parts.port
            host.encode("idna")
        except ValueError:
            return f"is not a URL of the form {_FORM}"
        if parts.scheme != "http":
            scheme = parts.scheme if re.fullmatch(r"[a-z0-9+.-]{1,20}", parts.scheme) else "another"
            return (
                f"names a proxy of the scheme {scheme}, which cannot be used: it must be {_FORM}"
                " (for others give `connector`, and trust_env=False)"
            )
        is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
        if not host or not is_bare or re.search(r"[\s\x00-\x1f\\]", self.__given):
            return f"is not a URL of the form {_FORM}"
        return None


def wrap_proxy(given: object) -> Proxy | None:
    """Wraps the caller's proxy, without validation; None stays None."""
    return given if given is None or isinstance(given, Proxy) else Proxy(given)


def find_proxy(host: str, given: Proxy | None, *, trust_env: bool) -> Proxy | None:
    """The validated proxy for a host; None: requests are sent directly.

    Raises:
        ConfigurationError: it cannot be used.
    """
    if not isinstance(trust_env, bool):
        raise ConfigurationError(f"trust_env must be True or False, not {trust_env!r}")
    proxy = given
    if proxy is None and trust_env and not is_loopback(host):
        proxy = _of_environment(host)
    if proxy is not None:
        proxy.check()
    return None if is_loopback(host) else proxy


# Never stores these values in local variables, which tracebacks show: they may have a password.
def _of_environment(host: str) -> Proxy | None:
    if _is_excepted(host, _value_of("no_proxy") or _value_of("NO_PROXY")):
        return None
    names = (name for name in _VARIABLES if _value_of(name))
    return next((Proxy(_value_of(name), name) for name in names), None)


def _value_of(name: str) -> str:
    """The value of a variable; empty if it is not set."""
    return os.environ.get(name, "").strip()


def _with_scheme(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _is_excepted(host: str, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` names a host, its domain, or its network."""
    if no_proxy.strip() == "*":
        return True
    host = host.rstrip(".").lower()
    entries = re.split(r"[\s,]+", no_proxy.lower())
    return any(_covers(entry, host) for entry in entries if entry)


def _covers(entry: str, host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        name = entry.rstrip(".").removeprefix(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False
