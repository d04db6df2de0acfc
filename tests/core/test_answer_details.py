"""What an error says of the answer: its headers, the request id, and the number of attempts."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from fault_server import (
    API_KEY,
    API_SECRET,
    CLOSE_UNANSWERED,
    CUT_BODY,
    GOOD,
    FaultServer,
    answer,
)
from virtual_time import pass_time

from paywint_async import (
    APIError,
    ClientClosedError,
    InvalidRequestError,
    OutcomeUnknownError,
    PaywintClient,
    PaywintError,
    RateLimit,
    RateLimitedError,
    RequestEvent,
    ResponseDecodeError,
    RetryPolicy,
    TransportError,
)
from paywint_async._middleware.rate_limit import LONGEST_COOLDOWN

QUICK = RetryPolicy(max_attempts=3, base_delay=0)
ID = "X-Request-Id: r-1\r\n"


async def read(client: PaywintClient) -> object:
    return await client.payments.page("received", 1)


async def listing(client: PaywintClient) -> object:
    return await client.payments.received().collect()


async def get(client: PaywintClient) -> object:
    return await client.payments.get("d4211545-cfc9-4aa0-8fcc-e4c2639e8052")


async def create(client: PaywintClient) -> object:
    return await client.payments.create_link(5)


async def wait(client: PaywintClient) -> object:
    payment_id = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"
    return await client.payments.wait_until_final(payment_id, timeout=500)


READS = [read, listing, get, wait, lambda client: client.request("GET", "/x")]


async def error_of(connect, *faults, use=read, **options) -> PaywintError:
    async with FaultServer(*faults) as server:
        with pytest.raises(PaywintError) as caught:
            await use(connect(server, **{"retry": QUICK, **options}))
    return caught.value


class TestTheRequestId:
    @pytest.mark.parametrize("use", [*READS, create])
    async def test_is_on_each_refusal(self, connect, use):
        error = await error_of(connect, answer(403, headers=ID), use=use)
        assert isinstance(error, APIError)
        assert error.request_id == "r-1"
        assert str(error).endswith("(request id r-1)")
        assert pickle.loads(pickle.dumps(error)).request_id == "r-1"

    @pytest.mark.parametrize(
        ("headers", "request_id"),
        [
            ("", None),
            ("X-Request-Id: \r\nRequest-Id: b\r\n", "b"),
            ("CF-Ray: e\r\nX-Amzn-RequestId: d\r\n", "d"),
            ("X-Amzn-RequestId: d\r\nX-Correlation-Id: c\r\n", "c"),
            ("X-Correlation-Id: c\r\nRequest-Id: b\r\n", "b"),
            ("Request-Id: b\r\nX-Request-Id: a\r\n", "a"),
            ("CF-Ray: e\r\n", "e"),
            (f"X-Request-Id: {'a' * 300}\r\n", "a" * 200),
        ],
    )
    async def test_is_the_first_of_five_headers(self, connect, headers, request_id):
        error = await error_of(connect, answer(400, headers=headers))
        assert error.request_id == request_id
        assert ("request id" in str(error)) is (request_id is not None)

    async def test_that_is_not_valid_text_can_be_printed(self, connect):
        error = await error_of(connect, answer(400, headers="X-Request-Id: r\u00e9\r\n"))
        assert str(error).encode("ascii").endswith(b"(request id r?)")

    @pytest.mark.parametrize("use", READS)
    async def test_is_on_an_answer_that_cannot_be_read(self, connect, use):
        error = await error_of(connect, answer(body=b"<html>", headers=ID), use=use)
        assert isinstance(error, ResponseDecodeError)
        assert error.request_id == "r-1"

    async def test_is_on_an_unknown_outcome(self, connect):
        error = await error_of(connect, answer(503, headers=ID), use=create)
        assert isinstance(error, OutcomeUnknownError)
        assert error.request_id == "r-1"
        assert "request id r-1" in str(error)

    async def test_is_on_each_event_of_a_request(self, connect):
        events: list[RequestEvent] = []
        async with FaultServer(answer(503, headers=ID), CUT_BODY, GOOD) as server:
            await read(connect(server, retry=QUICK, on_event=events.append))
        requests = [event for event in events if isinstance(event, RequestEvent)]
        seen = [(event.status, event.request_id) for event in requests]
        assert seen == [(503, "r-1"), (None, None), (200, None)]


class TestTheHeaders:
    async def test_are_on_a_refusal_in_lower_case(self, connect):
        error = await error_of(connect, answer(404, headers="X-Served-By: Node-1\r\n"))
        assert error.headers["x-served-by"] == "Node-1"
        assert error.headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        "name",
        [
            "Set-Cookie",
            "X-Session-Id",
            "X-Auth-Token",
            "Authorization",
            "X-Api-Key",
            "Client-Secret",
        ],
    )
    async def test_are_redacted(self, connect, name):
        error = await error_of(connect, answer(404, headers=f"{name}: hush\r\n"))
        assert error.headers[name.lower()] == "***"

    @pytest.mark.parametrize("secret", [API_KEY, API_SECRET])
    @pytest.mark.parametrize("status", [200, 404])
    async def test_never_have_a_credential(self, connect, shown, secret, status):
        events: list[RequestEvent] = []
        echo = answer(status, headers=f"X-Request-Id: {secret}\r\nX-Echo: <{secret}>\r\n")
        async with FaultServer(echo) as server:
            client = connect(server, on_event=events.append)
            with pytest.raises(APIError if status == 404 else ZeroDivisionError) as caught:
                await read(client)
                raise ZeroDivisionError
        assert secret not in shown(caught.value) + repr(events)


class TestTheAttempts:
    @pytest.mark.parametrize("use", READS)
    @pytest.mark.parametrize(
        ("faults", "attempts"),
        [
            ([answer(403)], 1),
            ([answer(503), answer(403)], 2),
            ([answer(503)], 3),
            ([CLOSE_UNANSWERED], 3),
            ([answer(503), CLOSE_UNANSWERED, answer(body=b"{")], 3),
        ],
        ids=str,
    )
    async def test_are_on_the_error(self, connect, use, faults, attempts):
        assert (await error_of(connect, *faults, use=use)).attempts == attempts

    async def test_of_a_create_are_on_the_error(self, connect):
        error = await error_of(connect, answer(429), CLOSE_UNANSWERED, use=create)
        assert (type(error), error.attempts) == (OutcomeUnknownError, 2)

    async def test_are_zero_if_an_argument_was_refused(self, connect):
        async with FaultServer() as server:
            with pytest.raises(InvalidRequestError) as caught:
                await connect(server).payments.create_link(-1)
        assert caught.value.attempts == 0

    async def test_without_a_connection_are_counted(self, connect):
        async with FaultServer() as server:
            pass
        with pytest.raises(TransportError) as caught:
            await read(connect(server, retry=QUICK))
        assert caught.value.attempts == 3

    async def test_of_a_call_that_closing_ended_are_counted(self, connect):
        slow = answer(429, headers="Retry-After: 50\r\n")
        async with FaultServer(slow) as server:
            client = connect(server)
            call = asyncio.ensure_future(read(client))
            await pass_time(1)
            await client.aclose()
            with pytest.raises(ClientClosedError) as caught:
                await call
        assert caught.value.attempts == 1


class TestACallThatIsHeldBack:
    async def test_by_the_cooldown_is_an_error_that_says_so(self, connect):
        async with FaultServer(answer(429, headers="Retry-After: 500\r\n")) as server:
            client = connect(server)
            with pytest.raises(RateLimitedError) as asked:
                await read(client)
            with pytest.raises(RateLimitedError) as held:
                await read(client)
        assert (asked.value.is_local, asked.value.attempts) == (False, 1)
        assert str(asked.value).startswith("the API answered 429")
        assert (held.value.is_local, held.value.attempts) == (True, 0)
        assert str(held.value).startswith(
            "not sent, held back by this client: the cooldown after an earlier 429 leaves no turn"
        )
        assert held.value.retry_after == pytest.approx(500, abs=1)
        assert len(server.requests) == 1

    async def test_by_the_clients_limit_is_an_error_that_says_so(self, connect):
        limit, retry = RateLimit(1, per_seconds=60), RetryPolicy(max_elapsed=10)
        async with FaultServer() as server:
            client = connect(server, rate_limit=limit, retry=retry)
            await read(client)
            with pytest.raises(RateLimitedError) as caught:
                await read(client)
        assert (caught.value.is_local, caught.value.attempts) == (True, 0)
        assert "the client's own limit leaves no turn" in str(caught.value)

    async def test_after_an_attempt_counts_that_one(self, connect):
        async with FaultServer(answer(429, headers="Retry-After: 5\r\n")) as server:
            client = connect(server, rate_limit=RateLimit(1, per_seconds=60))
            with pytest.raises(RateLimitedError) as caught:
                await connect_view(client)
        assert (caught.value.is_local, caught.value.attempts) == (True, 1)

    @pytest.mark.parametrize("digits", ["9999999999", "9" * 30, "9" * 400])
    async def test_by_a_retry_after_of_any_length_is_not_sent_again(self, connect, digits):
        async with FaultServer(answer(429, headers=f"Retry-After: {digits}\r\n")) as server:
            client = connect(server)
            for _ in range(2):
                with pytest.raises(RateLimitedError) as caught:
                    await read(client)
        assert len(server.requests) == 1
        assert LONGEST_COOLDOWN - 1 <= caught.value.retry_after <= LONGEST_COOLDOWN


async def connect_view(client: PaywintClient) -> object:
    return await read(client.with_options(retry=RetryPolicy(max_elapsed=20)))
