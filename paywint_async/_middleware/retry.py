"""Sends a request again where that does no harm. The only user of backoff.

Which outcomes are worth another attempt is decided here; which requests may be repeated at all is the
protocol's word (`Request.repeatable`). A request that writes is sent again only when the first one
was certainly not processed: no connection was made, or the API said 429.

The delays are backoff's. The loop is ours: backoff's decorators shorten a ``Retry-After`` by their
jitter, measure ``max_time`` on the wall clock, log arguments, and, in backoff 2.2.1, call
`asyncio.iscoroutinefunction`, which warns since Python 3.14 and is gone in 3.16.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

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
_DOUBLINGS = 60


class _Operation:
    """One operation under way: what is sent, how often it has been, and how long to wait at most."""

    __slots__ = ("attempts", "delay", "delays", "request")

    def __init__(self, request: Request, policy: RetryPolicy) -> None:
        self.request = request
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
        operation = _Operation(request, self._policy)
        while _is_worth_repeating(request, outcome):
            wait = self._wait(operation, outcome)
            if wait is None:
                break
            self._tell(operation, outcome, wait)
            await asyncio.sleep(wait)
            try:
                outcome = await handler(operation.next_attempt())
            except TransportError as error:
                outcome = error
        else:
            if isinstance(outcome, Response):
                self._budget.refill()
        if isinstance(outcome, Response):
            return outcome
        raise outcome

    def _wait(self, operation: _Operation, outcome: Response | TransportError) -> float | None:
        """Seconds before the next attempt; None where there is to be none."""
        policy, deadline = self._policy, operation.request.deadline or 0.0
        asked = retry_after_seconds(outcome) if isinstance(outcome, Response) else None
        if asked is None:
            wait = self._draw() * operation.delay
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
        return outcome.is_transient and (request.repeatable or not outcome.sent)
    return outcome.status in (PASSING_STATUSES if request.repeatable else _NOT_PROCESSED_STATUSES)


def _reason(outcome: Response | TransportError) -> str:
    return f"status {outcome.status}" if isinstance(outcome, Response) else str(outcome)
