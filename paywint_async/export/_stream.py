"""Outputs that can be neither truncated nor replaced: stdout, pipes, devices.

A write to a full pipe would block the event loop, and with it Ctrl-C and all requests, until the reader
continues. So data is written in pieces of at most PIPE_BUF bytes, each once the descriptor is writable,
and the event loop waits for that as for a socket. The descriptor is not made non-blocking: on a terminal,
that would affect the shell, too.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Generic, TypeVar

from paywint_async.export._checkpoint import CheckpointFile
from paywint_async.export._encoding import Encoding
from paywint_async.export._errors import ExportError, translated
from paywint_async.export._platform import system
from paywint_async.export._sink import Checkpoint

R = TypeVar("R")

_READER_POLL = 0.05  # seconds between two looks for a named pipe's reader


class Stream:
    """Writes to a descriptor without blocking the event loop.

    Args:
        fd: an open descriptor; the caller closes it.
        name: for messages.
    """

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name
        self._is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        self._has_room = system.room_in(fd)
        self._write = system.writer(fd)

    async def send(self, data: bytes) -> None:
        """Writes all of the data.

        Raises:
            OutputClosedError: the reader has closed the pipe.
            ExportError: it cannot be written.

        Cancellation: the rest is not written.
        """
        step = len(data) if self._is_file else system.PIPE_BUF
        with translated(f"cannot write {self._name}"):
            for start in range(0, len(data), step or 1):
                if not self._has_room():
                    await self._wait_for_room()
                self._write_all(data[start : start + step])

    def sync(self) -> None:
        """Fsyncs the output if it is a regular file (``paywint export > file``)."""
        if self._is_file:
            with translated(f"cannot write {self._name}"):
                os.fsync(self._fd)

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._write(rest) :]
        except OSError as error:
            if self._is_file or error.errno not in system.CLOSED_PIPE:
                raise
            raise BrokenPipeError from None

    async def _wait_for_room(self) -> None:
        loop = asyncio.get_running_loop()
        room: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._fd, _mark, room)
        try:
            await room
        finally:
            loop.remove_writer(self._fd)


def open_stdout() -> Stream:
    """Opens the process's standard output as a stream.

    Raises:
        ExportError: the process has none.
    """
    if sys.stdout is None:
        raise ExportError("cannot write stdout: it is closed")
    with translated("cannot write stdout"):
        return Stream(sys.stdout.fileno(), "stdout")


def _mark(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)


async def _open_path(path: str) -> int:
    """Opens a path for writing; waits for the reader of a named pipe, and can be cancelled."""
    while True:
        try:
            fd = os.open(path, os.O_WRONLY | system.NO_WAIT | system.OPEN_FLAGS)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
                raise
            await asyncio.sleep(_READER_POLL)
        else:
            system.set_blocking(fd)
            return fd


class StreamSink(Generic[R]):
    """A sink into stdout or a special file.

    Written data cannot be removed again: an export that is killed between a page and its commit writes
    that page a second time when it is continued. Payments may be duplicated then, but none is missing.

    Args:
        path: ``-`` for stdout, or the path of a pipe or device.
        encoding: of the records.
        checkpoint: the file for the checkpoint; None: the export cannot be continued.
    """

    def __init__(
        self, path: str, encoding: Encoding[R], checkpoint: CheckpointFile | None = None
    ) -> None:
        self._path = path
        self._encoding = encoding
        self._checkpoint = checkpoint
        self._resources = ExitStack()
        self._stream: Stream | None = None
        self._size = 0

    async def open(self) -> Checkpoint | None:
        """Opens the path; waits for the reader of a named pipe. Cancellation: ends the wait."""
        listing = self._open_checkpoint()
        self._stream = await self._open_stream()
        if not self._size:
            await self._send(self._encoding.header)
        return listing

    async def write(self, page: Sequence[R]) -> None:
        """Writes the page. Cancellation: the rest of it is not written."""
        await self._send(self._encoding.encode(page))

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Saves the checkpoint, if there is one; the data is written already."""
        if self._checkpoint is not None and self._stream is not None:
            self._stream.sync()
            self._checkpoint.save(size=self._size, tail=None, listing=checkpoint)

    async def close(self, *, complete: bool) -> None:
        """Closes the opened descriptor and the checkpoint; stdout stays open."""
        self._resources.close()

    def _open_checkpoint(self) -> Checkpoint | None:
        if self._checkpoint is None:
            return None
        self._resources.callback(self._checkpoint.close)
        confirmed = self._checkpoint.open()
        if confirmed is None:
            return None
        if confirmed.tail is not None:
            raise ExportError(f"{self._checkpoint.path} belongs to an export into a file")
        self._size = confirmed.size
        return confirmed.listing

    async def _open_stream(self) -> Stream:
        if self._path == "-":
            return open_stdout()
        with translated(f"cannot open {self._path}"):
            fd = await _open_path(self._path)
            self._resources.callback(os.close, fd)
            return Stream(fd, self._path)

    async def _send(self, data: bytes) -> None:
        assert self._stream is not None
        await self._stream.send(data)
        self._size += len(data)
