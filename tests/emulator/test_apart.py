"""The emulator is independent of the SDK's code."""

import ast
from pathlib import Path

from package_sources import syntax_of

from paywint_async import emulator

PACKAGE = Path(emulator.__file__).parent


def imports(path):
    for node in ast.walk(syntax_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "a relative import"


def test_the_emulator_imports_nothing_from_the_sdk():
    names = {name for path in PACKAGE.glob("*.py") for name in imports(path)}
    own = {name for name in names if name.split(".")[0] == "paywint_async"}
    assert {name for name in own if not name.startswith("paywint_async.emulator")} == set()


def test_the_emulator_does_not_use_the_random_module():
    names = {name for path in PACKAGE.glob("*.py") for name in imports(path)}
    assert "random" not in names
