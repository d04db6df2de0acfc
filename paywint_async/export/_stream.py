"""Outputs that cannot be cut or replaced: stdout, pipes, devices.

A full pipe would hold the event loop, and with it Ctrl-C and every request, for as long as its
reader likes. So bytes leave in pieces that a pipe with room takes at once, and while it has none
the loop waits, as it does for a socket. The descriptor itself stays as it is: a terminal made
non-blocking would be so for the shell, too.
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
    """Bytes into a descriptor, without ever holding up the event loop.

    Args:
        fd: an open descriptor; it stays its owner's.
        name: for messages.
    """

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name
        self._is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        self._has_room = system.room_in(fd)
        self._write = system.writer(fd)

    async def send(self, data: bytes) -> None:
        """Writes all of it.

        Raises:
            OutputClosedError: nobody reads any more.
            ExportError: it cannot be written.

        Cancellation: what is left is not written.
        """
        step = len(data) if self._is_file else system.PIPE_BUF
        with translated(f"cannot write {self._name}"):
            for start in range(0, len(data), step or 1):
                if not self._has_room():
                    await self._wait_for_room()
                self._write_all(data[start : start + step])

    def sync(self) -> None:
        """Makes it last, where it is a file after all (``paywint export > file``)."""
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
    """The process's standard output.

    Raises:
        ExportError: the process was started without one.
    """
    if sys.stdout is None:
        raise ExportError("cannot write stdout: it is closed")
    with translated("cannot write stdout"):
        return Stream(sys.stdout.fileno(), "stdout")


def _mark(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)


async def _open_path(path: str) -> int:
    """Waits for a named pipe's reader, in a way that can be cancelled."""
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

    What has left cannot be taken back: an export that is killed between a page and its commit writes
    that page again when it is continued. Payments may come twice then, but none is missing.

    Args:
        path: ``-`` for stdout, or of a pipe or device.
        encoding: of the records.
        checkpoint: says how much was written; None: it cannot be continued.
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
        """Opens the path; for a named pipe, once there is a reader."""
        listing = self._open_checkpoint()
        self._stream = await self._open_stream()
        if not self._size:
            await self._send(self._encoding.header)
        return listing

    async def write(self, page: Sequence[R]) -> None:
        """Sends the page. Cancellation: its rest is not sent."""
        await self._send(self._encoding.encode(page))

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Saves the checkpoint, where there is one: all of it has left already."""
        if self._checkpoint is not None and self._stream is not None:
            self._stream.sync()
            self._checkpoint.save(size=self._size, tail=None, listing=checkpoint)

    async def close(self, *, complete: bool) -> None:
        """Closes what was opened; stdout stays open."""
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
