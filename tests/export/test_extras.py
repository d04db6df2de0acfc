"""A destination whose driver is not installed names the extra that has it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from effort import slow_but

from paywint_async.export import DESTINATIONS

# For each destination with an extra: the modules needed to write it.
MODULES = {
    "Excel": ("xlsxwriter",),
    "Parquet": ("pyarrow",),
    "SQLite": ("sqlalchemy", "aiosqlite"),
    "PostgreSQL": ("sqlalchemy", "asyncpg"),
    "MySQL and MariaDB": ("sqlalchemy", "aiomysql"),
}
READ_BY = {"Excel": ("ledgers", ("openpyxl", "defusedxml"))}  # where reading needs another extra
KINDS = {each.name: each for each in DESTINATIONS if each.extra}
ALL = sorted({*sum(MODULES.values(), ()), *sum((each for _, each in READ_BY.values()), ())})

WRITE = "make_table({output!r}, 'received')"
COMPARE = """
import asyncio
from paywint_async.reconcile import LedgerFormat, ledger_rows

async def read():
    async for _ in ledger_rows({output!r}, LedgerFormat()):
        pass

asyncio.run(read())
"""


def messages_without(module: str, programs: list[str]) -> list[str]:
    """Return the messages of the ConfigurationErrors of programs in a process without a module."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from paywint_async import ConfigurationError\n"
        "from paywint_async.export import make_table\n"
        f"for program in {programs!r}:\n"
        "    try:\n        exec(program)\n"
        "    except ConfigurationError as error:\n        print(error)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_every_destination_with_an_extra_is_tried() -> None:
    assert set(MODULES) == set(KINDS)


@pytest.mark.parametrize("module", slow_but(ALL, "openpyxl", "pyarrow"))
def test_without_a_module_writing_and_reading_name_the_extra(module: str, tmp_path: Path) -> None:
    uses = [*writing(module), *reading(module, tmp_path)]

    messages = messages_without(module, [program for program, _ in uses])

    assert [message.partition(" need an extra: ")[2] for message in messages] == [
        f"pip install 'paywint-async[{extra}]'" for _, extra in uses
    ]


def writing(module: str) -> Iterator[tuple[str, str | None]]:
    """Programs that write by means of a module, each with the extra that has it."""
    for name, modules in MODULES.items():
        if module in modules:
            yield WRITE.format(output=KINDS[name].examples[0]), KINDS[name].extra


def reading(module: str, folder: Path) -> Iterator[tuple[str, str | None]]:
    """Programs that read by means of a module, each with the extra that has it."""
    for name, modules in MODULES.items():
        kind = KINDS[name]
        extra, needed = READ_BY.get(name, (kind.extra, modules))
        output = kind.examples[0]
        if kind.reader == "xlsx":
            output = str(folder / output)
            openpyxl.Workbook().save(output)
        if module in needed:
            yield COMPARE.format(output=output), extra
