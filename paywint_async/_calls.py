"""Sends a call through the middleware chain and reads its answer; detects writes of unknown outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from paywint_async._errors import (
    APIError,
    ClientClosedError,
    OutcomeUnknownError,
    PaywintError,
    ResponseDecodeError,
    ServerError,
    TransportError,
)
from paywint_async._messages import Handler, Request, Response, SentCallError
from paywint_async._protocol import Call

T = TypeVar("T")


async def send(handler: Handler, call: Call[T]) -> T:
    """Sends a call, and returns the result that it reads from the answer.

    Raises:
        OutcomeUnknownError: the request is not repeatable, and may or may not have taken effect; also
            after an exception of a middleware.
        APIError, TransportError, ClientClosedError, ResponseDecodeError: otherwise.
    """
    if call.request.repeatable:
        return await _send(handler, call)
    started_at = datetime.now(UTC)
    try:
        return await _send_once(handler, call)
    except SentCallError as error:
        reason, attempts = error.reason, error.attempts
    except PaywintError as error:
        if not _leaves_outcome_open(error):
            raise
        reason, attempts = error, error.attempts
    unknown = OutcomeUnknownError(
        call.request.operation,
        reason,
        asked=call.asked,
        started_at=started_at,
        ended_at=datetime.now(UTC),
    )
    unknown.attempts = attempts
    # The traceback of a middleware's exception shows where it was raised.
    raise unknown from (None if isinstance(reason, PaywintError) else reason)


async def _send_once(handler: Handler, call: Call[T]) -> T:
    answers: list[Response] = []

    async def ask(request: Request) -> Response:
        answers.append(await handler(request))
        return answers[0]

    try:
        return await _send(ask, call)
    except (PaywintError, SentCallError):
        raise
    except Exception as error:
        if not answers:
            raise
        # A middleware may have returned anything, such as None.
        raise SentCallError(error, getattr(answers[0], "attempts", 1)) from None


async def _send(handler: Handler, call: Call[T]) -> T:
    response = await handler(call.request)
    if response.is_large:
        return await asyncio.to_thread(read, call.read, response)
    return read(call.read, response)


def read(reader: Callable[[Response], T], response: Response) -> T:
    """Decodes an answer; adds attempts and request id to a ResponseDecodeError."""
    try:
        return reader(response)
    except ResponseDecodeError as error:
        error.attempts, error.request_id = response.attempts, response.request_id
        raise


def _leaves_outcome_open(error: PaywintError) -> bool:
    if isinstance(error, TransportError | ClientClosedError):
        return error.sent
    if isinstance(error, ServerError | ResponseDecodeError):
        return True
    return isinstance(error, APIError) and (error.status == 408 or error.status < 200)
