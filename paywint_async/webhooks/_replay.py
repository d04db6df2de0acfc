"""Deduplication: which deliveries have been processed, and which are being processed."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Protocol, TypeGuard

from paywint_async import ConfigurationError

_CAPACITY = 1_000_000  # deliveries, eleven a second; some 150 MB
KEEP = 86_400.0
"""Seconds for which deliveries are remembered by default."""


class ReplayStore(Protocol):
    """Remembers what was processed. To share it among processes, keep it in your database.

    A delivery is known by its `WebhookEvent.replay_key`, a text. Whatever a method raises makes
    the receiver answer 500, so that the delivery comes again.
    """

    async def claim(self, key: str, /) -> bool:
        """True: it is the caller's to process. False: it has been processed before.

        While somebody else is processing it, wait for what comes of that, or raise: an early False
        would lose the event should that other attempt fail.
        """
        ...

    async def complete(self, key: str, /) -> None:
        """It has been processed: remember it."""
        ...

    async def release(self, key: str, /) -> None:
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
        self._processed: dict[bytes, float] = {}  # when, oldest first
        self._under_way: dict[bytes, asyncio.Event] = {}

    def __repr__(self) -> str:
        return f"<MemoryReplayStore {len(self)} processed, {len(self._under_way)} under way>"

    @property
    def keep(self) -> float:
        """Seconds for which each is remembered."""
        return self._keep

    def __len__(self) -> int:
        return len(self._processed)

    async def claim(self, key: str, /) -> bool:
        """As `ReplayStore.claim`; waits while another task is processing this delivery.

        Raises:
            ConfigurationError: it is full, and none is old enough to be forgotten.
        """
        digest = _digest(key)
        while (other := self._under_way.get(digest)) is not None:
            await other.wait()
        self._forget()
        if digest in self._processed:
            return False
        if len(self._processed) + len(self._under_way) >= self._capacity:
            raise ConfigurationError(
                f"the replay store is full: {self._capacity:,} deliveries within {self._keep:g} s; "
                "give it more capacity, or keep them in a database"
            )
        self._under_way[digest] = asyncio.Event()
        return True

    async def complete(self, key: str, /) -> None:
        """As `ReplayStore.complete`."""
        digest = _digest(key)
        self._processed.pop(digest, None)  # so that it becomes the newest
        self._processed[digest] = self._clock()
        self._end(digest)

    async def release(self, key: str, /) -> None:
        """As `ReplayStore.release`."""
        self._end(_digest(key))

    def _end(self, digest: bytes) -> None:
        ended = self._under_way.pop(digest, None)
        if ended is not None:
            ended.set()

    def _forget(self) -> None:
        too_old = self._clock() - self._keep
        while self._processed:
            oldest, moment = next(iter(self._processed.items()))
            if moment > too_old:
                return
            del self._processed[oldest]


def _digest(key: str) -> bytes:
    """Of the same size for any key, so that no sender decides how much memory it takes."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def is_above_zero(value: object, *kinds: type[float]) -> TypeGuard[float]:
    """Whether it is a number of one of these kinds, and more than 0."""
    return isinstance(value, kinds) and not isinstance(value, bool) and value > 0
