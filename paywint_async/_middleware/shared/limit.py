"""The public limiter: one queue for each event loop; handles forks and closing."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import Any, Self

from paywint_async._config import RateLimit, check_count, check_number
from paywint_async._errors import ConfigurationError
from paywint_async._middleware.shared.fallback import Fallback
from paywint_async._middleware.shared.store import RedisSecrets, RedisStore
from paywint_async._middleware.shared.wait_queue import SharedQueue


class SharedRateLimit:
    """One rate limit for all processes and hosts of an API key, kept in Redis (extra ``redis``).

    ``PaywintClient(..., rate_limit=SharedRateLimit(limit, url, key="shop"))``: the requests of all
    processes with the same ``key`` are sent as if by one process, evenly and in order of arrival, and a
    429 that one process gets starts a cooldown for all of them. A script in Redis decides by the Redis
    server's clock, so the clocks of the processes do not matter. See ``docs/shared-rate-limit.md`` for
    the rules.

    While Redis is unavailable, slow or refuses, each process continues with its share, the limit
    divided by ``processes``, without a burst; once a second one call probes Redis.

    A connection made from a URL is closed by `aclose`, which the client's `aclose` also calls; the next
    request opens a new one, so several clients of a process may use the same limiter.

    Args:
        limit: the limit of all processes together; all must give the same one.
        redis: a URL (``redis://``, ``rediss://``, ``unix://``), whose password is never shown, or a
            client of ``redis.asyncio`` (also of a cluster), which you close yourself, and which serves
            one event loop.
        key: a name for the account, such as the API key; only its SHA-256 is sent to Redis.
        processes: the largest number of processes; each continues with ``limit / processes`` while
            Redis is unavailable.
        timeout: seconds in which Redis must answer; no request waits longer for it.

    Raises:
        ConfigurationError: an argument cannot be used, or the extra is not installed.
    """

    def __init__(
        self,
        limit: RateLimit,
        redis: Any,
        *,
        key: str,
        processes: int = 10,
        timeout: float = 1.0,
    ) -> None:
        secrets = RedisSecrets(redis, key)
        del redis, key  # a traceback shows the locals of its frames
        secrets.check()
        if not isinstance(limit, RateLimit):
            raise ConfigurationError(f"limit must be a RateLimit, not {type(limit).__name__}")
        self._limit = limit
        self._secrets = secrets
        self._processes = check_count("processes", processes)
        self._timeout = check_number("timeout", timeout, low=0, inclusive=False)
        self._foreign: list[object] = []
        self._pid = os.getpid()
        self._queues: dict[asyncio.AbstractEventLoop, SharedQueue] = {}

    def __repr__(self) -> str:
        queues: dict[object, SharedQueue] | None = getattr(self, "_queues", None)
        if queues is None:  # not made yet
            return "<SharedRateLimit>"
        rate = self._limit.requests / self._limit.per_seconds
        is_away = any(queue.is_away for queue in list(queues.values()))
        state = ", unavailable" if is_away else ""
        return f"<SharedRateLimit {rate:.4g}/s over {self._secrets.address}{state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def acquire(self, deadline: float | None = None) -> None:
        """Returns when one request may be sent.

        Raises:
            RateLimitedError: that would be after ``deadline`` (event loop clock).

        Cancellation: a slot that was reserved is wasted; the limit is never exceeded.
        """
        await self._queue().acquire(deadline)

    def cool_down(self, seconds: float) -> None:
        """Stops the requests of all processes for that many seconds; never shortens a cooldown."""
        self._queue().cool_down(seconds)

    async def aclose(self) -> None:
        """Closes this event loop's connection, if a URL was given. Idempotent; may be used again."""
        self._leave_parent()
        queue = self._queues.get(asyncio.get_running_loop())
        if queue is not None:
            await queue.aclose()

    def _queue(self) -> SharedQueue:
        loop = asyncio.get_running_loop()
        self._leave_parent()
        queue = self._queues.get(loop)
        if queue is None:
            self._check_client()
            # The connection of a closed loop can no longer be closed.
            for ended in [each for each in list(self._queues) if each.is_closed()]:
                self._queues.pop(ended, None)  # each step is atomic: other threads may add theirs
            queue = self._queues[loop] = self._new_queue()
        return queue

    def _new_queue(self) -> SharedQueue:
        store = RedisStore(self._secrets, self._timeout)
        fallback = Fallback(self._limit, self._processes, self._secrets.address)
        return SharedQueue(self._limit, store, fallback, self._timeout)

    def _check_client(self) -> None:
        if not self._secrets.is_url and (self._queues or self._foreign):
            raise ConfigurationError(
                "a Redis client serves one event loop of one process: give a URL instead"
            )

    def _leave_parent(self) -> None:
        """After a fork, sets the parent's connections aside: they are neither used nor closed."""
        if self._pid != os.getpid():
            self._foreign.extend(self._queues.values())
            self._queues = {}
            self._pid = os.getpid()
