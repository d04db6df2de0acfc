"""A server that writes HTTP byte by byte, so that it can violate the protocol.

`FaultServer(RESET_MID_BODY, GOOD)` plays the first fault on the first request, the second on the
second, and the last one for all others. It runs in the test's own loop, so its waits are virtual.
`requests` has each request that was read completely, so that tests count what the server received.

A fault is a name and its behaviour on the wire. Most are one line: the bytes to send, made from the
`body` of a correct answer, after which the connection is closed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import attrs
from virtual_time import pass_time

# The credentials of the tests' clients, which no message or log may contain.
API_KEY = "11112222-3333-4444-8555-666677778888"
API_SECRET = "pw_test_THE-SECRET-THAT-NOTHING-SHOWS"

PAYMENT_ID = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"
PAYMENT = (
    b'{"payment_id":"d4211545-cfc9-4aa0-8fcc-e4c2639e8052","amount":150.75,"currency":"USD",'
    b'"created_at":"2025-06-16T10:04:51.739761Z","status":"success"}'
)
PAGE = (
    b'{"success":true,"records":[%s],"totalRecords":1,"queryGeneratedTime":1750068291.5}' % PAYMENT
)
GOT = b'{"success":true,"message":"ok","data":%s}' % PAYMENT
LINK = b'{"success":true,"data":{"payment_id":"%s","payment_link":"https://pay.example/1"}}' % (
    PAYMENT_ID.encode()
)
TOKEN = (
    b'{"success":true,"data":{"checkout_token":"token","expires_at":"2025-06-16T11:00:00.000000Z"}}'
)


@attrs.frozen(kw_only=True)
class Seen:
    """One request as read. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@attrs.frozen
class Fault:
    """The server's behaviour for a request; ``before_reading`` is run before the request is read.

    ``tls`` is the server's context, ``trust`` the client's; ``url`` is the address that the client
    uses (None: the server's); ``is_proxy``: the server is a proxy in front of the API.
    """

    name: str
    play: Callable[[Wire], Awaitable[None]] = attrs.field(repr=False)
    before_reading: bool = False
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False, kw_only=True)
    trust: ssl.SSLContext | None = attrs.field(default=None, repr=False, kw_only=True)
    url: str | None = attrs.field(default=None, kw_only=True)
    is_proxy: bool = attrs.field(default=False, kw_only=True)

    def __str__(self) -> str:
        return self.name


