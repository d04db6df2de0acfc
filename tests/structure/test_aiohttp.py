"""Only documented names of aiohttp are used, which its releases keep stable."""

from __future__ import annotations

import ast

import aiohttp
import pytest
from package_sources import FILES, PACKAGE, syntax_of

DOCUMENTED_MODULES = {"aiohttp", "aiohttp.web"}


def imported_modules(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(node.module or "")
    return [name for name in found if name.partition(".")[0] == "aiohttp"]


USERS = {
    str(path.relative_to(PACKAGE)): syntax_of(path)
    for path in FILES
    if "aiohttp" in path.read_text("utf-8") and imported_modules(syntax_of(path))
}


@pytest.mark.parametrize("module", USERS)
def test_no_private_names_of_other_objects_are_used(module: str) -> None:
    strangers = [
        f"{node.attr}, line {node.lineno}"
        for node in ast.walk(USERS[module])
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.endswith("__")
        and node.attr != "_replace"  # documented method of named tuples
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]
    assert strangers == []


@pytest.mark.parametrize("module", USERS)
def test_only_documented_modules_of_aiohttp_are_imported(module: str) -> None:
    assert set(imported_modules(USERS[module])) - DOCUMENTED_MODULES == set()


@pytest.mark.parametrize("module", USERS)
def test_only_names_that_aiohttp_exports_are_used(module: str) -> None:
    used = {
        node.attr
        for node in ast.walk(USERS[module])
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "aiohttp"
    }
    assert used - {*aiohttp.__all__, "__version__", "web"} == set()
