"""What differs between operating systems: locks, open flags, directories, pipes.

The only module that may use what POSIX alone has. The part for Windows follows the documentation of
`msvcrt` and `os`; the suite runs on POSIX.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable

if sys.platform == "win32":
    import msvcrt

    OPEN_FLAGS = os.O_BINARY | os.O_NOINHERIT
    NO_LINK = 0
    NO_WAIT = 0
    PIPE_BUF = 4096
    _FAR = 1 << 40  # behind any content, because a lock keeps others from reading what it covers

    def lock(fd: int) -> bool:
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, position, os.SEEK_SET)
        return True

    def open_directory(path: str) -> int:
        """A file in it stands for the directory, which Windows does not open."""
        return os.open(os.path.join(path, ".lock"), os.O_RDWR | os.O_CREAT | OPEN_FLAGS)

    def sync_directory(path: str) -> None:
        """Nothing: the file system keeps names in its own journal."""

    def copy_mode(fd: int, path: str) -> None:
        """Nothing: permissions are inherited from the directory."""

    def read_at(fd: int, length: int, offset: int) -> bytes:
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, offset, os.SEEK_SET)
        try:
            return os.read(fd, length)
        finally:
            os.lseek(fd, position, os.SEEK_SET)

    def room_in(fd: int) -> Callable[[], bool]:
        """Always: a pipe cannot be asked, and holds the event loop while it is full."""
        return lambda: True

    def set_blocking(fd: int) -> None:
        """Nothing: it was opened so."""

else:
    import fcntl
    import select

    OPEN_FLAGS = os.O_CLOEXEC
    NO_LINK = os.O_NOFOLLOW
    NO_WAIT = os.O_NONBLOCK
    PIPE_BUF = select.PIPE_BUF

    def lock(fd: int) -> bool:
        """Whether nobody else has the file locked; the lock ends with the descriptor."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def open_directory(path: str) -> int:
        """A descriptor of it that can be locked."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def sync_directory(path: str) -> None:
        """Flush the directory's entries to disk."""
        fd = open_directory(path)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def copy_mode(fd: int, path: str) -> None:
        """Give the open file the permissions of the one at the path, if there is one."""
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(fd, stat.S_IMODE(os.stat(path).st_mode))

    def read_at(fd: int, length: int, offset: int) -> bytes:
        """Read without moving the position."""
        return os.pread(fd, length, offset)

    def room_in(fd: int) -> Callable[[], bool]:
        """A question: whether a write to the descriptor would not block."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        return lambda: bool(poll.poll(0))

    def set_blocking(fd: int) -> None:
        """Undo `NO_WAIT`."""
        os.set_blocking(fd, True)
