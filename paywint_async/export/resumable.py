"""A file that an export can be continued into: the file and its checkpoint never disagree.

Commit first makes the data last, then replaces the checkpoint, which says how many bytes are
confirmed. Whatever the file has beyond those (a page half written when the power went) is cut off
when it is opened again. So at every instant the confirmed bytes are the checkpoint's payments.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Generic, TypeVar

from paywint_async.export.checkpoint import CheckpointFile, Confirmed
from paywint_async.export.encoding import Encoding
from paywint_async.export.errors import ExportError, translated
from paywint_async.export.files import is_still, open_locked, sync_directory, write_all
from paywint_async.export.sink import Checkpoint

R = TypeVar("R")

_TAIL = 4096  # bytes that prove that this is the file which the checkpoint is about


class ResumableFile(Generic[R]):
    """A sink that appends to a regular file, beside a checkpoint file.

    Args:
        path: the file; a symbolic link is followed.
        encoding: of the records.
        checkpoint: says how much of the file counts; locked while this is open.
    """

    def __init__(self, path: str, encoding: Encoding[R], checkpoint: CheckpointFile) -> None:
        self._path = path
        self._real_path = os.path.realpath(path)
        self._encoding = encoding
        self._checkpoint = checkpoint
        self._held = ExitStack()
        self._fd = -1
        self._size = 0

    async def open(self) -> Checkpoint | None:
        """Cuts off what is unconfirmed.

        Raises:
            ExportError: also where the file is not the one the checkpoint is about, is too short, or
                is there without a checkpoint.
        """
        self._held.callback(self._checkpoint.close)
        confirmed = self._checkpoint.open()
        self._check_length(confirmed)
        self._fd = open_locked(self._real_path)
        self._held.callback(os.close, self._fd)
        with translated(f"cannot write {self._path}"):
            self._start(confirmed)
        return None if confirmed is None else confirmed.listing

    async def write(self, page: Sequence[R]) -> None:
        """Appends the page."""
        self._append(self._encoding.encode(page))

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Syncs the file, then replaces the checkpoint."""
        with translated(f"cannot write {self._path}"):
            os.fsync(self._fd)
            tail = self._tail(self._size)
        if not is_still(self._fd, self._real_path):
            raise ExportError(f"{self._path} was moved, removed or replaced during the export")
        self._checkpoint.save(size=self._size, tail=tail, listing=checkpoint)

    async def close(self, *, complete: bool) -> None:
        """Gives the locks back; what is not committed will be cut off."""
        self._held.close()

    def _check_length(self, confirmed: Confirmed | None) -> None:
        size = os.path.getsize(self._path) if os.path.exists(self._path) else 0
        name = self._checkpoint.path
        if confirmed is None and size:
            raise ExportError(
                f"{self._path} is not empty and {name} is new: the export would mix with what is "
                "there; move one of them away"
            )
        if confirmed is not None and size < confirmed.size:
            raise ExportError(
                f"{self._path} has {size:,} bytes, but {name} says {confirmed.size:,}: restore the "
                f"file, or remove {name} to begin anew"
            )

    def _start(self, confirmed: Confirmed | None) -> None:
        if confirmed is None:
            sync_directory(self._real_path)
            self._checkpoint.save(size=0, tail=self._tail(0), listing=None)
        elif confirmed.tail != self._tail(confirmed.size):
            raise ExportError(
                f"{self._path} is not the file that {self._checkpoint.path} belongs to, or was "
                "changed since"
            )
        self._size = confirmed.size if confirmed else 0
        os.ftruncate(self._fd, self._size)
        os.lseek(self._fd, self._size, os.SEEK_SET)
        if not self._size:
            self._append(self._encoding.header)

    def _append(self, data: bytes) -> None:
        with translated(f"cannot write {self._path}"):
            write_all(self._fd, data)
        self._size += len(data)

    def _tail(self, size: int) -> str:
        length = min(size, _TAIL)
        return hashlib.sha256(os.pread(self._fd, length, size - length)).hexdigest()
