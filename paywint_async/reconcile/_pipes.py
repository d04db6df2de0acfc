"""Copies a ledger from a pipe, which can be read only once, into a temporary file."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import IO

from paywint_async.export._errors import translated
from paywint_async.export._platform import system
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._file_kinds import head_of

STDIN = "-"
_MOST_BYTES = 1 << 30
_CHUNK = 1 << 20
_WAIT = 100  # milliseconds between two checks for cancellation
# The first bytes of compressed data, and the ending of such a file.
_COMPRESSED = ((b"\x1f\x8b", ".gz"), (b"\x28\xb5\x2f\xfd", ".zst"))


def shown_name(ledger: str) -> str:
    """Return the name of a ledger for messages."""
    return "stdin" if ledger == STDIN else ledger


@asynccontextmanager
async def readable(ledger: str, *, most: int = _MOST_BYTES) -> AsyncIterator[str]:
    """Yield a path that can be read several times: for a pipe a copy, which is removed at the end.

    Args:
        ledger: a file, a pipe, ``-`` for stdin, or anything else, which is yielded unchanged.
        most: the most bytes that are read from a pipe.

    Raises:
        LedgerError: the pipe has more bytes. Errors of the block name the pipe, not its copy.
        ExportError: the pipe cannot be read, or the copy cannot be written.

    Cancellation: the copy is removed.
    """
    if not _is_pipe(ledger):
        yield ledger
        return
    with tempfile.TemporaryDirectory(prefix="paywint-") as folder:
        copy = await _copied(ledger, folder, most)
        try:
            yield _with_ending(copy)
        except LedgerError as error:
            place = re.sub(rf"^{re.escape(copy)}[.a-z]*", shown_name(ledger), error.place)
            raise LedgerError(place, error.problem, column=error.column, hint=error.hint) from None


def _is_pipe(ledger: str) -> bool:
    if ledger == STDIN:
        return True
    try:
        mode = os.stat(ledger).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or _is_terminal(ledger, mode)


def _is_terminal(ledger: str, mode: int) -> bool:
    return stat.S_ISCHR(mode) and ledger == "/dev/stdin" and os.isatty(0)


async def _copied(ledger: str, folder: str, most: int) -> str:
    stop = threading.Event()
    copying = asyncio.ensure_future(
        asyncio.to_thread(_copy, ledger, folder, most, is_stopped=stop.is_set)
    )
    try:
        return await asyncio.shield(copying)
    except asyncio.CancelledError:
        stop.set()
        with suppress(Exception):
            await copying
        raise


def _copy(ledger: str, folder: str, most: int, *, is_stopped: Callable[[], bool]) -> str:
    """Copy a pipe; return the copy's path."""
    path = os.path.join(folder, "ledger")
    size = 0
    with (
        translated(f"cannot read {shown_name(ledger)}"),
        _opened(ledger) as pipe,
        open(path, "xb", buffering=0, opener=_private) as copy,
    ):
        for chunk in _chunks(pipe.fileno(), is_stopped):
            size += len(chunk)
            if size > most:
                problem = f"the pipe has more than {most:,} bytes"
                raise LedgerError(shown_name(ledger), problem, hint="write them to a file first")
            copy.write(chunk)
    return path


def _with_ending(path: str) -> str:
    """Rename the copy with the ending that fits its content; return its path."""
    with open(path, "rb") as copy:
        head = copy.read(4)
    compressed = next((ending for start, ending in _COMPRESSED if head.startswith(start)), "")
    os.rename(path, path + compressed)
    # All other kinds are detected by content, whatever the name.
    kind = ".jsonl" if head_of(path + compressed).lstrip().startswith(b"{") else ""
    os.rename(path + compressed, path + kind + compressed)
    return path + kind + compressed


def _opened(ledger: str) -> IO[bytes]:
    if ledger in (STDIN, "/dev/stdin"):
        return open(0, "rb", buffering=0, closefd=False)
    # Opening a FIFO without a writer would block, and could not be cancelled.
    return open(ledger, "rb", buffering=0, opener=_without_waiting)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | system.NO_WAIT)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _chunks(fd: int, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
    """Yield a pipe's data until its end, or until the copy is stopped."""
    has_data = system.data_in(fd, _WAIT)
    while not is_stopped():
        if not has_data():
            continue
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            continue
        if not chunk:
            return
        yield chunk
