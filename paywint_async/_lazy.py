"""Imports the names of a package on first use (PEP 562).

Imports almost nothing itself, since every program that imports the package waits for it.
"""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def importer(
    package: str, *, modules: Mapping[str, Sequence[str]], packages: Sequence[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Returns the ``__getattr__`` and ``__dir__`` of a package.

    Safe in threads: the import system gives all of them the same, completely imported module.

    Args:
        package: the name of the package.
        modules: the names that each module defines; modules are named relative to the package.
        packages: sub-packages, which are imported when they are first used as an attribute.
    """
    places = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        if name in packages:
            return import_module(f"{package}.{name}")
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{places[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places, *packages})

    return get, names
