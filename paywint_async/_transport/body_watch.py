"""Ends the wait for bodies that cannot come any more. One timer for all of an event loop.

aiohttp closes the connection where a body is no valid HTTP, and its reader would wait on, until the
attempt's time is over.
"""

from __future__ import annotations

import asyncio

import aiohttp

_INTERVAL = 0.5  # seconds: nearly all bodies are there before the first look


class BodyWatch:
    """Looks now and then at the connections of the answers that are being read."""

    __slots__ = ("_answers", "_loop", "_timer")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: set[aiohttp.ClientResponse] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, answer: aiohttp.ClientResponse) -> None:
        """Watches an answer that is not all there."""
        self._answers.add(answer)
        if self._timer is None:
            self._timer = self._loop.call_later(_INTERVAL, self._look)

    def end(self, answer: aiohttp.ClientResponse) -> None:
        """Stops watching it. The timer stays: it will find nothing, or another one."""
        self._answers.discard(answer)

    def close(self) -> None:
        """Stops the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        for answer in self._answers:
            connection = answer.connection
            if connection is not None and connection.transport is None:
                answer.content.set_exception(aiohttp.ClientPayloadError("broken"))
        again = bool(self._answers)
        self._timer = self._loop.call_later(_INTERVAL, self._look) if again else None
