"""The package's modules as syntax trees, each parsed once in a test process, when a test asks for it."""

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
