"""Simulates Windows' file rules on POSIX: `simulate(monkeypatch)` makes the export use `_windows`.

The documented rules are simulated: an open file cannot be renamed, replaced or removed;
`msvcrt.locking` locks a byte of a file for one descriptor; functions specific to POSIX are missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from paywint_async.export import (
    _atomic_file,
    _checkpoint,
    _files,
    _output,
    _parquet,
    _stream,
    _windows,
    _xlsx,
)

USERS = (_atomic_file, _checkpoint, _files, _output, _parquet, _stream, _xlsx)
ONLY_ON_POSIX = ("pread", "pwrite", "fchmod", "set_blocking")


def simulate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applies Windows' file rules to this process, and its platform module, until the test's end."""
    if sys.platform == "win32":
        return
    monkeypatch.setitem(sys.modules, "msvcrt", _msvcrt())
    for module in USERS:
        monkeypatch.setattr(module, "system", _windows)
    for name in ("replace", "rename", "unlink", "remove"):
        monkeypatch.setattr(os, name, _refusing_open_files(getattr(os, name)))
    for name in ONLY_ON_POSIX:
        monkeypatch.delattr(os, name)


def _msvcrt() -> ModuleType:
    import fcntl

    module: Any = ModuleType("msvcrt")
    module.LK_NBLCK = 2

    def locking(fd: int, mode: int, size: int) -> None:
        assert (mode, size) == (module.LK_NBLCK, 1)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None

    module.locking = locking
    return module


def _refusing_open_files(function: Any) -> Any:
    def call(*paths: Any, **named: Any) -> Any:
        for path in paths:
            if is_open(path):
                raise PermissionError(13, "The process cannot access the file", str(path))
        return function(*paths, **named)

    return call


def is_open(path: object) -> bool:
    """Whether this process has the file open."""
    name = os.path.realpath(os.fspath(path))  # type: ignore[call-overload]
    return any(_target(entry) == name for entry in Path("/proc/self/fd").iterdir())


def _target(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except FileNotFoundError:  # the descriptor of the listing itself
        return ""
