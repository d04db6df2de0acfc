"""``paywint link``: creates payment links."""

from __future__ import annotations

import asyncio
import json

from cyclopts import App

from paywint_async import PaymentLink, PaywintClient
from paywint_async._cli.options import Amount
from paywint_async.export import ExportError, open_stdout

group = App(name="link", help="Create links at which a payer can pay.")


@group.command
async def create(
    amount: Amount,
    /,
    *,
    description: str | None = None,
    invoice_number: str | None = None,
) -> None:
    """Create a link and a pending payment; print their id and address as one line of JSON.

    The request is never repeated automatically. If it is unknown whether the link was created, check
    before you repeat the command.

    Parameters
    ----------
    amount
        US dollars, such as 150 or 150.75.
    description
        Shown to the payer; at most 255 characters.
    invoice_number
        At most 20 characters.
    """
    stdout = open_stdout()
    async with PaywintClient.from_env() as client:
        try:
            link = await client.payments.create_link(
                amount, description=description, invoice_number=invoice_number
            )
        except asyncio.CancelledError as error:
            error.add_note("the link may or may not exist: look before you repeat it")
            raise
        try:
            await stdout.send(_line(link))
        except (ExportError, asyncio.CancelledError) as error:
            error.add_note(f"the link exists: {link.payment_id} {link.payment_link}")
            raise


def _line(link: PaymentLink) -> bytes:
    fields = {"payment_id": str(link.payment_id), "payment_link": link.payment_link}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"
