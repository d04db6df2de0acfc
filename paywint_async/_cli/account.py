"""Whose payments: the account of the environment, or one made up and served by this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from paywint_async import PaywintClient
from paywint_async._cli.options import UsageError

if TYPE_CHECKING:
    from paywint_async.emulator import Emulator


def make_emulator(**arguments: Any) -> Emulator:
    """An emulator that has the same history each time, not yet started; arguments as it has them.

    Raises:
        UsageError: an argument is out of its range.
    """
    from paywint_async.emulator import Emulator  # a web server, which few commands need

    try:
        return Emulator(seed=1, **arguments)
    except ValueError as error:
        raise UsageError(str(error)) from None


@asynccontextmanager
async def open_account(payments: int | None, latency: float) -> AsyncIterator[PaywintClient]:
    """A client of the environment's account; of an emulator's where ``payments`` are asked for."""
    if payments is None:
        async with PaywintClient.from_env() as client:
            yield client
        return
    async with (
        make_emulator(payments=payments, latency=latency) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        yield client
