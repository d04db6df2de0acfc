"""Sends one request and reads the complete response; translates the errors of aiohttp.

Adds the credentials, which no layer above sees. Knows neither the meaning of responses nor retries.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import urlsplit

import aiohttp
import yarl

from paywint_async._config import HEADER_NAME, Credentials, is_loopback
from paywint_async._errors import (
    ClientClosedError,
    ConfigurationError,
    InvalidRequestError,
    PaywintError,
    RequestTimeoutError,
)
from paywint_async._messages import Handler, Request, Response
from paywint_async._transport.causes import (
    Attempt,
    ConnectionLostError,
    TooLargeError,
    is_foreign,
    translate,
)
from paywint_async._transport.pools import Pool, Pools
from paywint_async._transport.proxies import Proxy, find_proxy
from paywint_async._transport.sessions import (
    MakeConnector,
    RequestProgress,
    SessionFactory,
    close_connection,
    connect_timeout,
)
from paywint_async._transport.user_agent import full_user_agent

# 350 times the largest page seen: real responses are far smaller, and a decompression bomb is stopped.
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
# A body slower than this, in bytes per second, after so many seconds, is slow on purpose.
_SLOWEST_BODY = 1024
_DRIP_GRACE = 5.0
_HEADER_VALUE = r"[\t\x20-\x7e]*"
_JSON = "application/json"
# Decompressing a page takes 40 to 70 µs, as long as its transfer at 4 to 8 Gbit/s; on loopback only.
_UNCOMPRESSED = {"Accept-Encoding": "identity"}


class Transport:
    """Sends requests to one API; connections are opened on first use and closed by `aclose`.

    Args:
        credentials: added to each request as the last step.
        base_url: validated; without a trailing slash.
        request_timeout: seconds for one attempt, from connecting to the last byte of the response.
        ssl_context: for a private certificate authority; None: the system's.
        proxy: the caller's; None: with ``trust_env`` that of the environment, else none.
        connector: makes the connector of each pool; None: the SDK's own.
        connector_owner: whether connectors are closed with the client.
        user_agent: precedes the SDK's own.
        max_response_bytes: the limit after decompression.
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        *,
        request_timeout: float,
        ssl_context: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        trust_env: bool = False,
        connector: MakeConnector | None = None,
        connector_owner: bool = True,
        user_agent: str | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self._credentials = credentials
        self._base_url = base_url if base_url.isascii() else _in_ascii(base_url)
        host = urlsplit(self._base_url).hostname or ""
        self._proxy = find_proxy(host, proxy, trust_env=trust_env)
        factory = SessionFactory(
            request_timeout=request_timeout,
            ssl_context=ssl_context,
            connector=connector,
            connector_owner=connector_owner,
            has_proxy=self._proxy is not None,
        )
        self._pools = Pools(factory.open, may_share=not connector_owner)
        self._tls = factory.tls
        self._headers = {"Accept": _JSON, "User-Agent": full_user_agent(user_agent)}
        if is_loopback(host):
            self._headers |= _UNCOMPRESSED
        self._headers_with_body = self._headers | {"Content-Type": _JSON}
        self._request_timeout = request_timeout
        self._timeout = connect_timeout(request_timeout)
        self._max_response_bytes = max_response_bytes
        self._closed = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client is not pickled or copied; make it where it is used")

    @property
    def is_closed(self) -> bool:
        """True once `aclose` was called."""
        return self._closed

    async def send(self, request: Request) -> Response:
        """Sends one attempt, and returns a response of any status.

        Raises:
            TransportError: no complete response (``sent`` says whether it may have been processed).
            RequestTimeoutError: ``request_timeout`` or the request's deadline has passed.
            ResponseDecodeError: the response is larger than allowed.
            ClientClosedError: the client is closed, or was closed during the request.

        Cancellation: closes the connection; the pool stays usable.
        """
        if self._closed:
            raise ClientClosedError("the client is closed; make a new one")
        return await self._attempt(self._pools.get(), request)

    async def in_turn(self, request: Request, handler: Handler) -> Response:
        """A middleware that limits the requests in flight that have no other limit.

        At most `pools.MAX_CALLS` are sent at the same time; the others wait for their turn, in order. It
        is outside the throttle, so a cooldown that begins meanwhile also delays requests that wait here.

        Raises:
            RequestTimeoutError: there was no turn before the request's deadline.
            ClientClosedError: as `send`.
        """
        if request.is_bounded or self._closed:  # `send` raises if the client is closed
            return await handler(request)
        turns = self._pools.turns()
        if turns.locked():
            await _wait_for_turn(turns, request)
        else:
            await turns.acquire()  # at once
        try:
            return await handler(request)
        finally:
            turns.release()

    async def in_outer_turn(self, request: Request, handler: Handler) -> Response:
        """As `in_turn`, for a ``handler`` that may send further requests, which take no further turn.

        Otherwise a deadlock is possible: all turns are taken by calls that wait for another turn.
        """
        if request.is_bounded:
            return await handler(request)
        outer = _outer_turn.get()
        if outer is not None and outer.transport is self:
            return await handler(request)
        turn = _OuterTurn(self)
        token = _outer_turn.set(turn)
        try:
            return await self.in_turn(request, handler)
        finally:
            turn.transport = None  # also for tasks that were started meanwhile
            _outer_turn.reset(token)

    async def aclose(self) -> None:
        """Closes all connections. Requests in flight raise `ClientClosedError`. Idempotent."""
        self._closed = True
        await self._pools.aclose()

    def __del__(self) -> None:
        pools: Pools | None = getattr(self, "_pools", None)  # None: it could not be made
        if pools is None:
            return
        pools.drop_ended()
        if pools.are_left_open():
            message = (
                f"unclosed client of {self._base_url}: use `async with`, or await its aclose()"
            )
            warnings.warn(message, ResourceWarning, source=self, stacklevel=2)

    async def _attempt(self, pool: Pool, request: Request) -> Response:
        progress = RequestProgress()
        try:
            with pool.deadlines.until(self._attempt_deadline(request)):
                return await self._exchange(pool, request, progress)
        except asyncio.CancelledError as error:
            failure: BaseException = error.with_traceback(None)
        except Exception as error:
            if not progress.is_passed_on and not is_foreign(error):
                raise
            failure = self._translate(request, progress, error)
        # Raised outside the handlers, so that it has no foreign exception as its context (those print
        # request headers), and no frame of the traceback has aiohttp's objects (which have them).
        raise failure

    async def _exchange(self, pool: Pool, request: Request, progress: RequestProgress) -> Response:
        session = pool.session(repeatable=request.repeatable)
        url, headers = _join(self._base_url, request.path), self._headers_of(request)
        progress.is_passed_on = True
        # Not in a local variable, which tracebacks show: the arguments have the proxy's password.
        answer = await session.request(
            request.method,
            url,
            data=request.body,
            headers=self._credentials.sign(headers),
            allow_redirects=False,
            timeout=self._timeout if request.timeout is None else connect_timeout(request.timeout),
            ssl=self._tls,
            middlewares=() if request.method == "POST" else _SEND_ONCE,
            trace_request_ctx=progress,
            **self._proxy_arguments(),
        )
        try:
            if answer.content.is_eof():  # the body is complete
                body = self._check_size(answer.content.read_nowait())
            else:
                body = await self._read(pool, answer)
        except BaseException:
            answer.close()
            raise
        # By now aiohttp has taken the connection back, which it does when the body is complete.
        if answer.status < 200:  # an upgraded connection, which aiohttp does not take back
            answer.close()
        elif not request.repeatable:
            close_connection(answer)
        elif _is_of_another(request, answer, body) and not close_connection(answer):
            await session.close()  # closes all its connections
        return self._respond(answer, body)

    def _proxy_arguments(self) -> dict[str, Any]:
        return {} if self._proxy is None else self._proxy.arguments()

    def _headers_of(self, request: Request) -> dict[str, str]:
        body = request.body
        headers = self._headers if body is None else self._headers_with_body
        if body is not None and not isinstance(body, bytes):  # aiohttp would guess its type
            raise TypeError(f"a request's body must be bytes, not {type(body).__name__}")
        if not request.headers:
            return headers
        extra = {k: v for k, v in _checked(request.headers).items() if k.lower() != "content-type"}
        names = {name.lower() for name in extra}
        return {**{k: v for k, v in headers.items() if k.lower() not in names}, **extra}

    def _respond(self, answer: aiohttp.ClientResponse, body: bytes) -> Response:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        may_echo = _may_echo(answer.status, body)
        if may_echo:
            body = self._credentials.redact(body)
        if may_echo or self._credentials.are_in(headers.values()):
            headers = {name: self._redacted(value) for name, value in headers.items()}
        return Response(status=answer.status, headers=headers, body=body)

    def _redacted(self, text: str) -> str:
        data = text.encode("utf-8", "surrogateescape")  # a header need not be UTF-8
        return self._credentials.redact(data).decode("utf-8", "surrogateescape")

    def _attempt_deadline(self, request: Request) -> float:
        seconds = self._request_timeout if request.timeout is None else request.timeout
        deadline = asyncio.get_running_loop().time() + seconds
        return deadline if request.deadline is None else min(deadline, request.deadline)

    def _check_size(self, body: bytes) -> bytes:
        if len(body) > self._max_response_bytes:
            raise TooLargeError(self._max_response_bytes)
        return body

    async def _read(self, pool: Pool, answer: aiohttp.ClientResponse) -> bytes:
        pool.bodies.begin(answer)
        try:
            return await self._read_counted(answer.content)
        finally:
            pool.bodies.end(answer)

    async def _read_counted(self, content: aiohttp.StreamReader) -> bytes:
        """Reads the body with limits of size and rate, which aiohttp does not have."""
        clock = asyncio.get_running_loop().time
        started, size = clock(), 0
        chunks: list[bytes] = []
        while chunk := await content.readany():
            size += len(chunk)
            if size > self._max_response_bytes:
                raise TooLargeError(self._max_response_bytes)
            chunks.append(chunk)
            if content.at_eof():  # complete, so its rate does not matter
                break
            elapsed = clock() - started
            if elapsed > _DRIP_GRACE and size < elapsed * _SLOWEST_BODY:
                raise TimeoutError
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _translate(
        self, request: Request, progress: RequestProgress, error: Exception
    ) -> PaywintError:
        if self._closed:
            message = f"{request.operation}: the client was closed during the request"
            return ClientClosedError(message, sent=True)
        attempt = Attempt(
            operation=request.operation,
            url=self._base_url,
            proxy=None if self._proxy is None else self._proxy.url,
            is_unsent=progress.is_unsent,
            redact=self._redacted if self._proxy is None else None,  # not the proxy's password
        )
        return translate(attempt, error)


