"""A forward proxy for tests: `FaultServer(tunnel(server))` is one that works.

Whatever host a client asks for, the other end is the given server; `FaultServer.requests` has what the
proxy was told. In place of `tunnel` any fault can be played.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from fault_server import Fault, FaultServer, Wire

HOST = "api.example"  # what the certificate of a server behind the proxy has to name
URL = f"https://{HOST}"


def tunnel(to: FaultServer) -> Fault:
    """CONNECT, and then whatever comes, in both directions."""

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
