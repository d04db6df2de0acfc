"""Repeats requests that can be repeated without harm. The only user of backoff.

This module decides which outcomes deserve another attempt; the protocol decides which requests may be
repeated at all (`Request.repeatable`). A request that writes is sent again only if the API certainly did
not process the first one: no connection was made, or the answer was a 429.

The delays come from backoff. The loop does not: backoff's decorators shorten a ``Retry-After`` by their
jitter, measure ``max_time`` on the wall clock, log arguments, and, in backoff 2.2.1, call
`asyncio.iscoroutinefunction`, which warns since Python 3.14 and is removed in 3.16.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import attrs
import backoff

from paywint_async._config import RetryPolicy
from paywint_async._errors import PaywintError, TransportError, is_transient_status
from paywint_async._events import OnEvent, RetryEvent, ignore
from paywint_async._log import fields, logger
from paywint_async._messages import Handler, Request, Response
from paywint_async._middleware.budget import RetryBudget
from paywint_async._protocol import retry_after_seconds

_DOUBLINGS = 60


class _Operation:
    """An operation in progress: its request, the number of attempts, and the next maximum delay."""

    __slots__ = ("attempts", "deadline", "delay", "delays", "request")

    def __init__(self, request: Request, policy: RetryPolicy, deadline: float) -> None:
        self.request, self.deadline = request, deadline
        self.attempts = 1
        self.delays = backoff.expo(factor=policy.base_delay, max_value=policy.max_delay)
        self.delays.send(None)  # as backoff begins its generators
        self.delay = next(self.delays)

    def next_attempt(self) -> Request:
        self.attempts += 1
        if self.attempts <= _DOUBLINGS:  # then the delay stays, before it overflows a float
            self.delay = next(self.delays)
        self.request = attrs.evolve(self.request, attempt=self.attempts)
        return self.request


class Retry:
    """A middleware that repeats failed requests, within a `RetryPolicy`.

    Wait before attempt ``n + 1``, in seconds: ``uniform(0, min(max_delay, base_delay × 2^(n-1)))``, or
    after a ``Retry-After`` that value plus ``uniform(0, base_delay)``. An operation whose next wait
    would pass its deadline ends immediately with its last outcome.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        budget: RetryBudget | None = None,
        on_event: OnEvent = ignore,
        draw: Callable[[], float] = random.random,
        base_url: str = "",
    ) -> None:
        self._base_url = base_url
        self._policy = policy
        self._budget = budget or RetryBudget()
        self._on_event = on_event
        self._draw = draw

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """Returns or raises the first outcome that needs no retry, or that of the last attempt."""
        deadline = asyncio.get_running_loop().time() + self._policy.max_elapsed
        if request.deadline is not None:  # set by a middleware
            deadline = min(deadline, request.deadline)
        request = request.ready(deadline, self._base_url)
        outcome = await _attempt(request, handler)
        if isinstance(outcome, Response) and not is_transient_status(outcome.status):
            self._budget.refill()  # the usual case, kept fast
            return outcome
        operation = _Operation(request, self._policy, deadline)
        while _is_worth_repeating(request, outcome):
            wait = self._wait(operation, outcome)
            if wait is None:
                break
            self._tell(operation, outcome, wait)
            await asyncio.sleep(wait)
            outcome = await _attempt(operation.next_attempt(), handler)
        else:
            if isinstance(outcome, Response):
                self._budget.refill()
        if isinstance(outcome, PaywintError):
            try:
                raise outcome
            finally:
                del outcome  # otherwise the error refers to its own traceback and frames
        return attrs.evolve(outcome, attempts=operation.attempts)

    def _wait(self, operation: _Operation, outcome: Response | PaywintError) -> float | None:
        """Seconds before the next attempt; None if there is no further attempt."""
        policy = self._policy
        asked = retry_after_seconds(outcome) if isinstance(outcome, Response) else None
        if asked is None:
            wait = self._draw() * operation.delay
        else:
            wait = asked + self._draw() * policy.base_delay
        is_too_late = asyncio.get_running_loop().time() + wait >= operation.deadline
        if operation.attempts >= policy.max_attempts or is_too_late:
            return None
        is_refusal = isinstance(outcome, Response) and outcome.status == 429
        return wait if is_refusal or self._budget.spend() else None

    def _tell(self, operation: _Operation, outcome: Response | PaywintError, wait: float) -> None:
        event = RetryEvent(
            operation=operation.request.operation,
            attempt=operation.attempts,
            wait=wait,
            reason=_reason(outcome),
        )
        self._on_event(event)
        logger.warning(
            "%s: attempt %d failed (%s), next one in %.2f s",
            event.operation,
            event.attempt,
            event.reason,
            event.wait,
            extra=fields(
                event="retry",
                operation=event.operation,
                attempt=event.attempt,
                wait=event.wait,
                reason=event.reason,
            ),
        )


async def _attempt(request: Request, handler: Handler) -> Response | PaywintError:
    try:
        return await handler(request)
    except PaywintError as error:
        if "attempts" not in vars(error):  # where it was held back, the attempt was none
            error.attempts = request.attempt
        return error


def _is_worth_repeating(request: Request, outcome: Response | PaywintError) -> bool:
    if isinstance(outcome, Response):
        is_not_processed = outcome.status == 429
        return is_not_processed or (request.repeatable and is_transient_status(outcome.status))
    if not isinstance(outcome, TransportError):
        return False
    return outcome.is_transient and (request.repeatable or not outcome.sent)


def _reason(outcome: Response | PaywintError) -> str:
    return f"status {outcome.status}" if isinstance(outcome, Response) else str(outcome)
