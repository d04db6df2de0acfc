"""Writes the pages of a reading into a sink, with commits that take little of the time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Generic, TypeAlias, TypeVar

from paywint_async import PaywintError
from paywint_async.export._reading import Reading, delivered
from paywint_async.export._sink import Checkpoint, Sink

R = TypeVar("R")

OnProgress: TypeAlias = Callable[[int, int | None], object]


async def do_nothing(checkpoint: Checkpoint | None) -> None:
    """Does nothing; the default of `before`."""


_MOST_TIME_COMMITTING = (
    0.1  # a share of all time: on a disk that syncs slowly, commits are less frequent
)


async def transfer(
    read: Callable[[Checkpoint | None], Reading[R]],
    sink: Sink[R],
    *,
    commit_every: float = 1.0,
    on_progress: OnProgress = lambda done, total: None,
    before: Callable[[Checkpoint | None], Awaitable[None]] = do_nothing,
) -> int:
    """Writes all records of a reading into the sink; returns their number.

    Args:
        read: begins a reading at a checkpoint of the sink (None: at the start).
        sink: opened and closed by this function.
        commit_every: the least seconds between two commits.
        on_progress: called after each page with the number of records written, by earlier runs and this
            one, and the total, or None if it is not known.
        before: called with the sink's checkpoint once the sink is open.

    Raises:
        ExportError: the sink cannot be written; the last commit remains valid.
        PaywintError: an error of the reading; all records before it are committed.

    Cancellation: the requests end, and the written records are committed.
    """
    is_complete = False
    try:
        start = await sink.open()
        await before(start)
        under_way = _Transfer(read(start), sink, commit_every)
        already = delivered(start)
        await under_way.run(lambda count, total: on_progress(already + count, total))
        is_complete = True
    finally:
        await sink.close(complete=is_complete)
    return under_way.count


class _Transfer(Generic[R]):
    def __init__(self, reading: Reading[R], sink: Sink[R], commit_every: float) -> None:
        self._reading = reading
        self._sink = sink
        self._pause = commit_every
        self._clock = asyncio.get_running_loop().time
        self._next_commit = self._clock() + commit_every
        self._agrees = True  # the sink has exactly the records of the reading's checkpoint
        self.count = 0

    async def run(self, on_progress: OnProgress) -> None:
        try:
            async with aclosing(self._reading.pages()) as pages:
                async for page in pages:
                    await self._write(page)
                    del page
                    on_progress(self.count, self._reading.total)
        except (asyncio.CancelledError, PaywintError):
            if self._agrees:
                await self._commit()
            raise
        await self._commit()

    async def _write(self, page: Any) -> None:
        self._agrees = False
        await self._sink.write(page)
        self._agrees = True
        self.count += len(page)
        if self._clock() >= self._next_commit:
            await self._commit()

    async def _commit(self) -> None:
        started, self._agrees = self._clock(), False
        await self._sink.commit(self._reading.checkpoint)
        ended, self._agrees = self._clock(), True
        self._next_commit = ended + max(self._pause, (ended - started) / _MOST_TIME_COMMITTING)
