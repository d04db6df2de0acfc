"""Sends a request again where that does no harm. The only user of backoff.

Which outcomes are worth another attempt is decided here; which requests may be repeated at all is the
protocol's word (`Request.repeatable`). A request that writes is sent again only when the first one
was certainly not processed: no connection was made, or the API said 429.

backoff runs the loop and sleeps; the waits are ours, because its jitter would shorten a
``Retry-After``, its ``max_time`` runs on the wall clock and trims the last wait, and its log lines
carry arguments.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Generator
from typing import Any

import attrs
import backoff

from paywint_async._config import RetryPolicy
from paywint_async._errors import TransportError
from paywint_async._events import OnEvent, RetryEvent, ignore, logger
from paywint_async._messages import Handler, Request, Response
from paywint_async._middleware.budget import RetryBudget
from paywint_async._protocol import retry_after_seconds

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_PROCESSED_STATUSES = frozenset({429})


class _Operation:
    """One operation under way: what is sent, and how often it has been."""

    __slots__ = ("attempts", "handler", "pending", "request")

    def __init__(self, request: Request, handler: Handler) -> None:
        self.request = request
        self.handler = handler
        self.attempts = 1
        self.pending: _Again | None = None


class _Again(Exception):
    """An outcome worth another attempt after ``wait`` seconds; None: there is no time for one."""

    def __init__(self, outcome: Response | TransportError, wait: float | None) -> None:
        super().__init__()
        self.outcome = outcome
        self.wait = wait


def _waits() -> Generator[Any, Any, None]:
    again = yield
    while True:
        again = yield again.wait


class Retry:
    """A middleware that repeats what may be repeated, within a `RetryPolicy`.

    Wait before attempt ``n + 1``, in seconds: ``uniform(0, min(max_delay, base_delay × 2^(n-1)))``, or
    after a ``Retry-After`` that value plus ``uniform(0, base_delay)``. An operation whose next wait
    would pass its deadline ends at once with the outcome it has.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        budget: RetryBudget | None = None,
        on_event: OnEvent = ignore,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._budget = budget or RetryBudget()
        self._on_event = on_event
        self._draw = draw
        self._send_repeatedly = backoff.on_exception(
            _waits,
            _Again,
            max_tries=policy.max_attempts,
            giveup=lambda again: again.wait is None,  # type: ignore[attr-defined]
            jitter=None,
            logger=None,
        )(self._pending_or_attempt)

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """The first outcome that is not worth repeating, or the last one."""
        deadline = asyncio.get_running_loop().time() + self._policy.max_elapsed
        request = request.before(deadline)
        outcome: Response | TransportError
        try:
            outcome = await handler(request)
        except TransportError as error:
            outcome = error
        else:
            if outcome.status not in PASSING_STATUSES:  # as a rule: nothing to note
                self._budget.refill()
                return outcome
        operation = _Operation(request, handler)
        try:
            return self._conclude(operation, outcome)
        except _Again as again:
            operation.pending = again
        try:
            return await self._send_repeatedly(operation)
        except _Again as again:
            outcome = again.outcome
        if isinstance(outcome, Response):
            return outcome
        raise outcome

    async def _pending_or_attempt(self, operation: _Operation) -> Response:
        # backoff is called only once something has failed, which is then its first outcome: most
        # operations never pay for it.
        pending, operation.pending = operation.pending, None
        if pending is not None:
            raise pending
        return await self._attempt(operation)

    async def _attempt(self, operation: _Operation) -> Response:
        operation.attempts += 1
        operation.request = attrs.evolve(operation.request, attempt=operation.attempts)
        outcome: Response | TransportError
        try:
            outcome = await operation.handler(operation.request)
        except TransportError as error:
            outcome = error
        return self._conclude(operation, outcome)

    def _conclude(self, operation: _Operation, outcome: Response | TransportError) -> Response:
        if _is_worth_repeating(operation.request, outcome):
            wait = self._wait(operation, outcome)
            if wait is not None:
                self._tell(operation, outcome, wait)
            raise _Again(outcome, wait)
        if isinstance(outcome, Response):
            self._budget.refill()
            return outcome
        raise outcome

    def _wait(self, operation: _Operation, outcome: Response | TransportError) -> float | None:
        """Seconds before the next attempt; None where there is to be none."""
        policy, deadline = self._policy, operation.request.deadline or 0.0
        asked = retry_after_seconds(outcome) if isinstance(outcome, Response) else None
        if asked is None:
            doublings = min(operation.attempts - 1, 60)
            wait = self._draw() * min(policy.max_delay, policy.base_delay * 2**doublings)
        else:
            wait = asked + self._draw() * policy.base_delay
        is_too_late = asyncio.get_running_loop().time() + wait >= deadline
        if operation.attempts >= policy.max_attempts or is_too_late:
            return None
        is_refusal = isinstance(outcome, Response) and outcome.status == 429
        return wait if is_refusal or self._budget.spend() else None

    def _tell(self, operation: _Operation, outcome: Response | TransportError, wait: float) -> None:
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
        )


def _is_worth_repeating(request: Request, outcome: Response | TransportError) -> bool:
    if isinstance(outcome, TransportError):
        return request.repeatable or not outcome.sent
    return outcome.status in (PASSING_STATUSES if request.repeatable else _NOT_PROCESSED_STATUSES)


def _reason(outcome: Response | TransportError) -> str:
    return f"status {outcome.status}" if isinstance(outcome, Response) else str(outcome)
