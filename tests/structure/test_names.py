"""One name is one thing, and says which: no two types share a name, and no name has a replaced word."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_sources import FILES, PACKAGE, syntax_of

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


# Words that said too little, by what replaced them. As a whole name of a module each of them, and within
# any other name those that no term of the field has.
REPLACED = {
    "cells": "row_parser",
    "created": "find_created",
    "floor": "low_watermark",
    "frontier": "next_offset",
    "held": "exported_count",
    "later": "lazy",
    "line": "wait_queue",
    "lives": "lifecycle",
    "posted": "form_body",
    "replaced": "atomic_file",
    "switches": "fault_settings",
    "told": "given, shown, text",
    "verdict": "decision",
}
# Of tables; created_at; the later of two times; of text; in the doctor's report.
TERMS = {"cells", "created", "later", "line", "verdict"}


def names_bound_by(module: ast.Module) -> Iterator[str]:
    """Names that the package chose, not those that it uses of other libraries."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def test_no_module_is_named_by_a_replaced_word() -> None:
    assert [path.stem for path in FILES if path.stem.strip("_") in REPLACED] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_name_has_a_replaced_word(path: Path) -> None:
    replaced = set(REPLACED) - TERMS

    assert [name for name in names_bound_by(syntax_of(path)) if words_of(name) & replaced] == []
