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


CALLS = [
    pytest.param(call, id=f"{path.relative_to(PACKAGE).as_posix()}-{call.lineno}")
    for path in package_sources.FILES
    for call in logging_calls(syntax_of(path))
]


def documented() -> dict[str, tuple[str, set[str]]]:
    """Level and fields of each event, by the page's table."""
    rows = TABLE.findall(PAGE.read_text("utf-8"))
    return {event: (level, set(re.findall(r"`(\w+)`", rest))) for level, event, rest in rows}


@pytest.mark.parametrize("call", CALLS)
def test_a_record_has_the_fields_that_the_page_says(call: ast.Call) -> None:
    found = fields_of(call)
    assert found is not None, f"needs extra=fields(event=…): {ast.unparse(call)}"
    event, names = found
    assert isinstance(call.func, ast.Attribute)
    level = {"exception": "ERROR"}.get(call.func.attr, call.func.attr.upper())
    assert documented().get(event) == (level, names)


def test_the_page_has_no_other_events() -> None:
    found = [fields_of(call.values[0]) for call in CALLS]  # type: ignore[arg-type]
    assert set(documented()) == {each[0] for each in found if each is not None}


def test_the_search_finds_the_loggers_of_each_room() -> None:
    rooms = {re.split("[/-]", str(call.id))[0] for call in CALLS}
    assert {"_accounts", "_events.py", "_middleware", "_tracking", "export", "webhooks"} <= rooms
