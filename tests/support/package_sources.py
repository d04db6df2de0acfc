"""The syntax trees of the package's modules, each parsed once per test process, when first needed."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import paywint_async

PACKAGE = Path(paywint_async.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


@cache
def syntax_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))
