"""Files that another process is writing, renaming or removing."""

from __future__ import annotations

from pathlib import Path


def size_of(path: Path) -> int:
    """A file's size in bytes; 0 if it does not exist or is removed meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
