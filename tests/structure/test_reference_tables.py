"""The tables of the documentation have every error, argument and command."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import paywint_async
from paywint_async import PaywintClient
from paywint_async._cli.app import make_app

DOCS = Path(__file__).resolve().parents[2] / "docs"
ERRORS = {name for name in paywint_async.__all__ if name.endswith("Error")} - {"PaywintError"}
ARGUMENTS = set(inspect.signature(PaywintClient).parameters) - {"api_key", "api_secret"}
COMMANDS = {name for name in make_app([]) if not name.startswith("-")}


def tables(page: str) -> str:
    """The rows of all tables of the page."""
    return "\n".join(re.findall(r"^\|.*", (DOCS / page).read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_the_page_of_errors_has_each_error(name: str) -> None:
    assert f"`{name}`" in tables("errors.md")


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_the_page_of_the_configuration_has_each_argument(name: str) -> None:
    assert f"| `{name}`" in tables("configuration.md")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_page_of_the_command_line_has_each_command(name: str) -> None:
    assert re.search(rf"`paywint {name}\b", tables("command-line.md"))
