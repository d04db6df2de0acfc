"""``paywint emulator``: the Paywint API on this machine, with a made-up account."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from paywint_async import PaywintError
from paywint_async._cli.account import make_emulator
from paywint_async._cli.options import Number
from paywint_async._cli.report import say
from paywint_async.export import open_stdout

if TYPE_CHECKING:
    from paywint_async.emulator import Emulator


async def emulator(
    *,
    port: Number = 0,
    payments: Number = 1000,
    webhook_url: str | None = None,
    redirect_url: str | None = None,
    state: str | None = None,
    deviation: tuple[str, ...] = (),
) -> None:
    """Serve an emulated Paywint API on loopback until SIGINT (exit 130) or SIGTERM (exit 0).

    Its address, opened in a browser, is a console; the links it makes lead to a page for the payer.

    It prints the four variables that make other commands its clients, as a shell reads them:
    'paywint emulator --port 8080 > account.sh &', then '. ./account.sh'.

    Parameters
    ----------
    port
        0 takes a free one.
    payments
        How many it has, in each direction.
    webhook_url
        Where each change of a payment is told, on this machine; signed with the secret that
        PAYWINT_WEBHOOK_SECRET holds, if it does.
    redirect_url
        Where the payer's page leads back to.
    state
        A file, made where missing, in which what was made and changed outlives the emulator.
    deviation
        A way in which it differs from what the SDK assumes of Paywint, such as amounts-as-text; may come
        several times. An unknown one is refused with a list of all; 'paywint doctor' finds each.
    """
    server = make_emulator(
        payments=payments,
        port=port,
        webhook_url=webhook_url,
        webhook_secret=os.environ.get("PAYWINT_WEBHOOK_SECRET") or None,
        redirect_url=redirect_url,
        state=state,
        deviations=deviation,
    )
    async with _serving(server):
        variables = {
            "PAYWINT_API_KEY": server.api_key,
            "PAYWINT_API_SECRET": server.api_secret,
            "PAYWINT_ENVIRONMENT": "sandbox",
            "PAYWINT_BASE_URL": server.url,
        }
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        await open_stdout().send("".join(lines).encode())
        say(f"serving {payments:,} payments in each direction at {server.url}; Ctrl-C ends it")
        say(f"open {server.url} in a browser to see them")
        await _until_terminated()


@asynccontextmanager
async def _serving(server: Emulator) -> AsyncIterator[None]:
    """Raises PaywintError where its state file cannot be used."""
    try:
        await server.start()
    except ValueError as error:
        raise PaywintError(str(error)) from None
    async with aclosing(server):
        yield


async def _until_terminated() -> None:
    """Raises CancelledError on SIGINT: that somebody broke it off is told; SIGTERM is its end."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        if error.args != (signal.SIGTERM,):
            raise
