"""Each log record of the package has fields, and the documentation lists them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import package_sources
import pytest
from package_sources import PACKAGE, syntax_of

LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
TABLE = re.compile(r"^\| (DEBUG|INFO|WARNING|ERROR) \| .* \| `event` (\w+)(.*) \|$", re.MULTILINE)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "observing.md"


def logging_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if "log" in name.lower() and node.func.attr in LEVELS:
                yield node


def fields_of(call: ast.Call) -> tuple[str, set[str]] | None:
    """The event and the names of the other fields of ``extra=fields(event="…", name=…)``."""
    extra = next((each.value for each in call.keywords if each.arg == "extra"), None)
    if not (isinstance(extra, ast.Call) and ast.unparse(extra.func) == "fields"):
        return None
    values = {each.arg: each.value for each in extra.keywords}
    event = values.pop("event", None)
    if not isinstance(event, ast.Constant) or None in values:
        return None
    return str(event.value), {str(name) for name in values}


@pytest.fixture(scope="module")
def calls() -> dict[str, list[ast.Call]]:
    """Each logging call of the package, by its module."""
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in package_sources.FILES}
    return {name: [*logging_calls(syntax_of(path))] for name, path in modules.items()}


def documented() -> dict[str, tuple[str, set[str]]]:
    """Level and fields of each event in the page's table."""
    rows = TABLE.findall(PAGE.read_text("utf-8"))
    return {event: (level, set(re.findall(r"`(\w+)`", rest))) for level, event, rest in rows}


def level_of(call: ast.Call) -> str:
    assert isinstance(call.func, ast.Attribute)
    return {"exception": "ERROR"}.get(call.func.attr, call.func.attr.upper())


def test_a_record_has_the_documented_fields(calls: dict[str, list[ast.Call]]) -> None:
    rows = documented()
    for name, call in [(name, call) for name, each in calls.items() for call in each]:
        found = fields_of(call)
        place = f"{name}, line {call.lineno}: {ast.unparse(call)}"
        assert found is not None, f"needs extra=fields(event=…): {place}"
        event, names = found
        assert rows.get(event) == (level_of(call), names), place


def test_the_page_has_no_other_events(calls: dict[str, list[ast.Call]]) -> None:
    found = [fields_of(call) for each in calls.values() for call in each]
    assert set(documented()) == {each[0] for each in found if each is not None}


def test_the_search_finds_the_loggers_of_each_part(calls: dict[str, list[ast.Call]]) -> None:
    parts = {name.split("/")[0] for name, each in calls.items() if each}
    assert {"_accounts", "_events.py", "_middleware", "_tracking", "export", "webhooks"} <= parts
