"""`nox -s year`: 100,000 payments of the example shop, and 50 small runs; seeds by PAYWINT_SEEDS.

Not part of the suite, which has ten small ones in `test_year.py`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from shop_year import Books, Scale, Year
from virtual_time import SocketlessLoop

SMALL = Scale(days=70, payments=150, sweep_hours=12)
WHOLE = Scale(days=365, payments=100_000, sweep_hours=12, outages=20, deploys=150, clock_jumps=12)
SEEDS = [int(seed) for seed in os.environ.get("PAYWINT_SEEDS", "").split()]


def run(seed: int, scale: Scale, folder: Path) -> Books:
    with asyncio.Runner(loop_factory=SocketlessLoop) as runner:
        return runner.run(Year(seed, scale, folder).run())


@pytest.mark.parametrize("seed", SEEDS or [1])
def test_a_whole_year_ends_with_equal_books(seed: int, tmp_path: Path) -> None:
    books = run(seed, WHOLE, tmp_path)

    print(f"seed {seed}: {books.counts}")
    assert books.differences() == []


@pytest.mark.parametrize("seed", SEEDS or range(50))
def test_a_small_year_ends_with_equal_books(seed: int, tmp_path: Path) -> None:
    assert run(seed, SMALL, tmp_path).differences() == []
