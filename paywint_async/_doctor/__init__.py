"""Checks the SDK's assumptions about the API against an account, as `paywint doctor`; only reads.

Read it in this order: `assumptions` (the list) · `exchanges` (records requests and answers) ·
`delivery` (a recorded webhook) · `observations` (everything that was seen) · `examination` (sends the
requests) · `connection`, `lists`, `records`, `refusals`, `webhook` (judge the observations, without I/O)
· `report` (findings as text and JSON) · `setup` (the configuration in the environment).

It uses the public API, the transport's proxy settings and the webhooks. A report shows the form of
payments, never their content.
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
"""Time limit for all requests, which leaves two seconds of ten to start and end the command."""

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
    """Sends the requests that show whether the assumptions hold: at most `MAX_REQUESTS`, all reads.

    Args:
        make_client: makes a client with the keyword arguments it is given.
        setup: the configuration of that client.
        delivery: a recorded webhook, whose unit is to be found out.
        seconds: time limit for all requests; `MAX_SECONDS` by default.
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
