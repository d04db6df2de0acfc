"""The iterators behind listings: a cancelled await loses nothing, and an end cancels all requests.

A cancelled await, as in ``asyncio.wait_for(anext(it), 1)``, ends an async generator: the next ``anext``
would silently end the loop. So these are classes, whose state outlives each await.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from functools import partial
from typing import Generic, Self, TypeVar

from paywint_async._cancellation import Consumer
from paywint_async._errors import ClientClosedError, copy_of
from paywint_async._pagination.run import Run

R = TypeVar("R")


class ListingIterator(AsyncIterator[R], Generic[R]):
    """Yields records one by one; records already received need no turn of the event loop.

    Raises:
        RuntimeError: two tasks iterate it at once.
        and every error of the read, which ends it: each further ``anext`` raises the error again.

    Cancellation: cancelling an ``anext`` loses nothing: its request goes on, and the next ``anext``
    returns the next record. When the iterator is closed, exhausted, or no longer referenced, its
    requests are cancelled.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._batch: Iterator[R] = iter(())
        self._runs = runs
        self._end: Exception | None = None
        self._is_awaited = False
        self._consumer = Consumer()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        for record in self._batch:
            return record
        try:
            return await self._advance()
        except asyncio.CancelledError as error:
            # The frames would keep the iterator and its requests alive after the caller's loop ends.
            error.__traceback__ = None
            del self
            raise

    async def aclose(self) -> None:
        """Ends the iteration, and returns when every request has ended. Idempotent."""
        await self._finish(StopAsyncIteration())

    def close(self, reason: ClientClosedError) -> None:
        """Ends the iteration with an error, and cancels its requests."""
        self._stop(reason)

    def __del__(self) -> None:
        for run in getattr(self, "_runs", ()):
            run.close()

    async def _next_batch(self) -> Iterable[R] | None:
        """The next records, at least one; None at the end. Safe to cancel and to call again.

        The checkpoint counts as delivered all records but those of ``Run.unhanded``. So an
        implementation keeps no record across an await, and one that fails leaves ``unhanded`` as it was.
        """
        raise NotImplementedError

    async def _advance(self) -> R:
        if self._end is not None:
            raise copy_of(self._end)
        if self._is_awaited:
            raise RuntimeError("this iterator is being iterated by another task")
        self._is_awaited = True
        try:
            batch = await self._next_batch()
        except asyncio.CancelledError:
            self._consumer.when_cancelled(_STEP, partial(_pause, weakref.WeakSet(self._runs)))
            raise
        except Exception as error:
            await self._finish(error)
            raise
        finally:
            self._is_awaited = False
        if batch is None:
            await self._finish(StopAsyncIteration())
            raise StopAsyncIteration
        self._batch = iter(batch)
        return next(self._batch)

    def _stop(self, end: Exception) -> None:
        if self._end is None:
            self._end = copy_of(end)
        self._batch = iter(())
        for run in self._runs:
            run.close()

    async def _finish(self, end: Exception) -> None:
        self._stop(end)
        for run in self._runs:
            await run.aclose()


_STEP = ListingIterator.__anext__.__code__


def _pause(runs: Iterable[Run]) -> None:
    for run in runs:
        run.pause()
