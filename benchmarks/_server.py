"""The server of every benchmark, in a separate process on a separate core.

It must be much faster than any client, or the benchmark would measure the server: it parses no more
of a request than it needs, and caches each encoded answer (benchmarks begin with a warm-up run). The
first part of a path sets its behaviour, so that one process serves every contender:
``/l20/n10000/…`` answers after 20 ms, from a history of 10,000 payments.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

import _history

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_PLACE = re.compile(rb"(?:GET|POST) /l(\d+)(/n(\d+)/(\S*))")
_ASKED = re.compile(rb'"(rows_per_page|page_no)": *(\d+)')
_KEPT = 2_400  # answers, about 110 MB


@lru_cache(maxsize=_KEPT)
def answer(total: int, target: str, body: bytes) -> bytes:
    """The complete HTTP response to a request."""
    path, _, query = target.partition("?")
    if "/payment/get/" in path:
        return _http(_history.one(path.rpartition("/")[2]))
    if "/payment/list/" in path:
        asked = {name: int(number) for name, number in _ASKED.findall(body)}
        return _http(_history.page(total, asked[b"page_no"], asked[b"rows_per_page"]))
    cursor = parse_qs(query)
    after = cursor.get("after") or cursor.get("starting_after")
    return _http(_history.cursor_page(total, after[0] if after else None, url="/" + path))


def _http(body: bytes) -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._rest = b""
        self._later = asyncio.get_running_loop().call_later

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        while (end := data.find(b"\r\n\r\n") + 4) > 3:
            length = _LENGTH.search(data, 0, end)
            stop = end + (int(length[1]) if length else 0)
            if len(data) < stop:
                break
            self._answer(data[:end], data[end:stop])
            data = data[stop:]
        self._rest = data

    def _answer(self, head: bytes, body: bytes) -> None:
        place = _PLACE.match(head)
        assert place is not None, head
        response = answer(int(place[3]), place[4].decode(), body)
        if latency := int(place[1]):
            self._later(latency / 1000, self._send, response)
        else:
            self._send(response)

    def _send(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


async def _serve() -> None:
    """Serves until standard input is closed, which happens when the parent process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def pin(*, to_last: bool) -> None:
    """Pins this process to the first or last core, where the system supports it and has two."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1 if to_last else 0})


@contextmanager
def serving(*, pinned: bool = True) -> Iterator[str]:
    """Runs a server; yields its address.

    Args:
        pinned: keep this process off the server's core from now on.
    """
    if pinned:
        pin(to_last=False)
    # It imports modules from its own folder, which PYTHONSAFEPATH would exclude.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def place(server: str, *, records: int, latency_ms: int = 0) -> str:
    """The address of a history with that number of records, answered after that latency."""
    return f"{server}/l{latency_ms}/n{records}"


if __name__ == "__main__":
    pin(to_last=True)
    asyncio.run(_serve())
