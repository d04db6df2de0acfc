"""The few file operations that survive a crash."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from paywint_async.export._errors import ExportError, OutputInUseError, translated
from paywint_async.export._platform import system


def open_locked(path: str) -> int:
    """A descriptor of the regular file, created where missing, that nobody else has through here.

    A symbolic link is refused: whoever means its target resolves it first. Else what is written beside
    an output could be led into any other file by whoever may write there.

    The lock is the system's own, so it ends with the process, however that ends.

    Raises:
        OutputInUseError: another export has it.
        ExportError: it cannot be opened, or is no regular file.
    """
    with contextlib.ExitStack() as undo, translated(f"cannot open {path}"):
        flags = os.O_RDWR | os.O_CREAT | system.OPEN_FLAGS | system.NO_WAIT | system.NO_LINK
        fd = os.open(path, flags, 0o666)
        undo.callback(system.close, fd)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ExportError(f"{path} is not a regular file")
        # Between opening and locking, who had the lock may have put a new file in its place.
        if not system.lock(fd, path) or not is_still(fd, path):
            raise OutputInUseError(f"{path} is being written by another export")
        undo.pop_all()
    return fd


def is_still(fd: int, path: str) -> bool:
    """Whether the path still leads to the file that was opened."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def write_all(fd: int, data: bytes) -> None:
    """Writes every byte: the system may take fewer at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def sync_directory(path: str) -> None:
    """Makes the file's name last, as `os.fsync` does its content."""
    system.sync_directory(os.path.dirname(path) or ".")


def temporary_path(path: str) -> str:
    """The path to which the next content of a file is written until it replaces the file."""
    return f"{path}.tmp"


@contextlib.contextmanager
def replacement(path: str) -> Iterator[int]:
    """The descriptor of a new file beside the path, which the block fills and puts in its place.

    It is locked from the start, so that the name is never unlocked. Where the block fails the new
    file is removed and closed; else it stays open, and the caller's.
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
    """Makes a written file last under the target's name, with the target's permissions."""
    system.copy_mode(fd, target)
    os.fsync(fd)
    system.move(fd, path, target)
    sync_directory(target)
