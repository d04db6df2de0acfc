"""A regular file that is appended to, compressed or not. Does not know records or checkpoints."""

from __future__ import annotations

import hashlib
import os

from paywint_async.export._checkpoint import Extent
from paywint_async.export._compression import Compression, Compressor
from paywint_async.export._errors import translated
from paywint_async.export._files import write_all
from paywint_async.export._platform import system

_TAIL = 4096  # bytes at the end of the extent, which identify the file


class OutputFile:
    """An open file. The caller that creates it must close it.

    Args:
        fd: an open descriptor, positioned at the beginning of the file.
        name: for messages.
        compression: of what is appended.
    """

    def __init__(self, fd: int, name: str, compression: Compression) -> None:
        self.fd = fd
        self.size = 0
        self._name = name
        self._compression = compression
        self._member: Compressor | None = None

    def append(self, data: bytes) -> None:
        """Appends data; part of compressed data may stay in memory until `end_member`."""
        if not data:
            return
        if self._member is None:
            self._member = self._compression.start()
        self._write(self._member.compress(data))

    def end_member(self) -> None:
        """Ends a compressed member, so that the file can be decompressed up to here."""
        member, self._member = self._member, None
        if member is not None:
            self._write(member.flush())

    def sync(self) -> None:
        """Ends the compressed member, flushes and fsyncs."""
        self.end_member()
        with translated(f"cannot write {self._name}"):
            os.fsync(self.fd)

    def cut(self, size: int) -> None:
        """Truncates the file to ``size`` bytes and positions the descriptor there."""
        with translated(f"cannot write {self._name}"):
            os.ftruncate(self.fd, size)
            os.lseek(self.fd, size, os.SEEK_SET)
        self.size = size

    def extent(self, size: int | None = None) -> Extent:
        """The extent of the first ``size`` bytes; by default of all that is written."""
        size = self.size if size is None else size
        length = min(size, _TAIL)
        with translated(f"cannot read {self._name}"):
            end = system.read_at(self.fd, length, size - length)
        return Extent(size=size, tail=hashlib.sha256(end).hexdigest())

    def close(self) -> None:
        """Closes the descriptor, which releases its lock."""
        system.close(self.fd)

    def _write(self, data: bytes) -> None:
        with translated(f"cannot write {self._name}"):
            write_all(self.fd, data)
        self.size += len(data)
