"""The session manager: the only owner of aiohttp's session and translator of its errors.

Turns a `Request` into HTTP and an answer into a `Response`. Adds the credentials, and nobody above
ever sees them. Knows nothing of what the API's answers mean, nor of retries.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import urlsplit

import aiohttp
import yarl
from aiohttp.http import HttpProcessingError

from paywint_async._config import Credentials, is_loopback
from paywint_async._deadlines import Deadlines
from paywint_async._errors import (
    ClientClosedError,
    ConfigurationError,
    InvalidRequestError,
    PaywintError,
    RequestTimeoutError,
    ResponseDecodeError,
    TransportError,
)
from paywint_async._exchange import JSON, Answer, Exchange, Pool
from paywint_async._messages import Request, Response

# 350 times the largest page seen: no honest answer comes near it, and a bomb stops in time.
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
# Loopback connects in microseconds, the far side of the world in under a second.
_CONNECT_TIMEOUT = 10.0
# A body slower than this, in bytes a second, after that many seconds, is kept slow on purpose.
_SLOWEST_BODY = 1024
_DRIP_GRACE = 5.0
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER_VALUE = r"[\t\x20-\x7e]*"
_HEADERS = {"Accept": JSON, "User-Agent": "paywint-async"}
# To inflate a page takes 40 to 70 µs, as long as to send it whole at 4 to 8 Gbit/s: only here.
_UNCOMPRESSED = {"Accept-Encoding": "identity"}


_Pool: TypeAlias = tuple[Exchange, Deadlines]


class _TooLargeError(Exception):
    """Never leaves this module: the frames it passes hold aiohttp's objects, headers and all."""


class SessionManager:
    """One pool of connections to one API, opened on first use, closed by `aclose`.

    Args:
        credentials: added to each request at the last moment.
        base_url: already checked; no trailing slash.
        request_timeout: seconds for one attempt, from connecting to the answer's last byte.
        ssl_context: for a private certificate authority; None: the system's.
        max_response_bytes: after decompression; more is an error.
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        *,
        request_timeout: float,
        ssl_context: ssl.SSLContext | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self._credentials = credentials
        self._base_url = base_url if base_url.isascii() else _in_ascii(base_url)
        self._request_timeout = request_timeout
        # Sooner than the whole attempt, so that what was never sent is known as such.
        self._connect_timeout = min(_CONNECT_TIMEOUT, 0.9 * request_timeout)
        self._tls = ssl_context or True
        self._max_response_bytes = max_response_bytes
        self._pid = os.getpid()
        self._closed = False
        self._foreign: list[object] = []

    @property
    def is_closed(self) -> bool:
        """True once `aclose` was called."""
        return self._closed

    async def send(self, request: Request) -> Response:
        """One attempt, answered with whatever status.

        Raises:
            TransportError: no whole answer (``sent`` tells whether it may have been processed).
            RequestTimeoutError: not within ``request_timeout``, or the request's deadline passed.
            ResponseDecodeError: the answer is larger than allowed.
            ClientClosedError: the client is closed, or was while this was under way.

        Cancellation: closes the connection that was in use; the pool stays usable.
        """
        try:
            return await self._exchange(request)
        except (*_FOREIGN, _TooLargeError) as error:
            failure = self._translate(request, error)
        # Raised out here, so that no foreign exception hangs on it (theirs print request headers),
        # and no frame of the traceback holds aiohttp's session (which has ours).
        raise failure

    async def aclose(self) -> None:
        """Closes every connection. Requests under way end with `ClientClosedError`. Idempotent."""
        self._closed = True
        self._leave_parent()
        while self._pools:
            _, (exchange, deadlines) = self._pools.popitem()
            deadlines.close()
            await exchange.close()

    def __del__(self) -> None:
        if self._pools and self._pid == os.getpid():
            message = (
                f"unclosed client of {self._base_url}: use `async with`, or await its aclose()"
            )
            warnings.warn(message, ResourceWarning, source=self, stacklevel=2)

    async def _exchange(self, request: Request) -> Response:
        exchange, deadlines = self._open_pool()
        with deadlines.until(self._attempt_deadline(request)):
            if exchange.can_send(request):
                answer: Answer | aiohttp.ClientResponse = await exchange.begin(request)
            else:
                answer = await self._begin(exchange.session, request)
            try:
                body = await self._read(answer.content)
            except BaseException:
                answer.close()
                raise
            answer.release()
            return self._respond(answer, body)

    async def _begin(
        self, session: aiohttp.ClientSession, request: Request
    ) -> aiohttp.ClientResponse:
        """What `Exchange.begin` does, by aiohttp's own way."""
        if not request.path.startswith("/"):  # behind the host it could be part of its name
            raise InvalidRequestError("path", f"must begin with a slash, not {request.path[:80]!r}")
        return await session.request(
            request.method,
            _join(self._base_url, request.path),
            data=_payload(request.body),
            headers=self._headers(request),
            allow_redirects=False,
            ssl=self._tls,
        )

    def _respond(self, answer: Answer | aiohttp.ClientResponse, body: bytes) -> Response:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if _may_echo(answer.status, body):
            body = self._credentials.redact(body)
            headers = {name: self._redacted(value) for name, value in headers.items()}
        return Response(status=answer.status, headers=headers, body=body)

    def _redacted(self, text: str) -> str:
        data = text.encode("utf-8", "surrogateescape")  # a header may be no UTF-8 at all
        return self._credentials.redact(data).decode("utf-8", "surrogateescape")

    def _headers(self, request: Request) -> dict[str, str] | None:
        """What the pool's own headers lack; they are repeated, so that none can be replaced."""
        if not request.headers:
            return None
        extra = {k: v for k, v in _checked(request.headers).items() if k.lower() != "content-type"}
        return self._credentials.sign({**extra, **_HEADERS})

    def _attempt_deadline(self, request: Request) -> float:
        deadline = asyncio.get_running_loop().time() + self._request_timeout
        return deadline if request.deadline is None else min(deadline, request.deadline)

    def _open_pool(self) -> _Pool:
        if self._closed:
            raise ClientClosedError("the client is closed; make a new one")
        loop = asyncio.get_running_loop()
        self._leave_parent()
        pool = self._pools.get(loop)
        if pool is None:
            # A loop that has ended took its connections along; nobody can close them any more.
            self._pools = {home: p for home, p in self._pools.items() if not home.is_closed()}
            pool = self._pools[loop] = (self._new_exchange(), Deadlines())
        return pool

    def _leave_parent(self) -> None:
        """After a fork the connections are the parent's: not used here, and not closed either."""
        if self._pid != os.getpid():
            self._foreign.extend(self._pools.values())
            self._pools = {}
            self._pid = os.getpid()

    def _new_exchange(self) -> Exchange:
        return Exchange(self._new_session(), self._base_url, tls=self._tls)

    def _new_session(self) -> aiohttp.ClientSession:
        is_here = is_loopback(urlsplit(self._base_url).hostname or "")
        session = aiohttp.ClientSession(
            headers=self._credentials.sign(_HEADERS | (_UNCOMPRESSED if is_here else {})),
            connector=Pool(),
            cookie_jar=aiohttp.DummyCookieJar(),
            # From the name's look-up to the end of TLS' handshake, and not rounded up to whole seconds.
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=self._connect_timeout,
                ceil_threshold=self._connect_timeout,
            ),
        )
        # aiohttp would send a GET again by itself when its connection is lost; repeating is the
        # retry middleware's job, which counts. There is no public switch.
        session._retry_connection = False
        return session

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        """The body, counted while it comes in: aiohttp itself would take any amount, at any pace."""
        clock = asyncio.get_running_loop().time
        started, size = clock(), 0
        chunks: list[bytes] = []
        while chunk := await content.readany():
            size += len(chunk)
            if size > self._max_response_bytes:
                raise _TooLargeError
            chunks.append(chunk)
            if content.at_eof():  # whole is whole, however long it took
                break
            elapsed = clock() - started
            if elapsed > _DRIP_GRACE and size < elapsed * _SLOWEST_BODY:
                raise TimeoutError
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _translate(self, request: Request, error: Exception) -> PaywintError:
        what = request.operation
        if self._closed:
            message = f"{what}: the client was closed while this was under way"
            return ClientClosedError(message, sent=True)
        if isinstance(error, _TooLargeError):
            return ResponseDecodeError(f"more than {self._max_response_bytes} bytes")
        if isinstance(error, aiohttp.InvalidURL):
            return TransportError(f"{what}: {self._base_url} names no host", sent=False)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return RequestTimeoutError(f"{what}: no connection in time", sent=False)
        if isinstance(error, TimeoutError):
            return RequestTimeoutError(f"{what}: no whole answer in time")
        if isinstance(error, aiohttp.ClientConnectorError):
            cause: OSError = error.os_error
            reason = os.strerror(cause.errno) if cause.errno else type(cause).__name__
            return TransportError(
                f"{what}: cannot connect to {self._base_url} ({reason})", sent=False
            )
        return TransportError(f"{what}: {_WORDS.get(type(error), 'the connection was lost')}")


