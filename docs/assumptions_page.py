"""Writes assumptions.md, from the list that `paywint doctor` works by. Run it after each change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from paywint_async._doctor.assumptions import ASSUMPTIONS, Assumption

PAGE = Path(__file__).parent / "assumptions.md"

_HEAD = """\
# Assumptions

What this SDK relies on, published or not. [`paywint doctor`](doctor.md) looks whether it holds for your
account. Both come from one list; `python docs/assumptions_page.py` writes this page.

| topic | assumed | source |
| --- | --- | --- |
"""


def page() -> str:
    """The page's text."""
    rows = (
        f"| [{each.topic}](#{_anchor(each)}) | {each.assumed} | {each.source} |\n"
        for each in ASSUMPTIONS
    )
    return _HEAD + "".join(rows) + "".join(map(_section, ASSUMPTIONS))


def _anchor(assumption: Assumption) -> str:
    return assumption.topic.lower().replace(" ", "-")


def _section(assumption: Assumption) -> str:
    return "".join(f"{line}\n" for line in _lines(assumption))


def _lines(assumption: Assumption) -> Iterator[str]:
    yield f"\n## {assumption.topic}\n"
    yield f"* **Assumed**: {assumption.assumed}"
    yield f"* **Source**: {assumption.source}"
    yield f"* **Observed by**: {assumption.observed_by}"
    if assumption.is_report_only:
        yield f"* **Effect of what is unknown**: {assumption.consequence}"
    else:
        yield f"* **Effect if it is wrong**: {assumption.consequence}"
    yield f"* **To do**: {assumption.remedy}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
