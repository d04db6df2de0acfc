"""Some weeks of the example shop: whatever goes wrong, all books say the same at the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from effort import slow_but
from shop_year import Scale, Year
from virtual_time import SocketlessLoop

SMALL = Scale(days=36, payments=120, sweep_hours=12)


@pytest.mark.parametrize("seed", slow_but(range(10), 0))
def test_shop_database_and_emulator_end_with_the_same_books(seed: int, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=SocketlessLoop) as runner:
        books = runner.run(Year(seed, SMALL, tmp_path).run())

    assert books.differences() == []