def _in_ascii(url: str) -> str:
    """The URL as a browser sends it; to look its host up as it is could lead to another one."""
    try:
        return str(yarl.URL(url))
    except ValueError:
        raise ConfigurationError(f"base_url names no host: {url!r}") from None


@lru_cache(maxsize=1024)  # the paths are few, but for those of payments that are asked for again
def _join(base_url: str, path: str) -> yarl.URL:
    return yarl.URL(base_url + path, encoded=True)


def _payload(body: bytes | None) -> aiohttp.BytesPayload | None:
    return None if body is None else aiohttp.BytesPayload(body, content_type=JSON)


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    """A middleware's headers, which must not smuggle in others."""
    for name, value in headers.items():
        if not re.fullmatch(_HEADER_NAME, name) or not re.fullmatch(_HEADER_VALUE, value):
            raise InvalidRequestError("headers", f"{name!r} cannot be sent as a header")
    return headers


def _may_echo(status: int, body: bytes) -> bool:
    """Whether an answer may tell us what we sent: anything but payments."""
    return status != 200 or not _PAYMENT_KEY.search(body, 0, 2048)


_PAYMENT_KEY = re.compile(rb'"(?:payment_id|checkout_token|records)"')
_FOREIGN = (aiohttp.ClientError, HttpProcessingError, OSError, UnicodeError)
_WORDS: dict[type[Exception], str] = {
    aiohttp.ClientPayloadError: "the answer was cut off",
    aiohttp.ServerDisconnectedError: "the server closed the connection without an answer",
    aiohttp.ClientResponseError: "the answer is no valid HTTP",
    HttpProcessingError: "the answer is no valid HTTP",
}
