"""A file to which an export can be continued; the file and its checkpoint always agree.

A commit first flushes and fsyncs the file, then replaces the checkpoint, which has the number of
confirmed bytes. What the file has beyond those (such as part of a page, after a power failure) is
truncated when the file is opened again. So at any moment the confirmed bytes are exactly the payments
of the checkpoint.

Rows that changed need a new file. The checkpoint first announces it as the successor, then the new
file is renamed over the old one, then the checkpoint refers to it alone. A crash at any point leaves
a complete file that the checkpoint knows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import IO, Generic, TypeVar
from uuid import UUID

from paywint_async import Payment
from paywint_async.export._changes import Changes
from paywint_async.export._checkpoint import CheckpointFile, Confirmed, Extent
from paywint_async.export._compression import PLAIN, Compression
from paywint_async.export._encoding import Encoding
from paywint_async.export._errors import ExportError, translated
from paywint_async.export._files import (
    is_still,
    open_locked,
    put_in_place,
    replacement,
    sync_directory,
    temporary_path,
)
from paywint_async.export._output import OutputFile
from paywint_async.export._sink import Checkpoint

R = TypeVar("R")


class ResumableFile(Generic[R]):
    """A table in a regular file, beside a checkpoint file.

    Args:
        path: the file; a symbolic link is followed.
        encoding: of the records.
        checkpoint: says how many bytes are confirmed; locked while this is open.
        compression: of the file.
    """

    def __init__(
        self,
        path: str,
        encoding: Encoding[R],
        checkpoint: CheckpointFile,
        compression: Compression = PLAIN,
    ) -> None:
        self._path = path
        self._real_path = os.path.realpath(path)
        self._encoding = encoding
        self._checkpoint = checkpoint
        self._compression = compression
        self._changes = Changes(encoding)
        self._resources = ExitStack()
        self._listing: Checkpoint | None = None  # of the last commit

    async def open(self) -> Checkpoint | None:
        """Opens the file and truncates it to the confirmed bytes.

        Raises:
            ExportError: also if the file is not the one of the checkpoint, is too short, or exists
                without a checkpoint.
        """
        self._resources.callback(self._checkpoint.close)
        confirmed = self._checkpoint.open()
        self._check_length(confirmed)
        self._output = self._output_of(open_locked(self._real_path))
        self._resources.callback(lambda: self._output.close())
        with translated(f"cannot write {self._path}"):
            self._start(confirmed)
        return self._listing

    async def write(self, page: Sequence[R]) -> None:
        """Appends the page."""
        self._output.append(self._encoding.encode(page))

    async def pending(
        self, *, recheck_since: datetime | None = None
    ) -> AsyncGenerator[Sequence[UUID], None]:
        """Yields the ids of the payments that are not final; records the rows for `refresh`."""
        self._output.end_member()  # so that the header of a new file can be read
        if not self._output.size:
            return
        with self._reading() as file:
            async for ids in self._changes.pending(file, recheck_since):
                yield ids

    async def refresh(self, payments: Sequence[Payment]) -> int:
        """Stores the present states of payments; the next commit rewrites the file with them."""
        return self._changes.take(payments)

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Flushes and fsyncs the file, then replaces the checkpoint."""
        self._output.sync()
        if not is_still(self._output.fd, self._real_path):
            raise ExportError(f"{self._path} was moved, removed or replaced during the export")
        if self._changes:
            with translated(f"cannot write {self._path}"):
                await self._replace()
        self._save(checkpoint)

    async def close(self, *, complete: bool) -> None:
        """Releases the locks; the next `open` truncates what is not committed."""
        self._resources.close()

    @property
    def extent(self) -> Extent:
        """The written extent of the file; after a commit, the confirmed one."""
        return self._output.extent()

    def _check_length(self, confirmed: Confirmed | None) -> None:
        size = os.path.getsize(self._path) if os.path.exists(self._path) else 0
        name = self._checkpoint.path
        if confirmed is None:
            self._refuse_content(size)
        if confirmed is not None and size < min(each.size for each in _possible(confirmed)):
            raise ExportError(
                f"{self._path} has {size:,} bytes, but {name} says {confirmed.size:,}: restore the "
                f"file, or remove {name} to start again"
            )

    def _refuse_content(self, size: int) -> None:
        name = self._checkpoint.path
        if size:
            raise ExportError(
                f"{self._path} is not empty and {name} is new: the export would mix with what is "
                "there; move one of them away"
            )
        if os.path.lexists(temporary := temporary_path(self._real_path)):
            raise ExportError(f"{temporary} exists, and {name} is new: move one of them away")

    def _start(self, confirmed: Confirmed | None) -> None:
        if confirmed is None:
            # Before this one had the lock, another export may have written the file.
            self._refuse_content(os.fstat(self._output.fd).st_size)
            sync_directory(self._real_path)
            self._save(None)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary_path(self._real_path))
            self._listing = confirmed.listing
            self._output.cut(self._find(confirmed))
            if (
                confirmed.successor is not None
            ):  # before the file grows and can no longer be distinguished from it
                self._save(self._listing)
        if not self._output.size:
            self._output.append(self._encoding.header)

    def _find(self, confirmed: Confirmed) -> int:
        """The number of confirmed bytes of the file."""
        size = os.fstat(self._output.fd).st_size
        former, *successor = _possible(confirmed)
        if [self._output.extent(size)] == successor:
            return size
        if self._output.extent(former.size) != former:
            raise ExportError(
                f"{self._path} is not the file that {self._checkpoint.path} belongs to, or was "
                "changed since"
            )
        return former.size

    async def _replace(self) -> None:
        """Rewrites the file with the rows that changed.

        Cancellation: the new file is removed; the old one and its checkpoint stay.
        """
        with replacement(self._real_path) as fd:
            output = self._output_of(fd)
            with self._reading() as file:
                await self._changes.copy(file, output.append)
            output.sync()
            self._save(self._listing, successor=output.extent())
            put_in_place(fd, temporary_path(self._real_path), self._real_path)
        self._output, former = output, self._output
        former.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[IO[bytes]]:
        action = f"cannot read {self._path}"
        damages: tuple[type[Exception], ...] = (EOFError, ValueError, LookupError)
        damages += self._compression.damages()
        try:
            with translated(action), self._compression.open(self._path) as file:
                yield file
        except damages as error:
            raise ExportError(f"{action}: it is damaged ({error})") from None

    def _save(self, listing: Checkpoint | None, *, successor: Extent | None = None) -> None:
        extent = self._output.extent()
        self._checkpoint.save(
            size=extent.size, tail=extent.tail, listing=listing, successor=successor
        )
        self._listing = listing

    def _output_of(self, fd: int) -> OutputFile:
        return OutputFile(fd, self._path, self._compression)


def _possible(confirmed: Confirmed) -> list[Extent]:
    """The extents that the file may have: its own, or that of the successor that replaced it."""
    former = Extent(size=confirmed.size, tail=confirmed.tail)
    return [former] if confirmed.successor is None else [former, confirmed.successor]
