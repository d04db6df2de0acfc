"""Files, locks and pipes on Windows, with the functions of `_posix`.

Windows can neither rename, remove nor replace an open file (`os.open` does not share deletion). So such a
file is closed for that moment and reopened under the same descriptor. A lock on a region of the file
itself would exclude readers, and would end when the file is closed. So the lock is on a file beside it,
``<path>.lock``, which is removed with the lock.

Source: the Python documentation of `msvcrt.locking`, `os.dup2` and `os.replace`; PEP 528 for consoles;
`subprocess.Popen._stdin_write` for closed pipes; Microsoft's documentation of `_sopen` and `MoveFileEx`.
The module can be imported on POSIX, too, where the tests simulate Windows.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

OPEN_FLAGS: int = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
NO_LINK = 0
NO_WAIT = 0
PIPE_BUF = sys.maxsize  # a pipe cannot be asked for room, so smaller pieces would not help
CLOSED_PIPE = (
    errno.EPIPE,
    errno.EINVAL,
)  # `WriteFile` fails with ERROR_NO_DATA, which becomes EINVAL


class _LockedFile:
    """An open file, its path and its lock."""

    __slots__ = ("lock_fd", "lock_path", "path")

    def __init__(self, path: str, lock_fd: int, lock_path: str) -> None:
        self.path = path
        self.lock_fd = lock_fd
        self.lock_path = lock_path


_locked: dict[int, _LockedFile] = {}  # by descriptor; global, as descriptors are


def lock(fd: int, path: str) -> bool:
    """Lock the open file at the path; False if it is locked already. `close` ends the lock."""
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "is a symbolic link", path)
    lock_path = f"{path}.lock"
    lock_fd = _lock_file(lock_path)
    if lock_fd is None:
        return False
    _locked[fd] = _LockedFile(path, lock_fd, lock_path)
    return True


def lock_directory(path: str) -> int | None:
    """A descriptor that locks the directory until it is closed; None if it is locked already."""
    lock_path = os.path.join(path, ".lock")
    fd = _lock_file(lock_path)
    if fd is not None:
        _locked[fd] = _LockedFile("", os.dup(fd), lock_path)
    return fd


def close(fd: int) -> None:
    """Close a file, and end its lock if it has one."""
    file = _locked.pop(fd, None)
    os.close(fd)
    if file is not None:
        _unlock(file)


def move(fd: int, path: str, target: str) -> None:
    """Rename the open and locked file at ``path``, replacing the target.

    A descriptor of the former target is at the end of an empty file from then on.
    """
    positions = _detach(path, target)
    try:
        os.replace(path, target)
    except BaseException:
        for each, position in positions.items():
            _attach(each, _locked[each].path, position)
        raise
    moved = _locked[fd]
    for each in positions:
        if each != fd:  # the former target: the lock stays with the name
            former = _locked.pop(each)
            _unlock(moved)
            moved.lock_fd, moved.lock_path = former.lock_fd, former.lock_path
    moved.path = target
    _attach(fd, target, positions[fd])


def remove(path: str) -> None:
    """Remove a file, which may be open here."""
    _detach(path)
    os.unlink(path)


def sync_directory(path: str) -> None:
    """Do nothing: the file system journals names."""


def copy_mode(fd: int, path: str) -> None:
    """Do nothing: permissions are inherited from the directory."""


def read_at(fd: int, length: int, offset: int) -> bytes:
    """Read up to ``length`` bytes from ``offset`` on, without moving the position."""
    position = os.lseek(fd, 0, os.SEEK_CUR)
    os.lseek(fd, offset, os.SEEK_SET)
    try:
        return os.read(fd, length)
    finally:
        os.lseek(fd, position, os.SEEK_SET)


def writer(fd: int) -> Callable[[memoryview], int]:
    """A function that writes to a pipe, console or device, and returns the number of bytes written.

    A console shows UTF-8 as text, whatever its code page.
    """
    if not os.isatty(fd):
        return partial(os.write, fd)
    console = open(fd, "wb", buffering=0, closefd=False)  # noqa: SIM115  (the descriptor's owner closes)
    return cast(Callable[[memoryview], int], console.write)


def room_in(fd: int) -> Callable[[], bool]:
    """A function that returns True: a pipe cannot be asked, and a write to a full one blocks."""
    return lambda: True


def data_in(fd: int, wait_ms: int) -> Callable[[], bool]:
    """A function that returns True: a pipe cannot be asked, and reading it blocks."""
    return lambda: True


def set_blocking(fd: int) -> None:
    """Do nothing: it was opened as blocking."""


def _lock_file(path: str) -> int | None:
    msvcrt: Any = importlib.import_module("msvcrt")  # only on Windows, and typed only there
    fd = os.open(path, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, 0o666)
    try:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    except OSError:
        os.close(fd)
        return None
    return fd


def _unlock(file: _LockedFile) -> None:
    os.close(file.lock_fd)
    with contextlib.suppress(OSError):  # another process is opening it to lock it
        os.unlink(file.lock_path)


def _detach(*paths: str) -> dict[int, int]:
    """Closes the locked files at the paths, keeping their descriptors; returns their positions."""
    descriptors = [fd for fd, file in _locked.items() if file.path in paths]
    positions = {fd: os.lseek(fd, 0, os.SEEK_CUR) for fd in descriptors}
    for fd in descriptors:
        _replace_descriptor(fd, os.devnull)
    return positions


def _attach(fd: int, path: str, position: int) -> None:
    _replace_descriptor(fd, path)
    os.lseek(fd, position, os.SEEK_SET)


def _replace_descriptor(fd: int, path: str) -> None:
    opened = os.open(path, os.O_RDWR | OPEN_FLAGS)
    try:
        os.dup2(opened, fd, inheritable=False)
    finally:
        os.close(opened)
