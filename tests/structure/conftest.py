"""An account and a Redis server for the programs of the documentation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulator_thread import environment_of_an_account


@pytest.fixture(scope="session")
def credentials() -> Iterator[dict[str, str]]:
    """The environment variables of a caller whose account is an emulator, served from a thread."""
    with environment_of_an_account(payments=250, redis=True) as environment:
        yield environment
