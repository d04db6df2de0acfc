"""The differences between operating systems: `_posix` or `_windows`, which have the same functions."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from paywint_async.export import _windows as system
else:
    from paywint_async.export import _posix as system

__all__ = ["system"]