def _is_of_another(request: Request, answer: aiohttp.ClientResponse, body: bytes) -> bool:
    """Whether this is the response to another request; then the connection must not be used again."""
    expected = request.expects
    if not expected or answer.status != 200 or body.find(expected) >= 0:
        return False
    return expected not in body.lower()


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keeps aiohttp from resending a request other than POST when the connection is lost.

    aiohttp does so once, also on new connections. Repeating is the task of the retry middleware.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:  # nothing was sent
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        lost = ConnectionLostError(error)
    raise lost


_SEND_ONCE = (_send_once,)


class _OuterTurn:
    """The turn of a call that may make further calls."""

    __slots__ = ("transport",)

    def __init__(self, transport: Transport) -> None:
        self.transport: Transport | None = transport


_outer_turn: ContextVar[_OuterTurn | None] = ContextVar("paywint_outer_turn", default=None)


async def _wait_for_turn(turns: asyncio.Semaphore, request: Request) -> None:
    try:
        async with asyncio.timeout_at(request.deadline):
            await turns.acquire()
            return
    except TimeoutError:
        message = f"{request.operation}: no free connection before its deadline"
    error = RequestTimeoutError(message, sent=False)
    error.attempts = request.attempt - 1
    raise error


def _in_ascii(url: str) -> str:
    """The URL in ASCII, as browsers send it; the resolver could convert the host differently."""
    try:
        address = yarl.URL(url)
        (address.raw_host or "").encode("idna")  # as the resolver will do
        return str(address)
    except ValueError:
        raise ConfigurationError(f"base_url names no host: {url!r}") from None


@lru_cache(maxsize=1024)  # few paths, besides those of payments that are requested repeatedly
def _join(base_url: str, path: str) -> yarl.URL:
    if not path.startswith("/"):  # it could become part of the host's name
        raise InvalidRequestError("path", f"must begin with a slash, not {path[:80]!r}")
    return yarl.URL(base_url + path, encoded=True)


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a middleware, checked so that none can add further ones."""
    for name, value in headers.items():
        if not re.fullmatch(HEADER_NAME, name) or not re.fullmatch(_HEADER_VALUE, value):
            raise InvalidRequestError("headers", f"{name!r} cannot be sent as a header")
    return headers


def _may_echo(status: int, body: bytes) -> bool:
    """Whether a response may repeat the request's credentials: any response but payments."""
    return status != 200 or not _PAYMENT_KEY.search(body, 0, 2048)


_PAYMENT_KEY = re.compile(rb'"(?:payment_id|checkout_token|records)"')
