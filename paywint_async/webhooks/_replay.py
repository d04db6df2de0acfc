"""Deduplication: stores which deliveries were processed, and which are being processed."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Protocol, TypeGuard

from paywint_async import ConfigurationError

_CAPACITY = 1_000_000  # deliveries: eleven per second for a day, about 150 MB
KEEP = 86_400.0
"""Seconds for which deliveries are kept by default."""


class ReplayStore(Protocol):
    """Stores which deliveries were processed. Several processes share one in a database.

    A delivery is identified by its `WebhookEvent.replay_key`, a text. If a method raises, the receiver
    responds with 500, so that the event is delivered again. The receiver cancels `claim` with its
    request, but lets `complete` and `release` finish.
    """

    async def claim(self, key: str, /) -> bool:
        """Returns True if the caller is to process the delivery, False if it was processed before.

        While another caller is processing it, wait for the result, or raise: an early False would lose
        the event if that attempt fails.
        """
        ...

    async def complete(self, key: str, /) -> None:
        """Records that the delivery was processed."""
        ...

    async def release(self, key: str, /) -> None:
        """Records that processing has failed, so that the next delivery is processed."""
        ...


class MemoryReplayStore:
    """A store in the memory of this process, for one event loop.

    Args:
        capacity: the largest number of deliveries. When it is reached, `claim` raises: new events get a
            500 and are delivered again, and none is forgotten and processed twice.
        keep: seconds for which each is kept; at least twice the receiver's tolerance, since a recorded
            delivery could be replayed within that time.
        clock: returns seconds that never go back.

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
        self._processed: dict[bytes, float] = {}  # the time of completion, oldest first
        self._under_way: dict[bytes, asyncio.Event] = {}

    def __repr__(self) -> str:
        return f"<MemoryReplayStore {len(self)} processed, {len(self._under_way)} under way>"

    @property
    def keep(self) -> float:
        """Seconds for which each is kept."""
        return self._keep

    def __len__(self) -> int:
        return len(self._processed)

    async def claim(self, key: str, /) -> bool:
        """As `ReplayStore.claim`; waits while another task is processing this delivery.

        Raises:
            ConfigurationError: the store is full, and no delivery is old enough to be removed.

        Cancellation: nothing is claimed.
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
    """A hash of constant size, so that senders cannot influence the memory usage."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def is_above_zero(value: object, *kinds: type[float]) -> TypeGuard[float]:
    """Whether a value is a number of one of these types, and greater than 0."""
    return isinstance(value, kinds) and not isinstance(value, bool) and value > 0
