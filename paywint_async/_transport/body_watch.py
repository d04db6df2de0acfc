"""Fails reads of bodies whose connection is closed. One timer for all bodies of an event loop.

aiohttp closes the connection if a body is not valid HTTP, but its reader would wait until the attempt's
timeout.
"""

from __future__ import annotations

import asyncio

import aiohttp

_INTERVAL = 0.5  # seconds: nearly all bodies are complete before the first check


class BodyWatch:
    """Checks periodically the connections of the responses that are being read."""

    __slots__ = ("_answers", "_loop", "_timer")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers: set[aiohttp.ClientResponse] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, answer: aiohttp.ClientResponse) -> None:
        """Watches a response that is not complete."""
        self._answers.add(answer)
        if self._timer is None:
            self._timer = self._loop.call_later(_INTERVAL, self._look)

    def end(self, answer: aiohttp.ClientResponse) -> None:
        """Stops watching a response. The timer stays: other responses may need it."""
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
