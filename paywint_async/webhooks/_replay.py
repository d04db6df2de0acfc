"""Only once: which deliveries have been processed, and which are being processed now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, TypeGuard
from uuid import UUID

from paywint_async import ConfigurationError

_CAPACITY = 1_000_000  # deliveries, eleven a second; some 180 MB
KEEP = 86_400.0
"""Seconds: whoever delivers again after a day finds a handler that confirms."""


class ReplayStore(Protocol):
    """Remembers deliveries by their id. To share it among processes, keep it in your database.

    Whatever a method raises makes the receiver answer 500, so that the delivery comes again.
    """

    async def claim(self, event_id: UUID) -> bool:
        """True: it is the caller's to process. False: it has been processed before.

        While somebody else is processing it, wait for what comes of that, or raise: an early False
        would lose the event should that other attempt fail.
        """
        ...

    async def complete(self, event_id: UUID) -> None:
        """It has been processed: remember it."""
        ...

    async def release(self, event_id: UUID) -> None:
        """Processing it failed: the next delivery is to be processed."""
        ...


class MemoryReplayStore:
    """Remembers in this process, for one event loop.

    Args:
        capacity: how many deliveries; where it is full, `claim` raises: new ones are answered by 500
            and come again, rather than that one is forgotten and processed twice.
        keep: seconds for which each is remembered. At least twice the receiver's tolerance: within
            that a delivery that somebody has recorded could be played again.
        clock: seconds that never go back.

    Raises:
        ConfigurationError: an argument is out of its range.
    """

    def __init__(
        self,
        *,
        capacity: int = _CAPACITY,
        keep: float = KEEP,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_above_zero(capacity, int):
            raise ConfigurationError(f"capacity must be a whole number, above 0, not {capacity!r}")
        if not is_above_zero(keep, int, float):
            raise ConfigurationError(f"keep must be seconds, more than 0, not {keep!r}")
        if not callable(clock):
            raise ConfigurationError("clock must be callable and return seconds")
        self._capacity = capacity
        self._keep = keep
        self._clock = clock
        self._processed: dict[UUID, float] = {}  # when, oldest first
        self._under_way: dict[UUID, asyncio.Event] = {}

    def __repr__(self) -> str:
        return f"<MemoryReplayStore {len(self)} processed, {len(self._under_way)} under way>"

    @property
    def keep(self) -> float:
        """Seconds for which each is remembered."""
        return self._keep

    def __len__(self) -> int:
        return len(self._processed)

    async def claim(self, event_id: UUID) -> bool:
        """As `ReplayStore.claim`; waits while another task is processing this delivery.

        Raises:
            ConfigurationError: it is full, and none is old enough to be forgotten.
        """
        while (other := self._under_way.get(event_id)) is not None:
            await other.wait()
        self._forget()
        if event_id in self._processed:
            return False
        if len(self._processed) + len(self._under_way) >= self._capacity:
            raise ConfigurationError(
                f"the replay store is full: {self._capacity:,} deliveries within {self._keep:g} s; "
                "give it more capacity, or keep them in a database"
            )
        self._under_way[event_id] = asyncio.Event()
        return True

    async def complete(self, event_id: UUID) -> None:
        """As `ReplayStore.complete`."""
        self._processed.pop(event_id, None)  # so that it becomes the newest
        self._processed[event_id] = self._clock()
        self._end(event_id)

    async def release(self, event_id: UUID) -> None:
        """As `ReplayStore.release`."""
        self._end(event_id)

    def _end(self, event_id: UUID) -> None:
        ended = self._under_way.pop(event_id, None)
        if ended is not None:
            ended.set()

    def _forget(self) -> None:
        too_old = self._clock() - self._keep
        while self._processed:
            oldest, moment = next(iter(self._processed.items()))
            if moment > too_old:
                return
            del self._processed[oldest]


def is_above_zero(value: object, *kinds: type[float]) -> TypeGuard[float]:
    """Whether it is a number of one of these kinds, and more than 0."""
    return isinstance(value, kinds) and not isinstance(value, bool) and value > 0
