"""``paywint emulator``: an emulated Paywint API on this machine."""

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

    Its address shows a console in a browser; its payment links lead to a page for the payer.

    It prints the four environment variables that make other commands use it, for a shell:
    'paywint emulator --port 8080 > account.sh &', then '. ./account.sh'.

    Parameters
    ----------
    port
        The port to listen on; 0 is any free one.
    payments
        How many payments it has in each direction.
    webhook_url
        Receives a webhook for each change of a payment; must be on this machine. Signed with the
        secret in PAYWINT_WEBHOOK_SECRET, if it is set.
    redirect_url
        Where the payer's page redirects after paying.
    state
        A file for what was created and changed, read at the next start; created if missing.
    deviation
        A difference from what the SDK assumes of Paywint, such as amounts-as-text; can be repeated. An
        unknown name is refused with a list of all. 'paywint doctor' detects each of them.
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
    """Run the server. Raises PaywintError if its state file cannot be used."""
    try:
        await server.start()
    except ValueError as error:
        raise PaywintError(str(error)) from None
    async with aclosing(server):
        yield


async def _until_terminated() -> None:
    """Return on SIGTERM, the regular end; raise CancelledError on SIGINT, an interruption."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        if error.args != (signal.SIGTERM,):
            raise
