"""How the middleware counts, reports and bounds retries: without a server, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy

import attrs
import pytest

from paywint_async import (
    ClientClosedError,
    PaywintError,
    Request,
    RequestTimeoutError,
    Response,
    RetryEvent,
    RetryPolicy,
    TransportError,
)
from paywint_async._middleware import Retry, RetryBudget

GET = Request(operation="get", method="GET", path="/")
QUICK = RetryPolicy(base_delay=0)
LOST = TransportError("lost")

Handler = Callable[[Request], Awaitable[Response]]


def now() -> float:
    return asyncio.get_running_loop().time()


def answering(*outcomes: int | PaywintError) -> Handler:
    """A handler that gives these statuses or raises these errors in turn; the last one repeats."""
    rest = list(outcomes)

    async def handler(_request: Request) -> Response:
        outcome = rest.pop(0) if len(rest) > 1 else rest[0]
        if isinstance(outcome, PaywintError):
            raise copy(outcome)
        return Response(status=outcome)

    return handler


class TestTheBudget:
    async def left_after(self, budget: RetryBudget, *outcomes: int | PaywintError) -> str:
        with suppress(PaywintError):
            await Retry(QUICK, budget=budget)(GET, answering(*outcomes))
        return repr(budget)

    @pytest.mark.parametrize(
        ("outcomes", "left"),
        [
            ((503,), 7),
            ((503, 503, 503, 400), 8),  # the last answer is not retried
            ((LOST, LOST, 200), 9),
            ((LOST,), 7),
            ((503, ClientClosedError("closed")), 9),
            ((429,), 10),
            ((429, 429, 200), 10),
        ],
    )
    async def test_is_spent_by_retries_and_not_by_refusals(self, outcomes, left):
        budget = RetryBudget(10)
        assert await self.left_after(budget, *outcomes) == f"<RetryBudget {left}/10>"

    @pytest.mark.parametrize("status", [200, 404])
    async def test_is_refilled_by_one_with_each_answer_that_is_not_retried(self, status):
        budget = RetryBudget(10)
        await self.left_after(budget, 503)
        assert await self.left_after(budget, status) == "<RetryBudget 8/10>"

    async def test_never_exceeds_its_capacity(self):
        assert await self.left_after(RetryBudget(10), 200) == "<RetryBudget 10/10>"

    async def test_that_is_spent_allows_no_retry(self):
        budget, start = RetryBudget(0), now()
        response = await Retry(RetryPolicy(), budget=budget)(GET, answering(503, 200))
        assert (response.status, response.attempts, now()) == (503, 1, start)

    async def test_is_a_hundred_by_default(self):
        retry, calls = Retry(QUICK), []

        async def handler(request: Request) -> Response:
            calls.append(request)
            return Response(status=503)

        for _ in range(200):
            await retry(GET, handler)
        assert len(calls) == 200 + 100


@pytest.mark.parametrize("options", [{}, {"base_url": "https://api.example"}])
async def test_each_attempt_has_the_base_url_and_none_where_none_is_given(options):
    seen: list[str] = []

    async def handler(request: Request) -> Response:
        seen.append(request.base_url)
        return Response(status=503)

    await Retry(RetryPolicy(max_attempts=2), **options)(GET, handler)
    assert seen == [options.get("base_url", "")] * 2


class TestAnOutcome:
    async def test_has_the_number_of_attempts(self):
        response = await Retry(QUICK)(GET, answering(503, 429, 200))
        assert response.attempts == 3

    async def test_that_is_an_error_has_the_number_of_attempts(self):
        with pytest.raises(TransportError) as caught:
            await Retry(QUICK)(GET, answering(503, TransportError("lost")))
        assert caught.value.attempts == 4

    async def test_keeps_the_attempts_counted_by_a_lower_layer(self):
        error = RequestTimeoutError("no turn", sent=False)
        error.attempts = 0
        policy = RetryPolicy(max_attempts=1)
        with pytest.raises(RequestTimeoutError) as caught:
            await Retry(policy)(GET, answering(error))
        assert caught.value.attempts == 0

    @pytest.mark.parametrize(("deadline", "attempts"), [(1.0, 1), (1.25, 2)])
    async def test_is_final_if_the_next_wait_would_end_at_the_deadline(self, deadline, attempts):
        request = attrs.evolve(GET, deadline=now() + deadline)
        policy = RetryPolicy(base_delay=1.0, max_attempts=2)
        response = await Retry(policy, draw=lambda: 1.0)(request, answering(503))
        assert response.attempts == attempts


class TestARetry:
    async def test_is_reported_with_attempt_wait_and_reason(self):
        events: list[RetryEvent] = []
        retry = Retry(RetryPolicy(base_delay=1.0), on_event=events.append, draw=lambda: 0.5)
        await retry(GET, answering(503, LOST, 200))
        assert events == [
            RetryEvent(operation="get", attempt=1, wait=0.5, reason="status 503"),
            RetryEvent(operation="get", attempt=2, wait=1.0, reason="lost"),
        ]

    async def test_is_one_log_record(self, caplog):
        retry = Retry(RetryPolicy(base_delay=1.0), draw=lambda: 0.5)
        await retry(GET, answering(503, 200))
        (record,) = caplog.records
        assert record.getMessage() == "get: attempt 1 failed (status 503), next one in 0.50 s"
        logged = {k: v for k, v in vars(record).items() if k.startswith("paywint_")}
        assert logged == {
            "paywint_event": "retry",
            "paywint_operation": "get",
            "paywint_attempt": 1,
            "paywint_wait": 0.5,
            "paywint_reason": "status 503",
        }

    async def test_waits_a_random_part_of_its_delay(self):
        start = now()
        policy = RetryPolicy(max_attempts=2, base_delay=100.0, max_delay=100.0, max_elapsed=1000.0)
        for _ in range(10):
            await Retry(policy)(GET, answering(503))
        assert 0 < now() - start < 1000