class Wire:
    """One connection, and the latest request on it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[Seen]
    ) -> None:
        self.reader = reader
        self._writer = writer
        self._requests = requests

    @property
    def latest(self) -> Seen:
        """The latest request that was read."""
        return self._requests[-1]

    @property
    def good_body(self) -> bytes:
        """The body of a correct answer to the latest request."""
        path = self.latest.path
        bodies = {"link": LINK, "received": PAGE, "sent": PAGE, "developer": TOKEN}
        asked = path.rpartition("/get/")[2].encode()
        got = GOT.replace(PAYMENT_ID.encode(), asked) if "/get/" in path else GOT
        return bodies.get(path.rpartition("-")[2].rpartition("/")[2], got)

    async def read_request(self) -> None:
        """Reads a complete request, and records it."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head[:-4].split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = request_line.split(" ")
        self._requests.append(Seen(method=method, path=path, headers=headers, body=body))

    async def send(self, data: bytes) -> None:
        """Writes the data, and waits until it is passed to the kernel."""
        self._writer.write(data)
        await self._writer.drain()

    async def until_the_client_leaves(self) -> None:
        """Sends nothing more until the client closes the connection."""
        await self.reader.read()

    @property
    def is_open(self) -> bool:
        """Whether another request can follow."""
        return not self._writer.is_closing()

    def close(self) -> None:
        """Closes the connection after everything written has been sent."""
        self._writer.close()

    def abort(self) -> None:
        """Closes the connection at once."""
        self._writer.transport.abort()

    def end(self) -> None:
        """Ends this side's output; the other side can still send."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Resets the TCP connection; data already written may be lost."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        self._writer.transport.abort()


class FaultServer:
    """Plays a sequence of faults to the clients of ``url``; an async context manager."""

    def __init__(self, *script: Fault, tls: ssl.SSLContext | None = None) -> None:
        self._script = list(script) or [GOOD]
        self._tls = tls or self._script[0].tls
        self._conversations: set[asyncio.Task[None]] = set()
        self.requests: list[Seen] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self._tls, backlog=1024
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        if self._script[0].url:
            self.url = self._script[0].url.format(port=port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def open_connections(self) -> int:
        """The number of connections that neither side has closed."""
        return len(self._conversations)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        wire = Wire(reader, writer, self.requests)
        conversation = asyncio.get_running_loop().create_task(self._converse(wire))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, wire: Wire) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):  # the client left
                if self._script[0].before_reading:
                    await self._next_fault().play(wire)
                while wire.is_open:
                    await wire.read_request()
                    await self._next_fault().play(wire)
        except asyncio.CancelledError:
            # The server is shut down; a TLS close would wait for the other side.
            wire.abort()
            raise
        finally:
            wire.close()

    def _next_fault(self) -> Fault:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


Body = bytes | Callable[[bytes], bytes]


def _good(body: bytes) -> bytes:
    return body


def head(length: int | None, status: int = 200, headers: str = "") -> bytes:
    """A status line and headers; ``headers`` are whole lines."""
    size = "" if length is None else f"Content-Length: {length}\r\n"
    return (
        f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{size}{headers}\r\n".encode()
    )


def answer(status: int = 200, body: Body = _good, headers: str = "", *, name: str = "") -> Fault:
    """Correct HTTP on a connection that stays open; ``body`` may be a function of the good body."""

    async def play(wire: Wire) -> None:
        content = body if isinstance(body, bytes) else body(wire.good_body)
        length = None if status == 204 else len(content)
        await wire.send(head(length, status, headers) + content)

    return Fault(name or f"status {status}", play)


def sends(
    name: str, render: Callable[[bytes], bytes], end: Callable[[Wire], None] = Wire.close
) -> Fault:
    """Sends the bytes that ``render`` makes from the good body, then calls ``end``."""

    async def play(wire: Wire) -> None:
        await wire.send(render(wire.good_body))
        await pass_time(0.001)  # so that a reset does not overtake the data
        end(wire)

    return Fault(name, play)


def late(seconds: float, *, unread: bool = False) -> Fault:
    """A correct answer after so many seconds; ``unread``: the request is not read before then."""

    async def play(wire: Wire) -> None:
        await pass_time(seconds)
        if unread:
            await wire.read_request()
        await wire.send(head(len(wire.good_body)) + wire.good_body)

    name = f"{'accepts' if unread else 'answers'} after {seconds:g} s"
    return Fault(name, play, before_reading=unread)


def drip(seconds: float, *, headers_too: bool = False) -> Fault:
    """A correct answer, sent one byte at a time at this interval in seconds."""

    async def play(wire: Wire) -> None:
        parts = (head(len(wire.good_body)), wire.good_body)
        at_once, slowly = (b"", b"".join(parts)) if headers_too else parts
        await wire.send(at_once)
        for byte in slowly:
            await wire.send(bytes([byte]))
            await pass_time(seconds)

    return Fault(f"drips {'headers' if headers_too else 'the body'}", play)


def redirect(status: int, to: str) -> Fault:
    """A redirect to another address."""
    return answer(status, b"", f"Location: {to}\r\n", name=f"redirect {status}")


async def _close(wire: Wire) -> None:
    wire.close()


async def _reset(wire: Wire) -> None:
    wire.reset()


GOOD = answer(name="good")
KEEP_ALIVE_DROPPED = sends("good, then closes", lambda body: head(len(body)) + body)
CLOSE_UNREAD = Fault("closes before reading", _close, before_reading=True)
RESET_UNREAD = Fault("resets before reading", _reset, before_reading=True)
CLOSE_UNANSWERED = Fault("closes without an answer", _close)
RESET_UNANSWERED = Fault("resets without an answer", _reset)
CUT_BODY = sends("half the body", lambda body: head(len(body)) + body[: len(body) // 2])
SILENCE = Fault("never answers", Wire.until_the_client_leaves)
