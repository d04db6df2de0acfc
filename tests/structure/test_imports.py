"""Every module can be imported alone, exports its `__all__`, and imports nothing unneeded."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pickle
import pkgutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from cyclopts import App

import paywint_async
from paywint_async._cli.app import _COMMANDS

PACKAGE = Path(paywint_async.__file__).parent
# Importing `__main__` runs the command.
MODULES = [
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "paywint_async.")
    if module.name != "paywint_async.__main__"
]

PACKAGE_BODY = ast.parse((PACKAGE / "__init__.py").read_text("utf-8")).body
PUBLIC_NAMES = Path(__file__).parent / "public_names.txt"

# One process for all modules; the package is removed from sys.modules before each import.
IMPORT_EACH_ALONE = """
import importlib, json, sys, traceback
failures = {}
for name in json.load(sys.stdin):
    for loaded in [m for m in sys.modules if m.partition(".")[0] == "paywint_async"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException:
        failures[name] = traceback.format_exc()
print(json.dumps(failures))
"""
# The modules loaded by an import, without those of the standard library.
LOADED = """
import json, sys
before = set(sys.modules)
{imports}
print(json.dumps(sorted(
    name for name in set(sys.modules) - before
    if name.partition(".")[0] not in sys.stdlib_module_names
)))
"""

# Only programs that use these modules should import them.
NOT_IMPORTED_FOR_THE_CLIENT = {
    "aiohttp.web",
    "cyclopts",
    "dask",
    "distributed",
    "paywint_async._accounts",
    "paywint_async._arrow",
    "paywint_async._cli",
    "paywint_async._doctor",
    "paywint_async._middleware.answer",
    "paywint_async._middleware.shared",
    "paywint_async._middleware.tracing",
    "paywint_async._pagination.oldest_first",
    "paywint_async._pagination.ranges",
    "paywint_async._pagination.span",
    "paywint_async._pagination.span_planner",
    "paywint_async.emulator",
    "paywint_async.export",
    "paywint_async.reconcile",
    "paywint_async.webhooks",
    "pyarrow",
    "redis",
    "rich",
    "sqlalchemy",
}
# Names in signatures of a listing that are imported only for type checkers, because few programs need
# their modules (pyarrow, the splitting).
UNKNOWN_AT_RUN_TIME = {"ListingRange": object, "RecordBatch": object}
SUB_PACKAGES = ("emulator", "export", "reconcile", "webhooks")
EXTRAS = ("asyncpg", "dask", "distributed", "opentelemetry", "pyarrow", "redis", "sqlalchemy")


def run_python(program: str, stdin: str = "") -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))  # all in one test would take minutes
def test_each_module_imports_alone(part: int) -> None:
    failures = json.loads(run_python(IMPORT_EACH_ALONE, json.dumps(MODULES[part::8])))

    assert failures == {}


def loaded_by(imports: str) -> list[str]:
    """The modules that a new process loads for these imports, without the standard library's."""
    loaded: list[str] = json.loads(run_python(LOADED.format(imports=imports)))
    return loaded


def test_the_package_itself_imports_nothing_until_a_name_is_used() -> None:
    assert loaded_by("import paywint_async") == ["paywint_async", "paywint_async._lazy"]


def test_the_pytest_plugin_imports_nothing_until_a_fixture_is_used() -> None:
    added = set(loaded_by("import pytest, paywint_async.pytest_plugin"))

    assert added - set(loaded_by("import pytest")) == {
        "paywint_async",
        "paywint_async._lazy",
        "paywint_async.pytest_plugin",
    }


def test_the_client_imports_no_more_than_it_needs() -> None:
    loaded = loaded_by("from paywint_async import PaywintClient")

    assert "paywint_async._client" in loaded
    assert NOT_IMPORTED_FOR_THE_CLIENT.intersection(loaded) == set()


def test_a_command_imports_no_other_command_and_no_unused_progress_bar() -> None:
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


def test_help_and_version_import_no_command() -> None:
    program = (
        "import contextlib, io, sys; from paywint_async._cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        "    for arguments in [], ['--help'], ['--version']: main(arguments)\n"
        "print(*sys.modules)"
    )
    modules = run_python(program).split()

    assert {name for name in modules if name.startswith("paywint_async")} == {
        "paywint_async",
        "paywint_async._lazy",
        "paywint_async._cli",
        "paywint_async._cli.app",
        "paywint_async._cli.report",
    }
    assert {"aiohttp", "asyncio", "msgspec"}.isdisjoint(modules)


@pytest.mark.parametrize("name", _COMMANDS)
def test_a_summary_in_the_help_is_that_of_its_command(name: str) -> None:
    function, summary = _COMMANDS[name]
    command = getattr(importlib.import_module(f"paywint_async._cli.{name}"), function)
    text = command.help if isinstance(command, App) else inspect.getdoc(command)

    assert " ".join(text.partition("\n\n")[0].split()) == summary


def test_webhooks_import_no_web_framework() -> None:
    loaded = run_python("import sys, paywint_async.webhooks; print(*sys.modules)").split()

    assert {"aiohttp.web", "fastapi", "starlette", "paywint_async.emulator"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", ["paywint_async", *MODULES])
def test_all_is_sorted_and_its_names_exist(name: str) -> None:
    module = importlib.import_module(name)
    offered = list(getattr(module, "__all__", []))

    assert offered == sorted(set(offered))
    assert [missing for missing in offered if not hasattr(module, missing)] == []


def seen_by_type_checkers() -> dict[str, str]:
    """Each public name of the package, and the module that it is imported from."""
    (block,) = [node for node in PACKAGE_BODY if isinstance(node, ast.If)]
    return {
        alias.asname or alias.name: f"{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_see_exactly_what_the_package_offers() -> None:
    assert sorted(seen_by_type_checkers()) == sorted(set(paywint_async.__all__))


@pytest.mark.parametrize("name", paywint_async.__all__)
def test_a_name_is_what_type_checkers_see(name: str) -> None:
    module = importlib.import_module(seen_by_type_checkers()[name])

    assert getattr(paywint_async, name) is getattr(module, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'paywint_async' has no attribute 'nothing'"):
        paywint_async.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_every_name_can_be_imported_without_any_extra() -> None:
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in EXTRAS)
    program = f"import sys; {blocked}from paywint_async import *; print(*globals())"

    assert set(paywint_async.__all__) <= set(run_python(program).split())


def test_dir_has_every_name_before_any_is_used() -> None:
    program = "import paywint_async; print(*dir(paywint_async))"

    names = run_python(program).split()

    assert names == sorted(names)
    assert {*paywint_async.__all__, *SUB_PACKAGES, "__all__", "__doc__"} <= set(names)


def test_a_sub_package_is_an_attribute() -> None:
    names = [f"paywint_async.{name}" for name in SUB_PACKAGES]
    program = f"import paywint_async; print({', '.join(f'{name}.__name__' for name in names)})"

    assert run_python(program).split() == names


def test_threads_that_import_at_once_get_the_same_names() -> None:
    """Each thread begins with another name, so that modules are imported in many orders."""
    program = """
import sys, threading
import paywint_async
sys.setswitchinterval(1e-5)
names, threads = paywint_async.__all__, 8
start, seen = threading.Barrier(threads), [None] * threads
def ask(number):
    start.wait()
    first = number * len(names) // threads
    seen[number] = {name: getattr(paywint_async, name) for name in names[first:] + names[:first]}
each = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
for thread in each: thread.start()
for thread in each: thread.join()
print(all(one == seen[0] and len(one) == len(names) for one in seen))
"""
    assert run_python(program).split() == ["True"]


def test_a_class_pickles_into_a_process_that_has_imported_nothing() -> None:
    names = ["Payment", "PaywintClient", "NotFoundError", "RetryPolicy"]
    pickled = [pickle.dumps(getattr(paywint_async, name)) for name in names]
    program = f"import pickle; print(*(pickle.loads(each).__name__ for each in {pickled}))"

    assert run_python(program).split() == names


@pytest.mark.parametrize("name", ["PaywintClient", "Payments", "PaymentListing", "PaymentWatch"])
def test_the_type_hints_of_public_methods_can_be_resolved(name: str) -> None:
    cls = getattr(paywint_async, name)
    methods = [
        function
        for attribute, function in inspect.getmembers(cls, inspect.isfunction)
        if not attribute.startswith("_")
    ]

    assert methods
    for method in methods:
        assert "return" in typing.get_type_hints(method, localns=UNKNOWN_AT_RUN_TIME)


def test_the_public_names_are_listed_in_public_names_txt() -> None:
    """A change of the public names needs a change of the list, and an entry in CHANGELOG.md."""
    public = [
        name
        for name in ["paywint_async", *MODULES]
        if not any(part.startswith("_") for part in name.split("."))
    ]
    names = [
        f"{module}.{name}" for module in public for name in importlib.import_module(module).__all__
    ]

    assert sorted(names) == PUBLIC_NAMES.read_text("utf-8").split()


def test_the_package_has_no_logic_of_its_own() -> None:
    docstring, *rest = PACKAGE_BODY

    logic = [
        ast.unparse(node)
        for node in rest
        if not isinstance(node, ast.ImportFrom)
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        and not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        and ast.unparse(node) != "TYPE_CHECKING = False"
    ]

    assert isinstance(docstring, ast.Expr)
    assert logic == []
