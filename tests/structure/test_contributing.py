"""CONTRIBUTING names files and names of the code that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROSE = re.sub(r"```.*?```", "", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), flags=re.DOTALL)
QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", PROSE)))
PATHS = [each for each in QUOTED if re.fullmatch(r"[\w./-]+", each) and re.search(r"[/.]", each)]
NAMES = [each for each in QUOTED if re.fullmatch(r"(?=.*[A-Z_])[A-Za-z_]+", each)]
CODE = "\n".join(
    path.read_text("utf-8")
    for folder in ("paywint_async", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
)


@pytest.mark.parametrize("path", [each for each in PATHS if each != "event.data"])
def test_each_path_exists(path: str) -> None:
    """As it is, or within the package."""
    assert (ROOT / path).exists() or (ROOT / "paywint_async" / path).exists()


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_in_the_code(name: str) -> None:
    is_module = (ROOT / "paywint_async" / f"{name}.py").exists()
    assert is_module or re.search(rf"^ *((async )?def |class )?{name}\b", CODE, re.MULTILINE)
