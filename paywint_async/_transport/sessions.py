"""Makes aiohttp's sessions with the settings of this SDK."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import aiohttp

from paywint_async._errors import ConfigurationError

# Connecting takes microseconds on loopback, and less than a second around the world.
_CONNECT_TIMEOUT = 10.0
_CONNECTOR = "connector must be a callable that makes a new aiohttp.BaseConnector at each call"

MakeConnector: TypeAlias = Callable[[], aiohttp.BaseConnector]


class SessionFactory:
    """Makes the sessions of one client.

    The credentials are not among a session's headers, since aiohttp would also send those to a proxy.

    Args:
        request_timeout: seconds for one attempt.
        ssl_context: for a private certificate authority; None: the system's.
        connector: makes the connector of each session; None: the SDK's own.
        connector_owner: whether the client closes the connectors.
        has_proxy: whether requests go through a proxy.
    """

    def __init__(
        self,
        *,
        request_timeout: float,
        ssl_context: ssl.SSLContext | None = None,
        connector: MakeConnector | None = None,
        connector_owner: bool = True,
        has_proxy: bool = False,
    ) -> None:
        if connector is not None and not callable(connector):
            raise ConfigurationError(f"{_CONNECTOR}, not {type(connector).__name__}")
        self._tls = ssl_context or True
        self._timeout = connect_timeout(request_timeout)
        self._make_connector = connector
        self._is_owner = connector_owner
        self._has_proxy = has_proxy

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """The TLS setting of each request; True: that of its connector."""
        return True if self._make_connector is None else self._tls

    def open(self, is_for_reads: bool) -> aiohttp.ClientSession:
        """A session for the running event loop, which keeps its connections only for reads.

        Raises:
            ConfigurationError: the caller's connector cannot be used.
        """
        return aiohttp.ClientSession(
            connector=self._connector(is_for_reads),
            connector_owner=self._is_owner,
            request_class=self._request_class(is_for_reads),
            response_class=_TrackedResponse,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            # Not for reads, where its cost exceeds its use.
            trace_configs=[] if is_for_reads and not self._has_proxy else [_progress_trace()],
        )

    def _request_class(self, is_for_reads: bool) -> type[aiohttp.ClientRequest]:
        if is_for_reads:
            return aiohttp.ClientRequest if self._is_owner else _TrackedRequest
        return _LastRequest if self._is_owner else _LoneRequest

    def _connector(self, is_for_reads: bool) -> aiohttp.BaseConnector:
        if self._make_connector is None:
            # Without a limit: callers wait before an attempt begins, not within it.
            return aiohttp.TCPConnector(limit=0, ssl=self._tls, force_close=not is_for_reads)
        made: object = self._make_connector()
        if not isinstance(made, aiohttp.BaseConnector):
            raise ConfigurationError(f"{_CONNECTOR}; it made a {type(made).__name__}")
        if made.closed:
            raise ConfigurationError(f"{_CONNECTOR}; it made one that is closed")
        return made


class _TrackedResponse(aiohttp.ClientResponse):
    """A response whose connection can be closed after its release to the connector."""

    connection_protocol: Any = None  # aiohttp's; None: not tracked


class _TrackedRequest(aiohttp.ClientRequest):
    """A request whose response has a reference to its connection."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        protocol = conn.protocol
        answer = await super().send(conn)
        cast(_TrackedResponse, answer).connection_protocol = protocol
        return answer


class _LastRequest(_TrackedRequest):
    """A request after which its connection is closed, with any connector."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        if conn.protocol is not None:
            conn.protocol.force_close()
        return await super().send(conn)


class _LoneRequest(_LastRequest):
    """A request that gets a new connection from a shared connector, not a kept one."""

    @property
    def connection_key(self) -> Any:
        return super().connection_key._replace(proxy_headers_hash=id(self))


def close_connection(answer: aiohttp.ClientResponse) -> bool:
    """Closes the response's connection, even after its release; False if it is not tracked."""
    protocol = getattr(answer, "connection_protocol", None)  # a mock's response has none
    if protocol is None:
        return False
    protocol.close()
    return True


class RequestProgress:
    """The stage that a request has reached: passed on to aiohttp, and in it, if the session traces it."""

    __slots__ = ("is_begun", "is_passed_on", "is_sent")

    def __init__(self) -> None:
        self.is_passed_on = False
        self.is_begun = False
        self.is_sent = False

    @property
    def is_unsent(self) -> bool:
        """Whether it is certain that nothing of the request was sent."""
        return self.is_begun and not self.is_sent


def _progress_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_begin)
    trace.on_request_headers_sent.append(_note_sent)
    return trace


async def _begin(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestStartParams,
) -> None:
    context.trace_request_ctx.is_begun = True


async def _note_sent(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx.is_sent = True


def connect_timeout(request_timeout: float) -> aiohttp.ClientTimeout:
    """The timeout of connecting, in an attempt of so many seconds.

    It is shorter than the attempt's, so that a request that was not sent is recognised. It includes name
    resolution and the TLS handshake, and is not rounded up to whole seconds.
    """
    connect = min(_CONNECT_TIMEOUT, 0.9 * request_timeout)
    return aiohttp.ClientTimeout(total=None, connect=connect, ceil_threshold=connect)
