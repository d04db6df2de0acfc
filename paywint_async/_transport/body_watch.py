"""Ends the wait for a body that cannot come any more.

aiohttp closes the connection where a body is no valid HTTP, and its reader would wait on, until the
attempt's time is over.
"""

from __future__ import annotations

import asyncio

import aiohttp

_INTERVAL = 0.5  # seconds: nearly all bodies are there before the first look


class BodyWatch:
    """Looks at an answer's connection now and then; `end` stops it."""

    __slots__ = ("_connection", "_content", "_loop", "_timer")

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._connection = answer.connection
        self._content = answer.content
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_INTERVAL, self._look)

    def end(self) -> None:
        """Stops looking."""
        self._timer.cancel()

    def _look(self) -> None:
        connection = self._connection
        if connection is None or connection.transport is not None:
            self._timer = self._loop.call_later(_INTERVAL, self._look)
        else:
            self._content.set_exception(aiohttp.ClientPayloadError("broken"))
