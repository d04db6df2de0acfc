"""Every module imports alone, offers what it says, and imports nothing its user did not ask for."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import paywint_async

PACKAGE = Path(paywint_async.__file__).parent
# Importing `__main__` is running the command.
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "paywint_async.")
    if module.name != "paywint_async.__main__"
]

PACKAGE_BODY = ast.parse((PACKAGE / "__init__.py").read_text("utf-8")).body

# One process for all modules, each with nothing of the package imported before it. The package's
# `__init__` imports nearly everything in an order that works, which would hide a circular import,
# so for the library itself an empty package stands in for it.
IMPORT_EACH_ALONE = """
import importlib, json, sys, traceback, types
path, modules = json.load(sys.stdin)
failures = {}
for name in modules:
    for loaded in [m for m in sys.modules if m.partition(".")[0] == "paywint_async"]:
        del sys.modules[loaded]
    over_the_api = "_cli", "export", "reconcile", "webhooks"
    over_the_export = "_accounts.staging", "_accounts.steps", "_accounts.task"
    if not name.partition(".")[2].startswith((*over_the_api, *over_the_export)):
        package = sys.modules["paywint_async"] = types.ModuleType("paywint_async")
        package.__path__ = [path]
    try:
        importlib.import_module(name)
    except BaseException:
        failures[name] = traceback.format_exc()
print(json.dumps(failures))
"""

# What only a program that uses it should pay for.
NOT_IMPORTED_BY_THE_PACKAGE = {
    "aiohttp.web",
    "cyclopts",
    "dask",
    "distributed",
    "paywint_async._accounts",
    "paywint_async._arrow",
    "paywint_async._cli",
    "paywint_async.emulator",
    "paywint_async.export",
    "paywint_async._middleware.shared",
    "paywint_async._middleware.tracing",
    "paywint_async._pagination.ranges",
    "paywint_async.reconcile",
    "paywint_async.webhooks",
    "pyarrow",
    "redis",
    "rich",
    "sqlalchemy",
}


def run_python(program: str, stdin: str = "") -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_each_module_imports_alone() -> None:
    given = json.dumps([str(PACKAGE), MODULES])

    failures = json.loads(run_python(IMPORT_EACH_ALONE, given))

    assert failures == {}


def test_the_package_imports_no_more_than_it_needs() -> None:
    loaded = run_python("import sys, paywint_async; print(*sys.modules)").split()

    assert NOT_IMPORTED_BY_THE_PACKAGE.intersection(loaded) == set()


def test_a_command_imports_no_other_command_and_no_bar_that_nobody_sees() -> None:
    program = (
        "import sys; from paywint_async._cli import main; main(['export']); print(*sys.modules)"
    )
    modules = run_python(program).split()

    assert "paywint_async._cli.export" in modules
    assert {
        "paywint_async._accounts",
        "paywint_async._cli.bar",
        "paywint_async._cli.reconcile",
        "paywint_async.emulator",
        "paywint_async.reconcile",
        "pyarrow",
        "rich.progress",
        "sqlalchemy",
    }.isdisjoint(modules)


def test_webhooks_import_no_web_framework() -> None:
    loaded = run_python("import sys, paywint_async.webhooks; print(*sys.modules)").split()

    assert {"aiohttp.web", "fastapi", "starlette", "paywint_async.emulator"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", ["paywint_async", *MODULES])
def test_all_is_sorted_and_true(name: str) -> None:
    module = importlib.import_module(name)
    offered = list(getattr(module, "__all__", []))

    assert offered == sorted(set(offered))
    assert [missing for missing in offered if not hasattr(module, missing)] == []


def test_the_package_offers_exactly_what_it_imports() -> None:
    imported = {
        alias.asname or alias.name
        for statement in PACKAGE_BODY
        for node in ast.walk(statement)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert sorted(imported - {"TYPE_CHECKING", "importer"}) == sorted(set(paywint_async.__all__))


def test_what_is_imported_later_is_what_type_checkers_see() -> None:
    (block,) = [node for node in PACKAGE_BODY if isinstance(node, ast.If)]
    seen = {
        f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    for place in seen:
        module, _, name = place.rpartition(".")
        assert getattr(paywint_async, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        paywint_async.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_the_package_has_no_logic_of_its_own() -> None:
    docstring, *rest = PACKAGE_BODY

    logic = [
        ast.unparse(node)
        for node in rest
        if not isinstance(node, ast.ImportFrom)
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        and not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]

    assert isinstance(docstring, ast.Expr)
    assert logic == []
