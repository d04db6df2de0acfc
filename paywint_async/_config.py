"""The configuration of a client: environment, credentials, retry policy, rate limit. Does no I/O.

The docstrings give the reason for each default.
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
import msgspec

from paywint_async._errors import ConfigurationError

_LARGEST = sys.float_info.max  # a larger whole number overflows a float
# Visible ASCII only: a line break in a header value would add a second header.
_HEADER_VALUE = r"[\x21-\x7e]+"
HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
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
        """The base URL of the environment's API."""
        return _BASE_URLS[self]


_BASE_URLS = {
    Environment.SANDBOX: "https://api.sandbox.paywint.com",
    Environment.PRODUCTION: "https://api.paywint.com",
}


class Credentials:
    """The key and the secret; no other object stores them.

    Neither repr, ``vars``, comparison, copy nor pickle shows them. The constructor never raises, so that
    no frame that has the secret as a local variable is in a traceback: call `check` afterwards.
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
        """Returns the headers with the credentials added; called right before sending."""
        return {**headers, **self.__headers}

    def are_in(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts contains the key or the secret."""
        text = "\n".join(texts)
        for value in map(str, self.__headers.values()):
            if _is_distinctive(value) and value in text:
                return True
        return False

    def redact(self, data: bytes) -> bytes:
        """Replaces key and secret by ``***``, in case an answer echoes them."""
        for value in filter(_is_distinctive, map(str, self.__headers.values())):
            data = re.sub(_as_json_may_write(value), b"***", data)
        return data


def _as_json_may_write(value: str) -> bytes:
    """Returns a pattern that matches the value with any of its characters plain or escaped."""
    return b"".join(
        rb"(?:\\?%s|\\u00(?i:%02x))" % (re.escape(character.encode()), ord(character))
        for character in value
    )


def _is_distinctive(value: str) -> bool:
    """Whether a credential is too long to occur in a text by chance."""
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
    """Returns the number if it is finite and not below ``low``.

    Raises:
        ConfigurationError: otherwise; the message has the name and the value.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and value <= _LARGEST and (value >= low if inclusive else value > low):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    bound = f"{'at least' if inclusive else 'more than'} {low}"
    raise ConfigurationError(f"{name} must be a finite number, {bound}, not {value!r}")


def check_count(name: str, value: object, *, low: int = 1) -> int:
    """Returns the whole number if it is at least ``low``.

    Raises:
        ConfigurationError: otherwise; the message has the name and the value.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= low:
        return value
    raise ConfigurationError(f"{name} must be a whole number, at least {low}, not {value!r}")


def _count(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_count(f"{type(instance).__name__}.{attribute.name}", value)


@attrs.frozen
class RetryPolicy:
    """The limits on the attempts of an operation: their number, the waits between them, the time.

    The wait before attempt ``n + 1`` is drawn uniformly from 0 to
    ``min(max_delay, base_delay × 2^(n-1))`` seconds, and is never shorter than a ``Retry-After``.
    There is no further attempt if it would begin after ``max_elapsed``.

    Args:
        max_attempts: including the first; 4 survive the restart of one server behind a load balancer.
        base_delay: seconds; 0.5 outlasts a brief network failure, and hardly delays an interactive call.
        max_delay: seconds; with 30, a server that recovers is used again soon.
        max_elapsed: seconds for the whole operation, waits included; 120 outlasts a limit per minute.
    """

    max_attempts: int = attrs.field(default=4, validator=_count)
    base_delay: float = attrs.field(default=0.5, validator=_not_negative)
    max_delay: float = attrs.field(default=30.0, validator=_not_negative)
    max_elapsed: float = attrs.field(default=120.0, validator=_positive)


@attrs.frozen
class RateLimit:
    """The rate at which a client sends requests: ``requests`` per ``per_seconds``, evenly spread.

    Args:
        requests: number of requests in each period of ``per_seconds``.
        per_seconds: the length of that period.
        burst: how many may be sent at once after a pause; 1 spaces all of them evenly.
    """

    requests: float = attrs.field(validator=_positive)
    per_seconds: float = attrs.field(default=1.0, validator=_positive)
    burst: int = attrs.field(default=1, validator=_count)


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that may differ between a client and a view of it.

    Args:
        retry: the limits on the attempts of an operation.
        max_concurrency: requests in flight of one listing.
        request_timeout: seconds for one attempt; None: as the client was made.
        headers: sent with each request.
    """

    retry: RetryPolicy
    max_concurrency: int
    request_timeout: float | None = None
    headers: Mapping[str, str] = {}

    def changed(
        self,
        *,
        request_timeout: float | None,
        retry: RetryPolicy | None,
        max_concurrency: int | None,
        headers: Mapping[str, str] | None,
    ) -> CallOptions:
        """A copy with the given options; ``headers`` are added and replace those of the same name.

        Raises:
            ConfigurationError: an option is invalid; the message names it.
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
    """Returns the seconds if they are above zero; raises ConfigurationError otherwise."""
    return check_number("request_timeout", value, low=0, inclusive=False)


def check_retry(retry: object) -> RetryPolicy:
    """Returns the policy; raises ConfigurationError if it is something else."""
    if isinstance(retry, RetryPolicy):
        return retry
    raise ConfigurationError(f"retry must be a RetryPolicy, not {type(retry).__name__}")


def check_headers(headers: object) -> Mapping[str, str]:
    """Returns the headers if a caller may add them to each request. Errors do not show their values.

    Raises:
        ConfigurationError: the SDK sets one of them itself, or it cannot be sent; the message names it.
    """
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a mapping, not {type(headers).__name__}")
    seen = set[str]()
    for name, value in headers.items():
        if not isinstance(name, str) or not re.fullmatch(HEADER_NAME, name):
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
    """Returns the environment of that name.

    Raises:
        ConfigurationError: there is none; the message has ``source``, the value and the allowed names.
    """
    if isinstance(value, str) and value in tuple(Environment):
        return Environment(value)
    names = " or ".join(Environment)
    raise ConfigurationError(f"{source} must be {names}, not {value!r}")


def check_base_url(url: str) -> str:
    """Returns the URL without a trailing slash if credentials may be sent there.

    Raises:
        ConfigurationError: it is not http(s), is plain http to another host than loopback, or contains
            credentials, a query or a fragment.
    """
    try:
        url.encode()  # fails for a lone surrogate and for bytes
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        host.encode("idna")  # as resolving it does: fails for an empty or too long label
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
    """The reason why a path cannot be appended to the base URL as it is; None if it can."""
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
    """Returns the path of the list of sent payments.

    Raises:
        ConfigurationError: it is not a plain path; the message says why.
    """
    problem = path_problem(path) or ("must have no query" if "?" in path else None)
    if problem:
        raise ConfigurationError(f"sent_path {problem}")
    return path


def is_loopback(host: str) -> bool:
    """Whether the host is a loopback address or ``localhost``; no name is resolved."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
