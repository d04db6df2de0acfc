"""When a transfer commits, and when it must not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from virtual_time import VirtualTimeLoop, pass_time

from paywint_async import IncompleteHistoryError, Payment
from paywint_async.export import ExportError, transfer

Read = Callable[..., Any]


@attrs.define
class Log:
    """A sink that records its calls; it can be slow to commit, and can fail at a page."""

    start: dict[str, Any] | None = None
    fail_at: int | None = None
    commit_takes: float = 0.0
    written: int = 0
    committed: list[tuple[int, Any]] = attrs.field(factory=list)
    times: list[float] = attrs.field(factory=list)
    closed: list[bool] = attrs.field(factory=list)

    async def open(self) -> dict[str, Any] | None:
        return self.start

    async def write(self, page: Sequence[Payment]) -> None:
        if self.written == self.fail_at:
            raise ExportError("the disk is full")
        self.written += len(page)

    async def commit(self, checkpoint: dict[str, Any] | None) -> None:
        loop = asyncio.get_running_loop()
        self.times.append(loop.time())
        assert isinstance(loop, VirtualTimeLoop)
        loop.advance(self.commit_takes)
        self.committed.append((self.written, checkpoint))

    async def close(self, *, complete: bool) -> None:
        self.closed.append(complete)


async def test_a_quick_transfer_commits_once_at_its_end(read: Read) -> None:
    sink = Log()

    count = await transfer(read(), sink)

    assert count == 205
    assert sink.committed == [(205, {"delivered": 205})]
    assert sink.closed == [True]


async def test_a_transfer_continues_at_the_sinks_checkpoint(read: Read) -> None:
    sink = Log(start={"delivered": 200})
    seen: list[tuple[int, int | None]] = []

    count = await transfer(read(), sink, on_progress=lambda *now: seen.append(now))

    assert count == 5
    assert sink.committed == [(5, {"delivered": 205})]
    assert seen == [(205, 205)]


async def test_progress_is_reported_after_each_page(read: Read) -> None:
    seen: list[tuple[int, int | None]] = []

    await transfer(read(page=100), Log(), on_progress=lambda *now: seen.append(now))

    assert seen == [(100, 205), (200, 205), (205, 205)]


async def test_commits_are_a_second_apart(read: Read) -> None:
    sink = Log()

    await transfer(read(before_page=lambda _: pass_time(0.4)), sink)

    assert [written for written, _ in sink.committed] == [30, 60, 90, 120, 150, 180, 205, 205]
    assert all(checkpoint == {"delivered": written} for written, checkpoint in sink.committed)


async def test_a_slow_disk_has_fewer_commits(read: Read) -> None:
    sink = Log(commit_takes=0.5)

    await transfer(read(before_page=lambda _: pass_time(1.0)), sink)

    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(sink.times)]
    assert pauses[:2] == [6, 6]


async def test_written_pages_are_committed_before_an_error_of_the_reading_is_raised(
    read: Read,
) -> None:
    async def fail(first: int) -> None:
        if first == 50:
            raise IncompleteHistoryError("somebody deleted payments")

    sink = Log()

    with pytest.raises(IncompleteHistoryError):
        await transfer(read(before_page=fail), sink)

    assert sink.committed == [(50, {"delivered": 50})]
    assert sink.closed == [False]


async def test_a_cancelled_transfer_commits_what_was_written_and_closes_the_reading(
    read: Read, other_tasks: Callable[[], set[asyncio.Task[Any]]]
) -> None:
    readings: list[Any] = []
    begin = read(before_page=lambda first: asyncio.Event().wait() if first == 70 else pass_time(0))
    sink = Log()

    def remembered(start: Any) -> Any:
        readings.append(begin(start))
        return readings[-1]

    task = asyncio.create_task(transfer(remembered, sink))
    await pass_time(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert sink.committed == [(70, {"delivered": 70})]
    assert sink.closed == [False]
    assert readings[0].is_closed
    assert other_tasks() == set()


async def test_nothing_is_committed_after_a_failed_write(read: Read) -> None:
    sink = Log(fail_at=50)

    with pytest.raises(ExportError):
        await transfer(read(), sink)

    assert sink.committed == []
    assert sink.closed == [False]


async def test_nothing_is_committed_after_an_error_of_on_progress(read: Read) -> None:
    sink = Log()

    def broken(done: int, total: int | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transfer(read(), sink, on_progress=broken)

    assert sink.committed == []
    assert sink.closed == [False]
