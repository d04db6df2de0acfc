"""From a reading into a sink: page after page, with commits that cost next to nothing."""

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
    """Before most transfers."""


_MOST_TIME_COMMITTING = 0.1  # of all time: a disk that syncs slowly is asked to less often


async def transfer(
    read: Callable[[Checkpoint | None], Reading[R]],
    sink: Sink[R],
    *,
    commit_every: float = 1.0,
    on_progress: OnProgress = lambda done, total: None,
    before: Callable[[Checkpoint | None], Awaitable[None]] = do_nothing,
) -> int:
    """Everything that the reading has goes into the sink; returns how many records that were.

    Args:
        read: begins a reading at a checkpoint of the sink's (None: at the start).
        sink: is opened and closed here.
        commit_every: seconds between two commits at least.
        on_progress: called after each page with the records done, those of earlier runs included,
            and the total, where known.
        before: called once the sink is open, with its checkpoint.

    Raises:
        ExportError: the sink cannot be written; the last commit stands.
        PaywintError: as the reading raises; all records before that are committed.

    Cancellation: the requests end, and what was written is committed.
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
        self._agrees = True  # the sink holds just what the reading's checkpoint says
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
