"""A file that is whole or untouched: written beside its place, and put there when complete."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Generic, TypeVar

from paywint_async.export.encoding import Encoding
from paywint_async.export.errors import translated
from paywint_async.export.files import open_locked, put_in_place, write_all
from paywint_async.export.sink import Checkpoint

R = TypeVar("R")


def part_of(path: str) -> str:
    """Where the file is written until it is complete; a symbolic link is followed first."""
    return f"{os.path.realpath(path)}.part"


class ReplacedFile(Generic[R]):
    """A sink that replaces a regular file once all is written.

    An export that stops leaves the former file as it was, and what it has got in `part_of`, where
    the next one begins anew. Nothing at all is left where no payment came.
    """

    def __init__(self, path: str, encoding: Encoding[R]) -> None:
        self._path = path
        self._real_path = os.path.realpath(path)
        self._part = part_of(path)
        self._encoding = encoding
        self._fd = -1
        self._is_empty = True

    async def open(self) -> Checkpoint | None:
        """Begins anew; there is never anything to continue."""
        self._fd = open_locked(self._part)
        with translated(f"cannot write {self._part}"):
            os.ftruncate(self._fd, 0)
            write_all(self._fd, self._encoding.header)
        return None

    async def write(self, page: Sequence[R]) -> None:
        """Appends the page."""
        data = self._encoding.encode(page)
        self._is_empty = False
        with translated(f"cannot write {self._part}"):
            write_all(self._fd, data)

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Nothing: this file is for good only as a whole."""

    async def close(self, *, complete: bool) -> None:
        """Puts the file in its place, where complete."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            with translated(f"cannot write {self._path}"):
                self._finish(fd, complete)
        finally:
            os.close(fd)

    def _finish(self, fd: int, complete: bool) -> None:
        if complete:
            put_in_place(fd, self._part, self._real_path)
        elif self._is_empty:
            os.unlink(self._part)
