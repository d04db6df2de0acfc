"""A file that is replaced atomically: written beside the target, and renamed to it when complete."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Generic, TypeVar

from paywint_async.export._compression import PLAIN, Compression
from paywint_async.export._encoding import Encoding
from paywint_async.export._errors import translated
from paywint_async.export._files import open_locked, put_in_place
from paywint_async.export._output import OutputFile
from paywint_async.export._platform import system
from paywint_async.export._sink import Checkpoint

R = TypeVar("R")


def partial_path(path: str) -> str:
    """The path of a file until it is complete; a symbolic link is followed first."""
    return f"{os.path.realpath(path)}.part"


class AtomicFile(Generic[R]):
    """A sink that replaces a regular file once everything is written.

    An export that fails leaves the former file unchanged, and the payments written so far in
    `partial_path`, which the next export overwrites. Without any payments, no file is left.
    """

    def __init__(self, path: str, encoding: Encoding[R], compression: Compression = PLAIN) -> None:
        self._path = path
        self._real_path = os.path.realpath(path)
        self._part = partial_path(path)
        self._encoding = encoding
        self._compression = compression
        self._output: OutputFile | None = None
        self._is_empty = True

    async def open(self) -> Checkpoint | None:
        """Begins an empty file; returns None, since such an export cannot be continued."""
        self._output = OutputFile(open_locked(self._part), self._part, self._compression)
        self._output.cut(0)
        self._output.append(self._encoding.header)
        return None

    async def write(self, page: Sequence[R]) -> None:
        """Appends the page."""
        assert self._output is not None
        data = self._encoding.encode(page)
        self._is_empty = False
        self._output.append(data)

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Does nothing: the file appears only when complete."""

    async def close(self, *, complete: bool) -> None:
        """Renames the file to its target if it is complete."""
        output, self._output = self._output, None
        if output is None:
            return
        try:
            with translated(f"cannot write {self._path}"):
                self._finish(output, complete)
        finally:
            output.close()

    def _finish(self, output: OutputFile, complete: bool) -> None:
        if not complete and self._is_empty:
            system.remove(self._part)
            return
        output.end_member()
        if complete:
            put_in_place(output.fd, self._part, self._real_path)
