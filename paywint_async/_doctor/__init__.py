"""What `paywint doctor` does: looks at an account, by reading alone, and judges the SDK's assumptions.

Read it in this order: `assumptions` (the list) · `exchanges` (records requests and answers) ·
`delivery` (a recorded webhook) · `observations` (what was seen) · `examination` (asks) ·
`connection`, `lists`, `records`, `refusals`, `webhook` (judge what was seen, without I/O) · `report`
(findings as text and JSON) · `setup` (what the environment says).

It works over the public API. Nothing of a payment but its form reaches a report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paywint_async import PaywintClient, RetryPolicy
from paywint_async._doctor.delivery import RecordedDelivery, read_delivery
from paywint_async._doctor.examination import Examination
from paywint_async._doctor.exchanges import ExchangeRecorder
from paywint_async._doctor.observations import Observations, Setup
from paywint_async._doctor.report import (
    Finding,
    conclusion,
    find,
    header,
    json_text,
    obstacle,
    text_lines,
)
from paywint_async._doctor.setup import read_setup
from paywint_async._doctor.verdicts import Verdict

__all__ = [
    "Finding",
    "Observations",
    "RecordedDelivery",
    "Setup",
    "Verdict",
    "conclusion",
    "examine",
    "find",
    "header",
    "json_text",
    "obstacle",
    "read_delivery",
    "read_setup",
    "text_lines",
]

MAX_REQUESTS = 40
MAX_SECONDS = 8.0
"""For the requests; starting and ending the command may take the rest of ten."""

# Each attempt counts against the limit.
_RETRY = RetryPolicy(max_attempts=2, base_delay=0.2, max_elapsed=MAX_SECONDS)


async def examine(
    make_client: Callable[..., PaywintClient],
    setup: Setup,
    *,
    delivery: RecordedDelivery | None = None,
    seconds: float | None = None,
    **options: Any,
) -> Observations:
    """Asks the API what its assumptions can be judged by: at most `MAX_REQUESTS` requests, all reads.

    Args:
        make_client: makes a client with the keyword arguments it is given.
        setup: how that client is set up.
        delivery: a recorded webhook, whose unit is asked for.
        seconds: for all of it, at most; `MAX_SECONDS` by default.
        options: more keyword arguments of the client.

    Raises:
        ConfigurationError: the client cannot be made.

    Cancellation: ends every request and closes the client.
    """
    recorder = ExchangeRecorder(MAX_REQUESTS)
    async with make_client(retry=_RETRY, attempt_middlewares=[recorder], **options) as client:
        return await Examination(client, recorder, setup, delivery).run(
            MAX_SECONDS if seconds is None else seconds
        )
