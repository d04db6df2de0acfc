"""A regular file that grows at its end, compressed or not. Knows no records and no checkpoint."""

from __future__ import annotations

import hashlib
import os

from paywint_async.export._checkpoint import Extent
from paywint_async.export._compression import Compression, Compressor
from paywint_async.export._errors import translated
from paywint_async.export._files import write_all
from paywint_async.export._platform import read_at

_TAIL = 4096  # bytes that prove that this is the file which the checkpoint is about


class OutputFile:
    """An open file; whoever makes this owns it, and closes it.

    Args:
        fd: an open descriptor, at the file's beginning.
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
        """Writes at the end; of compressed data a part may stay behind until `end_member`."""
        if not data:
            return
        if self._member is None:
            self._member = self._compression.start()
        self._write(self._member.compress(data))

    def end_member(self) -> None:
        """Ends a compressed member, so that the file is whole up to here."""
        member, self._member = self._member, None
        if member is not None:
            self._write(member.flush())

    def sync(self) -> None:
        """Makes it last, whole."""
        self.end_member()
        with translated(f"cannot write {self._name}"):
            os.fsync(self.fd)

    def cut(self, size: int) -> None:
        """Takes away what is behind so many bytes, and goes on from there."""
        with translated(f"cannot write {self._name}"):
            os.ftruncate(self.fd, size)
            os.lseek(self.fd, size, os.SEEK_SET)
        self.size = size

    def extent(self, size: int | None = None) -> Extent:
        """The first so many bytes; by default those that were written."""
        size = self.size if size is None else size
        length = min(size, _TAIL)
        with translated(f"cannot read {self._name}"):
            end = read_at(self.fd, length, size - length)
        return Extent(size=size, tail=hashlib.sha256(end).hexdigest())

    def close(self) -> None:
        """Lets go of it, and of its lock."""
        os.close(self.fd)

    def _write(self, data: bytes) -> None:
        with translated(f"cannot write {self._name}"):
            write_all(self.fd, data)
        self.size += len(data)
