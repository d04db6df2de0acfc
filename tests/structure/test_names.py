"""One name is one thing: no two classes of the package share a name."""

from __future__ import annotations

import ast
from collections import Counter

from package_sources import FILES, syntax_of

# A webhook's receiver states by a protocol what it needs of the client.
SHARED = {"Wakes"}


def test_no_two_classes_have_the_same_name() -> None:
    names = Counter(
        node.name
        for path in FILES
        for node in syntax_of(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert {name for name, count in names.items() if count > 1} - SHARED == set()
