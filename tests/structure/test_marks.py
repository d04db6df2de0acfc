"""Marks of pytest are used on tests only, as they have no effect on other functions."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
# Marks without arguments on one line; tests are recognised by their names.
MARKED = re.compile(r"^ *@pytest\.mark\.\w+\n *(?:async )?(?:def|class) (\w+)", re.MULTILINE)


def test_only_tests_are_marked() -> None:
    marked = {
        name for file in TESTS.rglob("*.py") for name in MARKED.findall(file.read_text("utf-8"))
    }

    assert [name for name in marked if not name.lower().startswith("test")] == []
