"""Streams: a slow reader blocks nothing else, a closed one is reported, and checkpoints have limits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from virtual_time import pass_time

from paywint_async import Payment
from paywint_async.export import (
    PAYMENTS,
    CheckpointFile,
    ExportError,
    Format,
    OutputClosedError,
    Stream,
    StreamSink,
    make_sink,
    transfer,
)

Read = Callable[..., Any]
JSONL = PAYMENTS[Format.JSONL]
MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0), os.fdopen(writer, "wb", 0):
        yield reader, writer


@pytest.fixture
def stdout_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    return lambda file: monkeypatch.setattr("sys.stdout", file)


def checkpoint_in(folder: Path) -> CheckpointFile:
    return CheckpointFile(str(folder / "checkpoint"), format="jsonl", direction="sent")


async def received(fd: int) -> AsyncIterator[bytes]:
    """Read the pipe without blocking the event loop."""
    loop = asyncio.get_running_loop()
    while True:
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(fd, readable.set_result, None)
        try:
            await readable
        finally:
            loop.remove_reader(fd)
        yield os.read(fd, 65536)


async def test_a_slow_reader_gets_every_byte_while_the_loop_continues(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    sending = asyncio.create_task(Stream(writer, "pipe").send(MEGABYTE))
    await pass_time(1)
    assert not sending.done()

    got = b""
    async for data in received(reader):
        got += data
        if len(got) == len(MEGABYTE):
            break
    await sending

    assert got == MEGABYTE


async def test_a_cancellation_while_the_pipe_is_full_ends_it_at_once(pipe: tuple[int, int]) -> None:
    sending = asyncio.create_task(Stream(pipe[1], "pipe").send(MEGABYTE))
    await pass_time(1)

    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_a_reader_that_closes_the_pipe_is_reported(pipe: tuple[int, int]) -> None:
    sending = asyncio.create_task(Stream(pipe[1], "pipe").send(MEGABYTE))
    await pass_time(1)

    os.dup2(os.open(os.devnull, os.O_RDONLY), pipe[0])

    with pytest.raises(OutputClosedError) as caught:
        await sending
    assert str(caught.value) == "cannot write pipe: its reader has gone away"


async def test_a_cancellation_wins_over_a_writable_pipe_in_the_same_loop_iteration(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    sending = asyncio.create_task(Stream(writer, "pipe").send(MEGABYTE))
    await pass_time(1)

    wake, waker = os.pipe()
    asyncio.get_running_loop().add_reader(wake, sending.cancel)
    os.write(waker, b"!")
    os.read(reader, 1_000_000)

    with pytest.raises(asyncio.CancelledError):
        await sending
    asyncio.get_running_loop().remove_reader(wake)
    os.close(wake)
    os.close(waker)


async def test_a_named_pipe_waits_for_its_reader(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    exporting = asyncio.create_task(transfer(read(), make_sink(str(path), JSONL, None)))
    await pass_time(10)
    assert not exporting.done()

    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    got = b""
    async for data in received(reader):
        if not data:
            break
        got += data
    os.close(reader)

    assert await exporting == 205
    assert got == JSONL.encode(payments)


async def test_waiting_for_a_named_pipes_reader_can_be_cancelled(
    tmp_path: Path, read: Read
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    exporting = asyncio.create_task(transfer(read(), make_sink(str(path), JSONL, None)))
    await pass_time(10)

    exporting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await exporting


async def test_devices_are_written_not_replaced(read: Read) -> None:
    assert await transfer(read(), make_sink("/dev/null", JSONL, None)) == 205
    with pytest.raises(ExportError) as caught:
        await transfer(read(), make_sink("/dev/full", JSONL, None))

    assert str(caught.value) == "cannot write /dev/full: No space left on device"
    assert Path("/dev/full").is_char_device()


async def test_redirected_stdout_continues_at_its_checkpoint(
    tmp_path: Path,
    read: Read,
    payments: list[Payment],
    stdout_of: Callable[[Any], None],
) -> None:
    csv = PAYMENTS[Format.CSV]
    for count in (0, 100, 205, 205):
        with (tmp_path / "output").open("ab") as file:
            stdout_of(file)
            checkpoint = CheckpointFile(
                str(tmp_path / "checkpoint"), format="csv", direction="sent"
            )
            await transfer(read(payments[:count]), make_sink("-", csv, checkpoint))

    assert (tmp_path / "output").read_bytes() == csv.header + csv.encode(payments)


async def test_a_files_checkpoint_does_not_continue_into_a_stream(
    tmp_path: Path, read: Read
) -> None:
    await transfer(read(), make_sink(str(tmp_path / "output"), JSONL, checkpoint_in(tmp_path)))

    with pytest.raises(ExportError) as caught:
        await transfer(read(), make_sink("/dev/null", JSONL, checkpoint_in(tmp_path)))

    assert str(caught.value) == f"{tmp_path}/checkpoint belongs to an export into a file"


async def test_a_streams_checkpoint_does_not_continue_into_a_file(
    tmp_path: Path, read: Read
) -> None:
    await transfer(read([]), make_sink("/dev/null", JSONL, checkpoint_in(tmp_path)))

    with pytest.raises(ExportError, match="is not the file that"):
        await transfer(read(), make_sink(str(tmp_path / "output"), JSONL, checkpoint_in(tmp_path)))


async def test_a_partly_written_page_is_never_committed(
    tmp_path: Path, read: Read, pipe: tuple[int, int], stdout_of: Callable[[Any], None]
) -> None:
    with os.fdopen(os.dup(pipe[1]), "wb", 0) as file:
        stdout_of(file)
        sink = StreamSink("-", JSONL, checkpoint_in(tmp_path))
        exporting = asyncio.create_task(transfer(read(page=1), sink, commit_every=0))
        await pass_time(1)
        exporting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exporting

    written = os.read(pipe[0], 1_000_000)
    with closing(checkpoint_in(tmp_path)) as checkpoint:
        confirmed = checkpoint.open()
    assert confirmed is not None
    assert confirmed.listing == {"delivered": written[: confirmed.size].count(b"\n")}
    assert 0 <= len(written) - confirmed.size < 1000


async def test_a_missing_stdout_is_reported(read: Read, stdout_of: Callable[[Any], None]) -> None:
    stdout_of(None)

    with pytest.raises(ExportError) as caught:
        await transfer(read(), StreamSink("-", JSONL))

    assert str(caught.value) == "cannot write stdout: it is closed"
