"""The emulator's time: it starts at the system's, runs with the event loop, and can be advanced."""

import asyncio
import time

LATEST_US = 221_845_392_000_000_000
"""The year 9000: the calendar ends with 9999, and payments have times after the clock's."""

_SLEPT_US = 60_000_000


class Clock:
    """A clock in Unix microseconds that never goes back while it runs and can be advanced."""

    def __init__(self) -> None:
        self._added_us = 0
        self._reached_us = 0
        self._anchor: tuple[asyncio.AbstractEventLoop, float, int] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow this event loop's time from now on, also where tests let it jump."""
        self._anchor = (loop, loop.time(), max(_wall_us(), self._reached_us))

    def stop(self) -> None:
        """Follow the system's clock again."""
        self._reached_us = self.now_us() - self._added_us
        self._anchor = None

    def now_us(self) -> int:
        """The time, in Unix microseconds."""
        if self._anchor is None:
            return max(_wall_us(), self._reached_us) + self._added_us
        loop, since, wall_us = self._anchor
        paced_us = wall_us + int((loop.time() - since) * 1_000_000)
        # A loop's clock stops while the machine is suspended; small differences do not count.
        if _wall_us() - paced_us > _SLEPT_US:
            self.start(loop)
            return self.now_us()
        return paced_us + self._added_us

    def unmoved_us(self) -> int:
        """The time without the seconds that were added: the real time."""
        return self.now_us() - self._added_us

    @property
    def added_us(self) -> int:
        """The microseconds by which the clock was advanced in all."""
        return self._added_us

    def restore(self, added_us: int) -> None:
        """Restore the microseconds that an earlier run has added."""
        self._added_us = added_us

    def advance(self, seconds: float) -> None:
        """Advance the clock.

        Raises:
            ValueError: The seconds are negative, more than 1e9, or lead into the year 9000.
        """
        self.check_advance(seconds)
        self._added_us += round(seconds * 1_000_000)

    def check_advance(self, seconds: float) -> None:
        """Raise ValueError if `advance` would."""
        if not 0 <= seconds <= 1e9:
            raise ValueError(f"seconds must be from 0 to 1e9: {seconds!r}")
        if self.now_us() + seconds * 1_000_000 >= LATEST_US:
            raise ValueError(f"the clock must stay before the year 9000: {seconds!r} is too much")


def _wall_us() -> int:
    return time.time_ns() // 1000
