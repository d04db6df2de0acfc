"""A mark of pytest has an effect on tests only: on any other function it says what is not so."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
# Marks without arguments, of one line; a test is one by its name.
MARKED = re.compile(r"^ *@pytest\.mark\.\w+\n *(?:async )?(?:def|class) (\w+)", re.MULTILINE)


def test_what_is_marked_is_a_test() -> None:
    marked = {
        name for file in TESTS.rglob("*.py") for name in MARKED.findall(file.read_text("utf-8"))
    }

    assert [name for name in marked if not name.lower().startswith("test")] == []
