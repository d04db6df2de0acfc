"""A forward proxy for tests: `FaultServer(tunnel(server))` is a working one.

It connects to the given server, whatever host a client names; `FaultServer.requests` has the
requests to the proxy. Any fault can be played in place of `tunnel`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from fault_server import Fault, FaultServer, Wire

HOST = "api.example"  # the name in the certificate of a server behind the proxy
URL = f"https://{HOST}"


def tunnel(to: FaultServer) -> Fault:
    """Answers CONNECT, then forwards everything in both directions."""

    async def play(wire: Wire) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(to.url).port)
        await wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        upwards = asyncio.ensure_future(_copy(wire.reader, writer))
        try:
            while data := await reader.read(65536):
                await wire.send(data)
        finally:
            upwards.cancel()
            writer.close()
            wire.close()
            with suppress(asyncio.CancelledError):
                await upwards

    return Fault("a forward proxy", play)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
