"""How much a run of the tests tries: plain `pytest` tries a part, so that it takes a minute.

nox, `--run-slow` and tests that are named on the command line try everything. tests/conftest.py
decides, by the environment variable that the processes of a run share.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import hypothesis
import pytest

QUICK = "PAYWINT_QUICK_TESTS"


def tries(number: int, variable: str = "") -> int:
    """How many random cases to try: what the variable says, else all of them, or a quarter."""
    if given := os.environ.get(variable):
        return int(given)
    return max(1, number // 4) if QUICK in os.environ else number


def examples(number: int) -> hypothesis.settings:
    """For a property: try so many examples, or a quarter of them."""
    return hypothesis.settings(max_examples=tries(number))


def slow_but(values: Iterable[Any], *quick: Any) -> list[Any]:
    """The values of a parameter; all but those named last are marked slow."""
    return [
        value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values
    ]
