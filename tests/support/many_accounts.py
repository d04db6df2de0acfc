"""Many accounts, each an emulator, all served by one thread, with checks of their exports."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export_destinations import rows_in

from paywint_async import Account, SecretRef
from paywint_async.emulator import Emulator

TIMEOUT = 60  # seconds, reached only by a test that hangs


class Bank:
    """Emulators that run in a separate thread, so that any process can send requests to them.

    Args:
        emulators: one for each account.
        loop: the event loop in which they run.
    """

    def __init__(self, emulators: Sequence[Emulator], loop: asyncio.AbstractEventLoop) -> None:
        self.emulators = emulators
        self._loop = loop

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function in the emulators' thread, and returns its result."""

        async def call() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(TIMEOUT)

    def arrive(self, number: int, count: int, direction: str = "received") -> None:
        self.call(self.emulators[number].arrive, direction, count)

    def ids(self, number: int, direction: str = "received") -> list[str]:
        """Every id of the account, newest first."""
        ids: list[str] = self.call(self.emulators[number].history, direction)
        return ids

    def accounts(self, set_variable: Callable[[str, str], None], **options: Any) -> list[Account]:
        """The accounts; sets the environment variables with their keys."""
        made = []
        for number, emulator in enumerate(self.emulators):
            set_variable(f"TEST_KEY_{number}", emulator.api_key)
            set_variable(f"TEST_SECRET_{number}", emulator.api_secret)
            made.append(account_of(emulator, number, **options))
        return made

    def holds_exactly(self, number: int, output: str | Path, direction: str = "both") -> bool:
        """Whether the output has every payment of the account once."""
        rows = rows_in(str(output))
        for each in ("sent", "received"):
            if direction in (each, "both"):
                found = [r["payment_id"] for r in rows if r.get("direction", each) == each]
                # The order is not checked: later reads are appended.
                if len(found) != len(set(found)) or set(found) != set(self.ids(number, each)):
                    return False
        return True


def account_of(emulator: Emulator, number: int, **options: Any) -> Account:
    return Account(
        f"account-{number:03}",
        api_key=SecretRef.env(f"TEST_KEY_{number}"),
        api_secret=SecretRef.env(f"TEST_SECRET_{number}"),
        base_url=emulator.url,
        **options,
    )


@contextmanager
def served(sizes: Sequence[int], **settings: Any) -> Iterator[Bank]:
    """A bank of accounts with these numbers of payments in each direction."""
    started, banks, ends = threading.Event(), list[Bank](), list[asyncio.Event]()

    async def serve() -> None:
        emulators = [
            Emulator(hostile=True, payments=size, seed=seed, **settings)
            for seed, size in enumerate(sizes)
        ]
        for emulator in emulators:
            await emulator.start()
        banks.append(Bank(emulators, asyncio.get_running_loop()))
        ends.append(asyncio.Event())
        started.set()
        await ends[0].wait()
        await asyncio.gather(*(emulator.aclose() for emulator in emulators))

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(TIMEOUT)
    try:
        yield banks[0]
    finally:
        banks[0]._loop.call_soon_threadsafe(ends[0].set)
        thread.join(TIMEOUT)
