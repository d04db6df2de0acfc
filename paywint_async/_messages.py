"""What passes through the middleware chain: plain values, no I/O types, no credentials."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import attrs

_NO_HEADERS: Mapping[str, str] = {}
# The first of these that an answer has.
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

    ``operation`` is the name of the client's method; ``repeatable`` says whether sending it twice
    does no harm; ``is_bounded`` that its sender already bounds how many are in flight (a listing);
    ``headers`` are extra ones, for a middleware's use; ``attempt`` counts from 1; ``deadline`` is the
    moment on the event loop's clock by which the whole operation must end (None: not set yet);
    ``timeout`` are the seconds for each attempt (None: the client's); ``expects`` are bytes, in lower
    case, without which a 200 is the answer to another request; ``base_url`` is where the client sends it
    (set for each attempt; empty in middlewares around the whole operation).
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
        """The same request with both: `attrs.evolve`, at half its price."""
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
    """One answer, read whole. Header names are in lower case.

    ``attempts`` counts the requests it took to get it.
    """

    status: int
    headers: Mapping[str, str] = _NO_HEADERS
    body: bytes = b""
    attempts: int = 1

    @property
    def request_id(self) -> str | None:
        """What names the request in the API's logs; at most 200 visible characters."""
        for name in REQUEST_ID_HEADERS:
            if value := self.headers.get(name, "").strip():
                return re.sub(r"[^\x20-\x7e]", "?", value[:_LONGEST_REQUEST_ID])
        return None

    @property
    def redacted_headers(self) -> dict[str, str]:
        """The headers, for logs and errors: without the values of cookies, tokens and the like."""
        return {
            name: "***" if re.search(_SECRET_HEADER, name) else value
            for name, value in self.headers.items()
        }

    @property
    def is_large(self) -> bool:
        """Whether reading it would hold the event loop for too long: that is for a thread."""
        return len(self.body) > _LARGE


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Middleware: TypeAlias = Callable[[Request, Handler], Awaitable[Response]]
