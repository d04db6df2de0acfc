"""Fixtures: an emulated account in the test's event loop, and the job that exports it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from many_accounts import account_of

from paywint_async import RetryPolicy
from paywint_async._accounts.job import Job, Options
from paywint_async.emulator import Emulator

Serve = Callable[..., Awaitable[Emulator]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """`await serve(payments=...)`: an emulated account, stopped when the test ends."""
    async with AsyncExitStack() as running:

        async def start(**settings: Any) -> Emulator:
            return await running.enter_async_context(Emulator(**{"hostile": True} | settings))

        yield start


@pytest.fixture
def make_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Job]:
    """`make_job(emulator, kind, direction=..., **options)`: a job that writes below `tmp_path`."""

    def make(
        emulator: Emulator, kind: str = "jsonl", *, direction: str = "both", **options: Any
    ) -> Job:
        monkeypatch.setenv("TEST_KEY_0", emulator.api_key)
        monkeypatch.setenv("TEST_SECRET_0", emulator.api_secret)
        output = (
            f"sqlite:///{tmp_path}/acme.db" if kind == "sqlite" else f"{tmp_path}/out/acme.{kind}"
        )
        given = {"retry": RetryPolicy(max_attempts=1), "split_above": 300} | options
        return Job(
            account=account_of(emulator, 0, direction=direction),
            output=output,
            options=Options(**given),
        )

    return make
