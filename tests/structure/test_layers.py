"""A module imports only from layers below its own; checked in the source, without running it.

A *part* is a top-level module or folder of the package. Every import in a file counts, including
those inside functions and under `TYPE_CHECKING`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import package_sources
import pytest
from package_sources import PACKAGE, syntax_of

# The README's layer table. A part imports from layers below its own, and from itself.
LAYERS = {
    "_errors": 0,
    "_lazy": 0,
    "_models": 0,
    "_pydantic": 0,
    "_record_json": 0,
    "_strict_json": 0,
    "_arguments": 1,
    "_arrow": 1,
    "_cancellation": 1,
    "_codec": 1,
    "_config": 1,
    "_events": 1,
    "_json_lines": 1,
    "_log": 1,
    "_messages": 1,
    "_protocol": 2,
    "_raw_request": 2,
    "_middleware": 2,
    "_pagination": 2,
    "_transport": 3,
    "_calls": 4,
    "_core": 4,
    "_find_created": 4,
    "_tracking": 4,
    "_payments": 4,
    "_client": 4,
    "export": 5,
    "_accounts": 5,
    "_cli": 5,
    "_doctor": 5,
    "pytest_plugin": 5,
    "reconcile": 5,
    "webhooks": 5,
    "__main__": 5,
}
# Imports within a layer, in one direction only. The client owns the payments. The command line runs the
# export, the examination and the comparison; the examination asks the transport for the proxy in use, and
# the comparison reads histories and files like the export. The workers of many accounts run the export.
# Times and line ends, final statuses, strict JSON, the form of ids, the fields of log records and the
# meaning of `Retry-After` are each defined in one place.
NEIGHBOURS = {
    ("_models", "_record_json"),
    ("_record_json", "_errors"),
    ("_record_json", "_pydantic"),
    ("_record_json", "_strict_json"),
    ("_events", "_log"),
    ("_middleware", "_protocol"),
    ("_raw_request", "_protocol"),
    ("_client", "_calls"),
    ("_client", "_core"),
    ("_core", "_tracking"),
    ("_client", "_payments"),
    ("_client", "_tracking"),
    ("_payments", "_calls"),
    ("_tracking", "_calls"),
    ("_payments", "_find_created"),
    ("_payments", "_tracking"),
    ("export", "_log"),
    ("export", "_models"),
    ("export", "_record_json"),
    ("reconcile", "_record_json"),
    ("webhooks", "_log"),
    ("webhooks", "_strict_json"),
    ("_cli", "export"),
    ("_cli", "reconcile"),
    ("_cli", "_doctor"),
    ("_doctor", "_strict_json"),
    ("_doctor", "_transport"),
    ("_doctor", "webhooks"),
    ("reconcile", "export"),
    ("_accounts", "export"),
    ("__main__", "_cli"),
}
# Outside the layers: it imports nothing of the package; the command line and the fixtures start it.
APART = {"emulator": {"_cli", "pytest_plugin"}}
# These import only the public names of `paywint_async`, like a caller, and the neighbours above.
OVER_THE_PUBLIC_API = {
    "export",
    "_cli",
    "_doctor",
    "pytest_plugin",
    "reconcile",
    "webhooks",
    "__main__",
}

# The only modules (or folders) that may import each library.
OWNERS = {
    "aiohttp": ("_transport", "emulator", "webhooks._adapters"),
    "asyncpg": ("export._database",),
    "backoff": ("_middleware.retry",),
    "cattrs": ("_codec",),
    "cyclopts": ("_cli",),
    "dask": ("_accounts.cluster",),
    "defusedxml": ("reconcile._camt", "reconcile._workbook"),
    "distributed": ("_accounts.cluster", "_accounts.fan_out", "_accounts.task"),
    "jinja2": ("emulator._rendering", "reconcile._as_html"),
    "mt940": ("reconcile._mt940",),
    "openpyxl": ("reconcile._workbook",),
    "pydantic_core": ("_pydantic",),
    "pyarrow": ("_arrow", "export._parquet", "export._parts", "reconcile._parquet"),
    "redis": ("_middleware.shared.store",),
    "rich": ("_cli",),
    "pymysql": ("export._database",),
    "sqlalchemy": (
        "export._database",
        "export._dialects",
        "export._sql",
        "reconcile._sql",
    ),
    "xlsxwriter": ("export._workbook",),
    "starlette": ("webhooks._adapters",),
}
# The libraries that layer 0 may import besides the standard library.
LIBRARIES_OF_LAYER_0 = {"_errors": set[str](), "_models": {"attrs", "msgspec"}}
# Without I/O, so without an event loop.
SANS_IO = (
    "_arguments",
    "_codec",
    "_errors",
    "_json_lines",
    "_models",
    "_protocol",
    "_raw_request",
)


def name_of(path: Path) -> str:
    """`_middleware/retry.py` is `_middleware.retry`, `_middleware/__init__.py` is `_middleware`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {name_of(path): path for path in package_sources.FILES}
MODULES = [name for name in FILES if name != "__init__"]
PARTS = {name.partition(".")[0] for name in MODULES}


@cache
def imports(module: str) -> tuple[str, ...]:
    """The absolute dotted name of everything the module imports."""
    return tuple(_imports(module))


def _imports(module: str) -> Iterator[str]:
    path = FILES[module]
    home = ["paywint_async", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(syntax_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def parts_used(module: str) -> set[str]:
    """The parts of the package that the module imports from; "" is the public API."""
    own = {name.split(".")[1] for name in imports(module) if name.startswith("paywint_async.")}
    public = {"" for name in imports(module) if name == "paywint_async"}
    return public | {part if part in PARTS else "" for part in own}


def libraries_used(module: str) -> set[str]:
    roots = {name.partition(".")[0] for name in imports(module)}
    return roots - {"__future__", "paywint_async"}


def may_import(part: str, other: str) -> bool:
    if part == other or (part, other) in NEIGHBOURS:
        return True
    if other in APART or part in APART:
        return part in APART.get(other, set())
    if part in OVER_THE_PUBLIC_API:
        return other == ""
    return other != "" and LAYERS[other] < LAYERS[part]


def test_the_readmes_table_has_the_same_layers() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d|apart) \| (.*?) \|", readme, re.MULTILINE)
    in_readme = {
        name: layer for layer, names in rows for name in re.findall(r"`(\w+)(?:\.py|/)`", names)
    }
    layers = {name: str(layer) for name, layer in LAYERS.items() if name != "__main__"}

    assert in_readme == layers | dict.fromkeys(APART, "apart")


def test_every_part_is_in_the_table() -> None:
    assert PARTS - set(LAYERS) - set(APART) == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_below(module: str) -> None:
    part = module.partition(".")[0]

    wrong = {other for other in parts_used(module) if not may_import(part, other)}

    assert wrong == set()


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owners_only(library: str) -> None:
    users = {module for module in FILES if library in libraries_used(module)}

    strangers = {
        user
        for user in users
        if not any(f"{user}.".startswith(f"{owner}.") for owner in OWNERS[library])
    }

    assert strangers == set()


@pytest.mark.parametrize("module", LIBRARIES_OF_LAYER_0)
def test_layer_0_imports_few_libraries(module: str) -> None:
    foreign = libraries_used(module) - sys.stdlib_module_names

    assert foreign <= LIBRARIES_OF_LAYER_0[module]


@pytest.mark.parametrize("module", SANS_IO)
def test_a_module_without_io_imports_no_event_loop(module: str) -> None:
    assert libraries_used(module).isdisjoint({"asyncio", "aiohttp", "socket"})
