"""A pytest plugin that runs tests under Windows' file rules. See `test_windows`."""

from __future__ import annotations

import pytest
from windows_simulation import simulate


@pytest.fixture(autouse=True)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch)
