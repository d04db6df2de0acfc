"""Crash-safe file operations: locking, replacement, flush and fsync."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from paywint_async.export._errors import ExportError, OutputInUseError, translated
from paywint_async.export._platform import system


def open_locked(path: str) -> int:
    """Opens a regular file, created if missing, with an exclusive lock; returns the descriptor.

    A symbolic link is refused; callers resolve the paths of outputs first. Otherwise anyone who can write
    to the directory could redirect a temporary file into another file.

    The lock is the system's own, so it ends with the process, however that ends.

    Raises:
        OutputInUseError: another export has locked it.
        ExportError: it cannot be opened, or is not a regular file.
    """
    with contextlib.ExitStack() as undo, translated(f"cannot open {path}"):
        flags = os.O_RDWR | os.O_CREAT | system.OPEN_FLAGS | system.NO_WAIT | system.NO_LINK
        fd = os.open(path, flags, 0o666)
        undo.callback(system.close, fd)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ExportError(f"{path} is not a regular file")
        # Between opening and locking, the previous owner of the lock may have replaced the file.
        if not system.lock(fd, path) or not is_still(fd, path):
            raise OutputInUseError(f"{path} is being written by another export")
        undo.pop_all()
    return fd


def is_still(fd: int, path: str) -> bool:
    """Whether the path still refers to the opened file."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def write_all(fd: int, data: bytes) -> None:
    """Writes all bytes; a single call of the system may write fewer."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def sync_directory(path: str) -> None:
    """Makes the file's name durable, as `os.fsync` does its content."""
    system.sync_directory(os.path.dirname(path) or ".")


def temporary_path(path: str) -> str:
    """The path to which the next content of a file is written until it replaces the file."""
    return f"{path}.tmp"


@contextlib.contextmanager
def replacement(path: str) -> Iterator[int]:
    """Creates a temporary file that the block writes and renames to the path; yields its descriptor.

    It is locked from the start, so that the path is never without a lock. If the block fails, the
    temporary file is closed and removed; otherwise the caller closes it.
    """
    temporary = temporary_path(path)
    fd = open_locked(temporary)
    try:
        os.ftruncate(fd, 0)
        yield fd
    except BaseException:
        system.close(fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def put_in_place(fd: int, path: str, target: str) -> None:
    """Flushes a written file and renames it to the target, with the target's permissions."""
    system.copy_mode(fd, target)
    os.fsync(fd)
    system.move(fd, path, target)
    sync_directory(target)
