"""A plugin of pytest: the tests of a run follow Windows' rules for files. See `test_windows`."""

from __future__ import annotations

import pytest
from windows_simulation import simulate


@pytest.fixture(autouse=True)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch)
