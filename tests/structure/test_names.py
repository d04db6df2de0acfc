"""One name is one thing: no two classes or type aliases of the package share a name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from package_sources import FILES, syntax_of

CAPITALISED = re.compile(r"_*[A-Z]\w*[a-z]\w*")  # so no constant


def names_of_types(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and CAPITALISED.fullmatch(target.id):
                    yield target.id


def test_no_two_types_have_the_same_name() -> None:
    """Private ones neither: a reader who meets `_Answer` thinks of `Answer`."""
    names = Counter(name.lstrip("_") for path in FILES for name in names_of_types(syntax_of(path)))

    assert {name for name, count in names.items() if count > 1} == set()
