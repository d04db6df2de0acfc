"""The messages of the middleware chain: requests and answers without I/O types or credentials."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import attrs

_NO_HEADERS: Mapping[str, str] = {}
# In order of preference.
REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "x-amzn-requestid",
    "cf-ray",
)
_LONGEST_REQUEST_ID = 200
_SECRET_HEADER = r"cookie|token|secret|api-?key|authori[sz]ation|authentication-info|session"
_LARGE = 256 * 1024  # bytes: five of the largest pages seen, decoded in about a millisecond


@attrs.frozen(kw_only=True)
class Request:
    """One request to the API, before credentials are added to it.

    ``operation`` is the name of the client's method; ``repeatable``: sending it twice does no harm;
    ``is_bounded``: the sender, such as a listing, limits how many are in flight; ``headers`` are extra
    headers, which a middleware may set; ``attempt`` counts from 1; ``deadline`` is the time on the event
    loop's clock by which the whole operation must end (None: not set yet); ``timeout`` is in seconds, for
    each attempt (None: the client's); ``expects`` are bytes, in lower case, that a 200 must contain, else
    it answers another request; ``base_url`` is the address to which the client sends it (set for each
    attempt; empty in middlewares around the whole operation).
    """

    operation: str
    method: str
    path: str
    body: bytes | None = None
    repeatable: bool = True
    is_bounded: bool = False
    headers: Mapping[str, str] = _NO_HEADERS
    attempt: int = 1
    deadline: float | None = None
    timeout: float | None = None
    expects: bytes | None = None
    base_url: str = ""

    def ready(self, deadline: float, base_url: str) -> Request:
        """A copy with deadline and base URL; twice as fast as `attrs.evolve`."""
        return Request(
            operation=self.operation,
            method=self.method,
            path=self.path,
            body=self.body,
            repeatable=self.repeatable,
            is_bounded=self.is_bounded,
            headers=self.headers,
            attempt=self.attempt,
            deadline=deadline,
            timeout=self.timeout,
            expects=self.expects,
            base_url=base_url,
        )


@attrs.frozen(kw_only=True)
class Response:
    """One complete answer. Header names are in lower case.

    ``attempts`` is the number of requests sent to get it.
    """

    status: int
    headers: Mapping[str, str] = _NO_HEADERS
    body: bytes = b""
    attempts: int = 1

    @property
    def request_id(self) -> str | None:
        """The id of the request in the API's logs, at most 200 visible characters; None without one."""
        for name in REQUEST_ID_HEADERS:
            if value := self.headers.get(name, "").strip():
                return re.sub(r"[^\x20-\x7e]", "?", value[:_LONGEST_REQUEST_ID])
        return None

    @property
    def redacted_headers(self) -> dict[str, str]:
        """The headers for logs and errors, without the values of cookies, tokens and the like."""
        return {
            name: "***" if re.search(_SECRET_HEADER, name) else value
            for name, value in self.headers.items()
        }

    @property
    def is_large(self) -> bool:
        """Whether decoding it would block the event loop for too long, so that a thread does it."""
        return len(self.body) > _LARGE


class SentCallError(Exception):
    """An exception of a middleware after the request may have been sent; never leaves this package."""

    def __init__(self, reason: Exception, attempts: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.attempts = attempts


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Middleware: TypeAlias = Callable[[Request, Handler], Awaitable[Response]]
