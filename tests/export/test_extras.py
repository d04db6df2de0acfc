"""A destination whose driver is not installed names the extra that has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

from paywint_async.export import DESTINATIONS

# Of each destination with an extra: the modules without which it cannot be written.
MODULES = {
    "Excel": ("xlsxwriter",),
    "Parquet": ("pyarrow",),
    "SQLite": ("sqlalchemy", "aiosqlite"),
    "PostgreSQL": ("sqlalchemy", "asyncpg"),
    "MySQL and MariaDB": ("sqlalchemy", "aiomysql"),
}
READ_BY = {"Excel": ("ledgers", ("openpyxl", "defusedxml"))}  # where it is not the same
KINDS = {each.name: each for each in DESTINATIONS if each.extra}
WRITTEN = [(name, module) for name, modules in MODULES.items() for module in modules]
READ = [
    (name, module)
    for name, modules in MODULES.items()
    for module in READ_BY.get(name, ("", modules))[1]
]

WRITE = "make_table({output!r}, 'received')"
COMPARE = """
import asyncio
from paywint_async.reconcile import LedgerFormat, ledger_rows

async def read():
    async for _ in ledger_rows({output!r}, LedgerFormat()):
        pass

asyncio.run(read())
"""


def message_without(module: str, program: str) -> str:
    """What the ConfigurationError says with which a program ends where a module is missing."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from paywint_async import ConfigurationError\n"
        "from paywint_async.export import make_table\n"
        f"try:\n    exec({program!r})\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_destination_with_an_extra_is_tried() -> None:
    assert set(MODULES) == set(KINDS)


@pytest.mark.parametrize(("name", "module"), WRITTEN)
def test_writing_without_a_module_names_the_extra(name: str, module: str) -> None:
    kind = KINDS[name]

    message = message_without(module, WRITE.format(output=kind.examples[0]))

    assert message.endswith(f"need an extra: pip install 'paywint-async[{kind.extra}]'\n")


@pytest.mark.parametrize(("name", "module"), READ)
def test_reading_without_a_module_names_the_extra(name: str, module: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    extra = READ_BY.get(name, (kind.extra, ()))[0]
    output = kind.examples[0]
    if kind.reader == "xlsx":
        output = str(tmp_path / output)
        openpyxl.Workbook().save(output)

    message = message_without(module, COMPARE.format(output=output))

    assert message.endswith(f"need an extra: pip install 'paywint-async[{extra}]'\n")
