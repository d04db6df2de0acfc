"""The account of a command: that of the environment, or an emulator in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from paywint_async import DisorderEvent, Event, PaywintClient
from paywint_async._cli.options import UsageError
from paywint_async._cli.report import say

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
async def open_account(
    payments: int | None = None, latency: float = 0.0
) -> AsyncIterator[PaywintClient]:
    """Opens a client for the account of the environment, or for an emulator if ``payments`` is given.

    A list that is not in the order of time is reported on stderr.
    """
    if payments is None:
        async with PaywintClient.from_env(on_event=_report_disorder) as client:
            yield client
        return
    async with (
        make_emulator(payments=payments, latency=latency) as emulator,
        PaywintClient(
            emulator.api_key, emulator.api_secret, base_url=emulator.url, on_event=_report_disorder
        ) as client,
    ):
        yield client


def _report_disorder(event: Event) -> None:
    if isinstance(event, DisorderEvent):
        say(
            f"the list of {event.direction} payments is not in the order of created_at: all of it is "
            "read, and its own order is kept"
        )
