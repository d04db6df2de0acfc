"""``paywint payment``: prints single payments, or a list."""

from __future__ import annotations

from typing import Any, Literal

from cyclopts import App

from paywint_async import PaywintClient
from paywint_async._cli.account import open_account
from paywint_async._cli.moments import Moment, read_span
from paywint_async._cli.options import Number
from paywint_async.export import (
    PAYMENTS,
    Format,
    PaymentReading,
    StreamSink,
    open_stdout,
    transfer,
)

group = App(name="payment", help="Print payments, each as a line of JSON.")

_LINES = PAYMENTS[Format.JSONL]


@group.command
async def get(payment_id: str, /) -> None:
    """Print the present state of one payment.

    Parameters
    ----------
    payment_id
        As in the output of link create or payment list.
    """
    async with PaywintClient.from_env() as client:
        payment = await client.payments.get(payment_id)
        await open_stdout().send(_LINES.encode([payment]))


@group.command(name="list")
async def list_(
    direction: Literal["sent", "received"],
    /,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    timezone: str = "UTC",
    oldest_first: bool = False,
    limit: Number | None = None,
) -> None:
    """Print payments in the order of the server, or of time.

    Parameters
    ----------
    direction
        Sent by this account, or received by it.
    since
        Only payments created from then on: a day such as 2026-10-01, or a time such as
        2026-10-01T09:30:00Z.
    until
        Only payments created up to the end of that day, or before that time.
    timezone
        Time zone of the days, such as Europe/Berlin.
    oldest_first
        Print the payments in the order of time, whatever the server's order.
    limit
        How many; all by default.
    """
    span: dict[str, Any] = read_span(since, until, timezone)
    async with open_account() as client:
        make = client.payments.sent if direction == "sent" else client.payments.received
        listing = make(oldest_first=oldest_first, **span)
        if limit is None:
            sink = StreamSink("-", _LINES)
            await transfer(lambda _: PaymentReading(listing), sink)
        else:
            await open_stdout().send(_LINES.encode(await listing.collect(limit)))
