"""One HTTP exchange over aiohttp's pool: a request's bytes out, the head of its answer in.

`ClientSession.request` prepares each request for what this SDK never does (redirects, cookies, proxies,
uploads, traces, a task that writes the body): more than half of its price. So an ordinary request is
written here in one piece, most of which is made once a pool. The pool, its connections and the parser
are aiohttp's, and what is used of them below `ClientSession` is known of the releases `IS_KNOWN` looks
for. With others, and for requests out of the ordinary, the session manager asks aiohttp's own way.
Both take their connections from `Pool`, so that neither reads an answer that another request got.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import re
import select
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError

from paywint_async._messages import Request

JSON = "application/json"
IS_KNOWN = aiohttp.__version__.startswith("3.14.")

_PATH = re.compile(r"/[!-\"$-~]*")  # what may stand in a request's first line; "#" would end a URL
_BUFFER = 64 * 1024  # bytes of a body: what is more than twice that waits in the kernel
_CAN_LOOK = hasattr(select, "poll")  # nowhere but on Windows it is missing


class Pool(aiohttp.TCPConnector):
    """aiohttp's pool, which would give away a connection whatever has come over it meanwhile.

    An answer that nobody asked for would be taken for the next request's; so such a connection is
    closed, and so is one that has ended although the loop has not seen it yet: nothing was sent.
    """

    def __init__(self) -> None:
        # Unlimited: the listings and the caller bound what is in flight, not the pool.
        super().__init__(limit=0)
        new: Callable[..., ResponseHandler] = _Protocol
        self._factory = functools.partial(new, loop=self._loop)

    # The request, which has the credentials, is in no local by itself: tracebacks may show those.
    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """A connection on which nothing waits.

        Raises:
            aiohttp.ClientConnectorError: the server spoke, or left, before it was asked anything.
            aiohttp.InvalidURL: the host is no name.
        """
        while True:
            try:
                connection = await super().connect(*args, **kwargs)
            except UnicodeError as error:  # of the name's look-up; anywhere else it says nothing
                raise aiohttp.InvalidURL("") from error
            protocol = connection.protocol
            assert protocol is not None
            # What was never told to expect an answer; by another name in other releases, perhaps.
            is_new = getattr(protocol, "_parser", None) is None
            is_open = protocol.is_connected() if is_new else not _CAN_LOOK or _is_quiet(protocol)
            if is_open and not protocol.should_close:
                return connection
            reason = errno.EPROTO if protocol.is_connected() else errno.ECONNRESET
            connection.close()
            if is_new:  # another one would be no better
                raise aiohttp.ClientConnectorError(connection._key, OSError(reason, ""))


def _is_quiet(protocol: ResponseHandler) -> bool:
    """Whether the kernel has neither bytes nor an end that the loop has not seen yet.

    As long as the loop runs it sees them; between two `loop.run_until_complete` nobody looks.
    """
    assert protocol.transport is not None
    poll = select.poll()
    poll.register(protocol.transport.get_extra_info("socket").fileno(), select.POLLIN)
    return not poll.poll(0)


class _Protocol(ResponseHandler):
    """aiohttp's, which closes the connection when a body breaks, and lets its reader wait on."""

    def set_exception(self, exc: BaseException, *args: Any, **kwargs: Any) -> None:
        super().set_exception(exc, *args, **kwargs)
        body = self._payload
        if isinstance(exc, HttpProcessingError) and body is not None and not body.is_eof():
            # Later: a reader that was woken by the end of a chunk would wait again, and not see it.
            self._loop.call_soon(body.set_exception, exc)


class Answer:
    """An answer that has begun, with the part of `aiohttp.ClientResponse` that is needed here."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self,
        connection: aiohttp.connector.Connection,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
    ) -> None:
        self._connection = connection
        self.status = status
        self.headers = headers
        self.content = content

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def release(self) -> None:
        """Gives the connection back, for the next request, once all was read."""
        self._connection.release()


class Exchange:
    """What is the same for all requests over one pool. Holds the credentials, and shows none of it.

    Args:
        session: its pool and its headers are used.
        url: to which the requests' paths are added.
        tls: as aiohttp has it: a context, or True for the system's.
    """

    __slots__ = ("__head", "_connector", "_path", "_request", "_timeout", "session")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        tls: ssl.SSLContext | bool,
    ) -> None:
        self.session = session
        assert session.connector is not None
        self._connector = session.connector
        self._timeout = session.timeout
        address = yarl.URL(url, encoded=True)
        self._path = address.raw_path.rstrip("/")
        # Stands for all requests where the pool is asked for a connection; it is never sent.
        self._request = aiohttp.ClientRequest(
            "GET",
            address,
            headers=session.headers,
            loop=asyncio.get_running_loop(),
            session=session,
            ssl=tls,
        )
        lines = (f"{name}: {value}\r\n" for name, value in self._request.headers.items())
        self.__head = "".join(lines)

    async def close(self) -> None:
        """Closes every connection of the pool."""
        await self.session.close()

    @staticmethod
    def can_send(request: Request) -> bool:
        """Whether a request is an ordinary one, and aiohttp one that is known."""
        is_usual = request.method == ("GET" if request.body is None else "POST")
        is_plain = is_usual and not request.headers
        return IS_KNOWN and is_plain and _PATH.fullmatch(request.path) is not None

    async def begin(self, request: Request) -> Answer:
        """Sends a request, and returns when the head of its answer is there.

        Raises:
            aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError: nothing was sent.
            aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError: no answer, or not of HTTP.

        Cancellation: closes the connection that was in use.
        """
        connection = await self._connect()
        try:
            protocol, transport = connection.protocol, connection.transport
            assert protocol is not None  # `Pool.connect` has looked
            assert transport is not None
            protocol.set_response_params(read_until_eof=True, read_bufsize=_BUFFER)
            transport.write(self._bytes_of(request))  # in no local: tracebacks may show those
            return await _begun(connection, protocol)
        except BaseException:
            connection.close()
            raise

    async def _connect(self) -> aiohttp.connector.Connection:
        try:
            return await self._connector.connect(self._request, traces=[], timeout=self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error

    def _bytes_of(self, request: Request) -> bytes:
        # The head is in no local here either: a body that is no bytes would show it in a traceback.
        first = f"{request.method} {self._path}{request.path} HTTP/1.1\r\n"
        if request.body is None:
            return f"{first}{self.__head}\r\n".encode()
        last = f"Content-Length: {len(request.body)}\r\nContent-Type: {JSON}\r\n\r\n"
        return f"{first}{self.__head}{last}".encode() + request.body


async def _begun(connection: aiohttp.connector.Connection, protocol: ResponseHandler) -> Answer:
    while True:
        message, content = await protocol.read()
        # Below 200 it is only a notice that an answer will come; 101 is the last word over HTTP.
        if message.code == 101:
            protocol.force_close()
        if not 100 <= message.code < 200 or message.code == 101:
            return Answer(connection, message.code, message.headers, content)
