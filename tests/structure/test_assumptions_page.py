"""docs/assumptions.md agrees with the list of assumptions of `paywint doctor`."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_generated_from_the_list() -> None:
    made = runpy.run_path(str(DOCS / "assumptions_page.py"))["page"]()

    assert (DOCS / "assumptions.md").read_text("utf-8") == made, "run docs/assumptions_page.py"
