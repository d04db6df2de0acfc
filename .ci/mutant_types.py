"""Prints mypy's errors in the mutated functions that mutmut wrote: `mutant_types.py mypy FILE …`.

mutmut reads the output. Errors in mutmut's own additions to a module are omitted.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def changed_lines(file: str) -> frozenset[int]:
    """The line numbers of the mutated functions in a file."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(Path(file).read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and re.search(
            r"__mutmut_\d+$", node.name
        ):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return frozenset(lines)


def main() -> None:
    command = [sys.executable, "-m", *sys.argv[1:], "--output", "json"]
    found = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=False).stdout
    for line in found.splitlines():
        error = json.loads(line)
        if error["line"] in changed_lines(error["file"]):
            print(line)


if __name__ == "__main__":
    main()
