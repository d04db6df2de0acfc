"""The emulator's time: the event loop's pace, the wall's date, and whatever tests add to it."""

import asyncio
import time


class Clock:
    """Unix microseconds that never go back while it runs, and that can be moved ahead."""

    def __init__(self) -> None:
        self._added_us = 0
        self._anchor: tuple[asyncio.AbstractEventLoop, float, int] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow this loop from now on: a loop whose time jumps takes the emulator along."""
        self._anchor = (loop, loop.time(), _wall_us())

    def stop(self) -> None:
        """Follow the wall clock again."""
        self._anchor = None

    def now_us(self) -> int:
        """The time, in Unix microseconds."""
        if self._anchor is None:
            return _wall_us() + self._added_us
        loop, since, wall_us = self._anchor
        return wall_us + int((loop.time() - since) * 1_000_000) + self._added_us

    @property
    def added_us(self) -> int:
        """By how much it was moved ahead, in all."""
        return self._added_us

    def restore(self, added_us: int) -> None:
        """Take over what an earlier run had added."""
        self._added_us = added_us

    def advance(self, seconds: float) -> None:
        """Move it ahead.

        Raises:
            ValueError: By less than nothing.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must not be negative: {seconds!r}")
        self._added_us += round(seconds * 1_000_000)


def _wall_us() -> int:
    return time.time_ns() // 1000
