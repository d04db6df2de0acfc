"""What is retried, how often, and after which wait: counted at the server, on virtual time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import formatdate
from itertools import pairwise

import attrs
import pytest
from fault_server import (
    CLOSE_UNANSWERED,
    CUT_BODY,
    GOOD,
    RESET_UNANSWERED,
    SILENCE,
    FaultServer,
    answer,
    redirect,
)
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import VirtualTimeLoop, pass_time

from paywint_async import (
    APIError,
    OutcomeUnknownError,
    PaywintClient,
    PaywintError,
    RateLimitedError,
    Request,
    RequestTimeoutError,
    Response,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    TransportError,
)
from paywint_async._middleware import Retry
from paywint_async.emulator import Emulator

LOST = [CLOSE_UNANSWERED, RESET_UNANSWERED, CUT_BODY, SILENCE]
PASSING = [answer(status) for status in (408, 425, 429, 500, 502, 503, 504)]
LASTING = [answer(status) for status in (400, 401, 403, 404, 409, 422, 501, 505)]
UNREADABLE = [
    answer(body=b"", name="an empty body"),
    answer(body=b"<html>", name="no JSON"),
    answer(body=b"{}", name="a wrong shape"),
    answer(body=b'{"success":false,"message":"No."}', name="a refusal with 200"),
    answer(204, b""),
    redirect(302, "http://127.0.0.1:9/"),
]
GET = Request(operation="get", method="GET", path="/")
CREATE = Request(operation="create_link", method="POST", path="/", repeatable=False)
QUICK = RetryPolicy(base_delay=0)


def now() -> float:
    return asyncio.get_running_loop().time()


def retry_after(value: object):
    return answer(429, headers=f"Retry-After: {value}\r\n", name=f"429 after {value}")


async def read(client: PaywintClient) -> object:
    return await client.payments.page("received", 1)


async def get(client: PaywintClient) -> object:
    return await client.payments.get("d4211545-cfc9-4aa0-8fcc-e4c2639e8052")


async def create(client: PaywintClient) -> object:
    return await client.payments.create_link(
        Decimal("150.75"), description="June", invoice_number="INV-12"
    )


async def token(client: PaywintClient) -> object:
    return await client.payments.create_checkout_token(5, email="a@example.com")


async def stopped_server() -> FaultServer:
    """A server that has stopped: its port refuses connections."""
    async with FaultServer() as server:
        pass
    return server


class TestARead:
    @pytest.mark.parametrize("operation", [read, get])
    @pytest.mark.parametrize("fault", [*LOST, *PASSING], ids=str)
    async def test_is_retried_after_a_transient_fault(self, connect, operation, fault):
        async with FaultServer(fault, GOOD) as server:
            await operation(connect(server))
        assert len(server.requests) == 2

    @pytest.mark.parametrize("operation", [read, get])
    @pytest.mark.parametrize("fault", [*LOST, *PASSING], ids=str)
    async def test_is_not_sent_more_often_than_the_policy_allows(self, connect, operation, fault):
        async with FaultServer(fault) as server:
            with pytest.raises(PaywintError):
                await operation(connect(server, retry=RetryPolicy(max_attempts=3)))
        assert len(server.requests) == 3

    @pytest.mark.parametrize("fault", [*LASTING, *UNREADABLE], ids=str)
    async def test_is_not_retried_if_it_would_fail_again(self, connect, fault):
        async with FaultServer(fault) as server:
            with pytest.raises((APIError, ResponseDecodeError)):
                await read(connect(server))
        assert len(server.requests) == 1

    async def test_is_not_retried_if_the_policy_forbids_it(self, connect):
        async with FaultServer(answer(503)) as server:
            with pytest.raises(ServerError):
                await read(connect(server, retry=RetryPolicy(max_attempts=1)))
        assert len(server.requests) == 1

    async def test_raises_the_error_of_the_last_attempt(self, connect):
        async with FaultServer(CUT_BODY, answer(503), answer(504)) as server:
            with pytest.raises(ServerError) as caught:
                await read(connect(server, retry=RetryPolicy(max_attempts=3)))
        assert caught.value.status == 504

    async def test_succeeds_once_the_server_is_back(self, connect):
        async with Emulator(hostile=True, payments=3) as emulator:
            client = connect(emulator, retry=RetryPolicy(max_attempts=100, max_elapsed=600))
            await emulator.aclose()
            task = asyncio.ensure_future(read(client))
            await pass_time(20)
            await emulator.start()
            page = await task
        assert (page.total_records, emulator.request_count) == (3, 1)


class TestACreate:
    @pytest.mark.parametrize("operation", [create, token])
    @pytest.mark.parametrize(
        "fault",
        [*LOST, *[f for f in PASSING if str(f) not in ("status 425", "status 429")]],
        ids=str,
    )
    async def test_is_not_retried_if_its_outcome_is_unknown(self, connect, operation, fault):
        async with FaultServer(fault, GOOD) as server:
            with pytest.raises(OutcomeUnknownError):
                await operation(connect(server))
        assert len(server.requests) == 1

    @pytest.mark.parametrize("operation", [create, token])
    @pytest.mark.parametrize(
        "fault",
        [f for f in UNREADABLE if "refusal" not in str(f) and "redirect" not in str(f)],
        ids=str,
    )
    async def test_has_an_unknown_outcome_if_its_answer_cannot_be_read(
        self, connect, operation, fault
    ):
        async with FaultServer(fault, GOOD) as server:
            with pytest.raises(OutcomeUnknownError) as caught:
                await operation(connect(server))
        assert (type(caught.value.reason), len(server.requests)) == (ResponseDecodeError, 1)

    @pytest.mark.parametrize("operation", [create, token])
    @pytest.mark.parametrize(
        "fault", [*LASTING[:-2], answer(425), *UNREADABLE[3:4], *UNREADABLE[5:]], ids=str
    )
    async def test_that_was_refused_has_a_known_outcome(self, connect, operation, fault):
        async with FaultServer(fault, GOOD) as server:
            with pytest.raises(APIError):
                await operation(connect(server))
        assert len(server.requests) == 1

    @pytest.mark.parametrize("operation", [create, token])
    async def test_is_sent_again_after_a_429(self, connect, operation):
        async with FaultServer(answer(429), answer(429), GOOD) as server:
            await operation(connect(server))
        assert len(server.requests) == 3

    async def test_is_retried_if_no_connection_was_made(self, connect):
        server, start = await stopped_server(), now()
        with pytest.raises(TransportError) as caught:
            await create(connect(server, retry=RetryPolicy(base_delay=5)))
        assert (type(caught.value), caught.value.sent) == (TransportError, False)
        assert now() > start

    async def test_after_a_429_may_have_an_unknown_outcome(self, connect):
        async with FaultServer(answer(429), CLOSE_UNANSWERED, GOOD) as server:
            with pytest.raises(OutcomeUnknownError):
                await create(connect(server))
        assert len(server.requests) == 2


class TestAnUnknownOutcome:
    @pytest.fixture
    async def error(self, connect) -> OutcomeUnknownError:
        async with FaultServer(CLOSE_UNANSWERED) as server:
            with pytest.raises(OutcomeUnknownError) as caught:
                await create(connect(server))
        return caught.value

    async def test_has_the_arguments_of_the_call(self, error):
        assert (error.operation, error.amount, error.description, error.invoice_number) == (
            "create_link",
            Decimal("150.75"),
            "June",
            "INV-12",
        )

    async def test_has_the_time_of_the_call(self, error):
        assert error.started_at <= error.ended_at <= datetime.now(UTC)
        assert error.started_at.tzinfo is UTC

    async def test_has_its_reason(self, error):
        assert type(error.reason) is TransportError
        assert str(error.reason) in str(error)

    async def test_after_a_timeout_is_not_a_timeout_error(self, connect):
        async with FaultServer(SILENCE) as server:
            with pytest.raises(OutcomeUnknownError) as caught:
                await create(connect(server, request_timeout=5))
        assert type(caught.value.reason) is RequestTimeoutError
        assert not isinstance(caught.value, TimeoutError)

    async def test_of_a_token_has_the_arguments_of_the_call(self, connect):
        async with FaultServer(answer(503)) as server:
            with pytest.raises(OutcomeUnknownError) as caught:
                await token(connect(server))
        assert caught.value.operation == "create_checkout_token"
        assert (caught.value.asked["email"], caught.value.amount) == ("a@example.com", 5)


def waits_of(policy: RetryPolicy, draws: list[float], header: str | None = None) -> list[float]:
    """The waits between the attempts of an operation that is always answered 503."""

    async def operation() -> list[float]:
        times: list[float] = []
        headers = {} if header is None else {"retry-after": header}

        async def handler(_request: Request) -> Response:
            times.append(now())
            return Response(status=503, headers=headers)

        rest = iter(draws)
        await Retry(policy, draw=lambda: next(rest))(GET, handler)
        return [after - before for before, after in pairwise(times)]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(operation())


class TestTheWait:
    @pytest.mark.parametrize("draw", [0.25, 0.5, 1.0])
    def test_doubles_up_to_its_maximum(self, draw):
        policy = RetryPolicy(max_attempts=6, base_delay=1, max_delay=5, max_elapsed=1000)
        expected = [draw * bound for bound in (1, 2, 4, 5, 5)]
        assert waits_of(policy, [draw] * 6) == pytest.approx(expected)

    def test_does_not_overflow_after_thousands_of_attempts(self):
        policy = RetryPolicy(max_attempts=1200, base_delay=1, max_delay=2, max_elapsed=10_000)
        assert waits_of(policy, [1.0] * 1200)[-1] == pytest.approx(2)

    def test_may_be_zero(self):
        assert waits_of(QUICK, [1.0] * 4) == [0, 0, 0]

    def test_is_never_shorter_than_retry_after(self):
        policy = RetryPolicy(base_delay=2)
        assert waits_of(policy, [0.0, 0.5, 1.0, 0.0], "10") == pytest.approx([10, 11, 12])

    @pytest.mark.parametrize("header", ["-5", "soon", "", "Mon, 01 Jan 2001 00:00:00 GMT"])
    def test_ignores_an_invalid_retry_after(self, header):
        assert waits_of(RetryPolicy(), [1.0] * 4, header) == pytest.approx([0.5, 1, 2])

    @given(
        base=st.floats(0, 10),
        longest=st.floats(0, 60),
        draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4),
    )
    def test_is_within_the_formula(self, base, longest, draws):
        policy = RetryPolicy(base_delay=base, max_delay=longest, max_elapsed=1000)
        for attempt, wait in enumerate(waits_of(policy, draws)):
            assert -1e-6 <= wait <= min(longest, base * 2**attempt) + 1e-6

    async def test_lasts_until_the_date_in_retry_after(self, connect):
        async with FaultServer(
            retry_after(formatdate(time.time() + 20, usegmt=True)), GOOD
        ) as server:
            start = now()
            await read(connect(server))
        assert 18 <= now() - start <= 22

    @pytest.mark.parametrize("seconds", ["7", "7.25", "60"])
    async def test_is_as_long_as_the_server_asks(self, connect, seconds):
        async with FaultServer(retry_after(seconds), GOOD) as server:
            start = now()
            await read(connect(server))
        assert float(seconds) <= now() - start <= float(seconds) + 0.6

    async def test_can_be_cancelled(self, connect):
        async with FaultServer(retry_after(60), GOOD) as server:
            task = asyncio.ensure_future(read(connect(server)))
            await pass_time(5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await pass_time(100)
        assert (task.cancelled(), len(server.requests)) == (True, 1)


class TestMaxElapsed:
    async def test_is_not_waited_out_if_retry_after_exceeds_it(self, connect):
        async with FaultServer(retry_after(121)) as server:
            start = now()
            with pytest.raises(RateLimitedError) as caught:
                await read(connect(server))
        assert (caught.value.retry_after, len(server.requests)) == (121, 1)
        assert now() - start < 1

    async def test_bounds_a_create(self, connect):
        async with FaultServer(retry_after(3600)) as server:
            with pytest.raises(RateLimitedError) as caught:
                await create(connect(server))
        assert (caught.value.retry_after, len(server.requests)) == (3600, 1)

    async def test_bounds_all_attempts_together(self, connect):
        policy = RetryPolicy(max_attempts=100, max_elapsed=100)
        async with FaultServer(SILENCE) as server:
            start = now()
            with pytest.raises(RequestTimeoutError):
                await read(connect(server, retry=policy, request_timeout=30))
        assert now() - start <= 100.1
        assert len(server.requests) in (3, 4)

    async def test_cuts_the_last_attempt_short(self, connect):
        async with FaultServer(SILENCE) as server:
            start = now()
            with pytest.raises(RequestTimeoutError):
                await read(connect(server, retry=RetryPolicy(max_elapsed=10)))
        assert now() - start == pytest.approx(10, abs=0.1)

    async def test_starts_with_each_operation(self, connect):
        async with FaultServer() as server:
            client = connect(server, retry=RetryPolicy(max_elapsed=10))
            await read(client)
            await pass_time(3600)
            await read(client)
        assert len(server.requests) == 2


class TestTheRetryMiddleware:
    async def test_lets_other_exceptions_through(self):
        async def handler(_request: Request) -> Response:
            raise LookupError

        with pytest.raises(LookupError):
            await Retry(QUICK)(GET, handler)

    async def test_retries_a_write_that_was_certainly_not_sent(self):
        calls = []

        async def handler(request: Request) -> Response:
            calls.append(request.attempt)
            if len(calls) < 3:
                raise TransportError("refused", sent=False)
            return Response(status=200)

        response = await Retry(QUICK)(CREATE, handler)
        assert (response.status, calls) == (200, [1, 2, 3])

    async def test_does_not_retry_a_write_that_may_have_been_sent(self):
        calls = []

        async def handler(_request: Request) -> Response:
            calls.append(1)
            raise TransportError("lost")

        with pytest.raises(TransportError):
            await Retry(QUICK)(CREATE, handler)
        assert len(calls) == 1

    async def test_serves_many_operations_at_once(self):
        async def handler(request: Request) -> Response:
            await pass_time(1)
            return Response(status=503 if request.attempt < 3 else 200)

        retry = Retry(QUICK)
        answers = await asyncio.gather(*(retry(GET, handler) for _ in range(50)))
        assert [response.status for response in answers] == [200] * 50


@pytest.mark.parametrize(("own", "passed"), [(3.0, 3.0), (500.0, 120.0)])
async def test_the_earlier_of_two_deadlines_counts(own, passed):
    seen: list[float | None] = []

    async def handler(request: Request) -> Response:
        seen.append(request.deadline)
        return Response(status=200)

    start = now()
    await Retry(RetryPolicy(max_elapsed=120))(attrs.evolve(GET, deadline=start + own), handler)
    assert seen == [start + passed]
