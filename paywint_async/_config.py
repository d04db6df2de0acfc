"""How a client is set up: where, who, how patient, how fast. Does no I/O.

Every default has its reason beside it, so that nobody has to tune what they do not understand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, NoReturn
from urllib.parse import urlsplit

import attrs

from paywint_async._errors import ConfigurationError

_LARGEST = sys.float_info.max  # a whole number above it cannot be reckoned with
# Visible ASCII: what a header may carry; a line break would smuggle in a second header.
_HEADER_VALUE = r"[\x21-\x7e]+"
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_TEXT = r"[\x20-\x7e]*"
_OWN_HEADERS = frozenset(
    {
        "x-api-key",
        "x-api-secret",
        "authorization",
        "proxy-authorization",
        "cookie",
        "host",
        "content-length",
        "transfer-encoding",
        "content-type",
        "connection",
        "expect",
        "te",
        "trailer",
        "upgrade",
    }
)
_URL_PATH = r"[^\x00-\x20\x7f-\U0010ffff\\#\"<>^`{|}]*"
_DOT_SEGMENT = r"(?i)/(?:\.|%2e){1,2}(?=/|$)"
# Assumed, by symmetry with the published path of received payments.
SENT_PATH = "/api/user-api/payment/list/payment-sent"


class Environment(StrEnum):
    """Paywint's hosted environments. Source: published base URLs."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"

    @property
    def base_url(self) -> str:
        """Where the environment's API lives."""
        return _BASE_URLS[self]


_BASE_URLS = {
    Environment.SANDBOX: "https://api.sandbox.paywint.com",
    Environment.PRODUCTION: "https://api.paywint.com",
}


