"""Files that another process is writing, renaming or removing meanwhile."""

from __future__ import annotations

from pathlib import Path


def size_of(path: Path) -> int:
    """How many bytes it has; none if it is not there, also if it goes while it is looked at."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
