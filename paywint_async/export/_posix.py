"""Files, locks and pipes on POSIX. The only module that may use functions that Windows lacks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
from collections.abc import Callable
from functools import partial

OPEN_FLAGS = os.O_CLOEXEC
NO_LINK = os.O_NOFOLLOW
NO_WAIT = os.O_NONBLOCK
PIPE_BUF = select.PIPE_BUF
CLOSED_PIPE = (errno.EPIPE,)


def lock(fd: int, path: str) -> bool:
    """Lock the open file; False if it is locked already. The lock ends with the descriptor."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_directory(path: str) -> int | None:
    """A descriptor that locks the directory until it is closed; None if it is locked already."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if lock(fd, path):
        return fd
    os.close(fd)
    return None


def close(fd: int) -> None:
    """Close a file that was locked."""
    os.close(fd)


def move(fd: int, path: str, target: str) -> None:
    """Rename the open and locked file at ``path``, replacing the target."""
    os.replace(path, target)


def remove(path: str) -> None:
    """Remove a file, which may be open here."""
    os.unlink(path)


def sync_directory(path: str) -> None:
    """Flush the directory's entries to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def copy_mode(fd: int, path: str) -> None:
    """Give the open file the permissions of the one at the path, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.fchmod(fd, stat.S_IMODE(os.stat(path).st_mode))


def read_at(fd: int, length: int, offset: int) -> bytes:
    """Read up to ``length`` bytes from ``offset`` on, without moving the position."""
    return os.pread(fd, length, offset)


def writer(fd: int) -> Callable[[memoryview], int]:
    """A function that writes to a pipe, terminal or device, and returns the number of bytes written."""
    return partial(os.write, fd)


def room_in(fd: int) -> Callable[[], bool]:
    """A function that returns whether a write to the descriptor would not block."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return lambda: bool(poll.poll(0))


def data_in(fd: int, wait_ms: int) -> Callable[[], bool]:
    """A function that returns whether data, or the end, can be read within so many milliseconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return lambda: bool(poll.poll(wait_ms))


def set_blocking(fd: int) -> None:
    """Undo `NO_WAIT`."""
    os.set_blocking(fd, True)