class Credentials:
    """The key and the secret, in the one object that holds them.

    Neither repr, ``vars``, comparison, copy nor pickle shows them. Making one never fails, so that no
    frame that still has the secret as a local ends in a traceback: call `check` afterwards.
    """

    __slots__ = ("__headers",)

    def __init__(self, api_key: object, api_secret: object) -> None:
        self.__headers = {"X-Api-Key": api_key, "X-Api-Secret": api_secret}

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled or copied; make the client where it is used")

    def check(self) -> None:
        """Raises ConfigurationError where key or secret cannot be sent in a header."""
        problem = next((p for name in self.__headers if (p := self._problem(name))), None)
        if problem:
            raise ConfigurationError(problem)

    def _problem(self, name: str) -> str | None:
        argument = name[2:].lower().replace("-", "_")
        if not self.__headers[name]:
            return f"{argument} is missing: pass it, or set PAYWINT_{argument.upper()}"
        if not isinstance(self.__headers[name], str):
            return f"{argument} must be a string"
        if not re.fullmatch(_HEADER_VALUE, str(self.__headers[name])):
            return f"{argument} has characters that no header may carry (spaces, line breaks, …)"
        return None

    def sign(self, headers: dict[str, str]) -> dict[str, Any]:
        """The headers of one request with the credentials added: for the last step only."""
        return {**headers, **self.__headers}

    def are_in(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts has the key or the secret in it."""
        text = "\n".join(texts)
        return any(v in text for v in map(str, self.__headers.values()) if _is_telling(v))

    def redact(self, data: bytes) -> bytes:
        """``data`` without the key and the secret, should an answer echo them."""
        for value in filter(_is_telling, map(str, self.__headers.values())):
            data = re.sub(_as_json_may_write(value), b"***", data)
        return data


def _as_json_may_write(value: str) -> bytes:
    """A pattern of the value with any of its characters plain or escaped."""
    return b"".join(
        rb"(?:\\?%s|\\u00(?i:%02x))" % (re.escape(character.encode()), ord(character))
        for character in value
    )


def _is_telling(value: str) -> bool:
    """Whether a credential is long enough not to be part of any text by chance."""
    return len(value) >= 8


def _positive(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    _number_above(instance, attribute, value, 0, inclusive=False)


def _not_negative(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    _number_above(instance, attribute, value, 0, inclusive=True)


def _number_above(
    instance: object, attribute: attrs.Attribute[Any], value: object, low: float, *, inclusive: bool
) -> None:
    name = f"{type(instance).__name__}.{attribute.name}"
    check_number(name, value, low=low, inclusive=inclusive)


def check_number(name: str, value: object, *, low: float, inclusive: bool = True) -> float:
    """The number, where it is finite and not below ``low``.

    Raises:
        ConfigurationError: naming what it is for and what was seen.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and value <= _LARGEST and (value >= low if inclusive else value > low):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    bound = f"{'at least' if inclusive else 'more than'} {low}"
    raise ConfigurationError(f"{name} must be a finite number, {bound}, not {value!r}")


def check_count(name: str, value: object, *, low: int = 1) -> int:
    """The whole number, where it is at least ``low``.

    Raises:
        ConfigurationError: naming what it is for and what was seen.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= low:
        return value
    raise ConfigurationError(f"{name} must be a whole number, at least {low}, not {value!r}")


def _count(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_count(f"{type(instance).__name__}.{attribute.name}", value)


@attrs.frozen
class RetryPolicy:
    """How patient an operation is.

    The wait before attempt ``n + 1`` is drawn evenly from 0 to ``min(max_delay, base_delay × 2^(n-1))``
    seconds; a ``Retry-After`` is never undercut. Nothing is tried once ``max_elapsed`` would pass.

    Args:
        max_attempts: including the first; 4 survives the restart of one server behind a balancer.
        base_delay: seconds; 0.5 is longer than a hiccup and shorter than patience.
        max_delay: seconds; 30 keeps a recovering server from waiting for us.
        max_elapsed: seconds for the whole operation, waits included; 120 outlasts a rate-limit minute.
    """

    max_attempts: int = attrs.field(default=4, validator=_count)
    base_delay: float = attrs.field(default=0.5, validator=_not_negative)
    max_delay: float = attrs.field(default=30.0, validator=_not_negative)
    max_elapsed: float = attrs.field(default=120.0, validator=_positive)


@attrs.frozen
class RateLimit:
    """How fast a client may ask: ``requests`` per ``per_seconds``, evenly spread.

    Args:
        requests: how many, in each span of ``per_seconds``.
        per_seconds: the length of that span.
        burst: how many may leave at once after a pause; 1 is perfectly even.
    """

    requests: float = attrs.field(validator=_positive)
    per_seconds: float = attrs.field(default=1.0, validator=_positive)
    burst: int = attrs.field(default=1, validator=_count)


@attrs.frozen(kw_only=True)
class CallOptions:
    """What may differ between a client and a view of it.

    Args:
        retry: how patient an operation is.
        max_concurrency: requests in flight of one listing.
        request_timeout: seconds for one attempt; None: as the client was made.
        headers: sent with each request.
    """

    retry: RetryPolicy
    max_concurrency: int
    request_timeout: float | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def changed(
        self,
        *,
        request_timeout: float | None,
        retry: RetryPolicy | None,
        max_concurrency: int | None,
        headers: Mapping[str, str] | None,
    ) -> CallOptions:
        """The same with what is given; ``headers`` are added, in place of those of the same name.

        Raises:
            ConfigurationError: one cannot be used; the message names it.
        """
        seconds, at_once = self.request_timeout, self.max_concurrency
        if request_timeout is not None:
            seconds = check_request_timeout(request_timeout)
        if max_concurrency is not None:
            at_once = check_count("max_concurrency", max_concurrency)
        return CallOptions(
            retry=self.retry if retry is None else check_retry(retry),
            max_concurrency=at_once,
            request_timeout=seconds,
            headers=self.headers if headers is None else self._with(check_headers(headers)),
        )

    def _with(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        names = {name.lower() for name in headers}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in names}
        return {**kept, **headers}


def check_request_timeout(value: object) -> float:
    """Seconds above zero; ConfigurationError otherwise."""
    return check_number("request_timeout", value, low=0, inclusive=False)


def check_retry(retry: object) -> RetryPolicy:
    """The policy; ConfigurationError where it is something else."""
    if isinstance(retry, RetryPolicy):
        return retry
    raise ConfigurationError(f"retry must be a RetryPolicy, not {type(retry).__name__}")


def check_headers(headers: object) -> Mapping[str, str]:
    """Headers that a caller may add to each request. Never shows their values.

    Raises:
        ConfigurationError: one that the SDK sets itself, or that cannot be sent; names it.
    """
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a mapping, not {type(headers).__name__}")
    seen = set[str]()
    for name, value in headers.items():
        if not isinstance(name, str) or not re.fullmatch(_HEADER_NAME, name):
            raise ConfigurationError(f"headers: {name!r} is not the name of a header")
        if name.lower() in _OWN_HEADERS:
            raise ConfigurationError(f"headers must not name {name}: the SDK sets that itself")
        if not isinstance(value, str) or not re.fullmatch(_HEADER_TEXT, value):
            raise ConfigurationError(f"headers: the value of {name} cannot be sent in a header")
        if name.lower() in seen:
            raise ConfigurationError(f"headers: {name} is there twice")
        seen.add(name.lower())
    return dict(headers)


def check_environment(value: object, *, source: str = "environment") -> Environment:
    """The environment of that name.

    Raises:
        ConfigurationError: naming ``source``, what was seen and what is allowed.
    """
    if isinstance(value, str) and value in tuple(Environment):
        return Environment(value)
    names = " or ".join(Environment)
    raise ConfigurationError(f"{source} must be {names}, not {value!r}")


def check_base_url(url: str) -> str:
    """The URL without a trailing slash, where it is safe to send credentials there.

    Raises:
        ConfigurationError: not http(s), plain http to anything but loopback, or with credentials,
            query or fragment in it.
    """
    try:
        url.encode()  # half a surrogate pair is no text, and bytes are no URL
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        host.encode("idna")  # what resolving it will do: an empty or endless label fails there
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError("base_url is not a URL") from None
    if "@" in parts.netloc:
        raise ConfigurationError("base_url must not contain credentials")
    if parts.scheme not in ("https", "http") or not host or re.search(r"[\s\x00-\x1f\\]", url):
        raise ConfigurationError(f"base_url must be an https URL with a host, not {url!r}")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"base_url must be https: plain http would show the secret ({url})"
        )
    if "?" in url or "#" in url:
        raise ConfigurationError(f"base_url must have no query and no fragment, not {url!r}")
    return url.rstrip("/")


def path_problem(path: object) -> str | None:
    """What keeps a path from being put behind the base URL as it is; None: nothing."""
    if not isinstance(path, str):
        return f"must be a string, not {type(path).__name__}"
    if not path.startswith("/") or path.startswith("//"):
        return f"must begin with one slash, not {path[:80]!r}"
    if not re.fullmatch(_URL_PATH, path):
        return f"has characters that must be percent-encoded, or a fragment: {path[:80]!r}"
    if re.search(_DOT_SEGMENT, path.partition("?")[0]):
        return f"must not have . or .. as a segment: {path[:80]!r}"
    return None


def check_sent_path(path: str) -> str:
    """The path of the list of sent payments, where a page number can be asked of it.

    Raises:
        ConfigurationError: it is no plain path; the message says why.
    """
    problem = path_problem(path) or ("must have no query" if "?" in path else None)
    if problem:
        raise ConfigurationError(f"sent_path {problem}")
    return path


def is_loopback(host: str) -> bool:
    """Whether the host is this machine itself, without asking any resolver."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
