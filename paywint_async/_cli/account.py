"""The account of a command: that of the environment, or an emulator in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from paywint_async import PaywintClient
from paywint_async._cli.options import UsageError

if TYPE_CHECKING:
    from paywint_async.emulator import Emulator


def make_emulator(**arguments: Any) -> Emulator:
    """An emulator that is not started yet, with the same history each time.

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
    """A client of the account of the environment; of an emulator where ``payments`` is given."""
    if payments is None:
        async with PaywintClient.from_env() as client:
            yield client
        return
    async with (
        make_emulator(payments=payments, latency=latency) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        yield client
