"""The SDK against Prism, an independent mock server that knows the OpenAPI file and nothing else.

Needs Node.js: run by `nox -s prism`, never by the suite itself. Prism refuses a request that the file
does not allow, and makes up answers that it does: unknown properties, refusals with status 200,
statuses nobody has heard of, a negative Retry-After.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from fault_server import FaultServer, answer

import paywint_async
from paywint_async import APIError, Handler, Payment, PaywintClient, Request, Response, RetryPolicy
from paywint_async.emulator import Emulator

API = Path(__file__).resolve().parents[1] / "paywint-openapi.yaml"
ROUNDS = 40  # of made-up answers


@contextmanager
def prism(*arguments: str) -> Iterator[str]:
    """A Prism process on a free port; its url, once it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    place = ("--host", "127.0.0.1", "--port", str(port))
    command = [os.environ["PAYWINT_PRISM"], *arguments, *place]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = iter(process.stdout.readline, "")
    is_listening = any(" is listening on " in line for line in told)
    rest = threading.Thread(target=deque, args=(told, 0))  # a full pipe would stop it
    rest.start()
    try:
        assert is_listening, f"Prism does not listen (exit status {process.wait(20)})"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        rest.join(20)
        process.stdout.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Made-up answers."""
    with prism("mock", "--dynamic", str(API)) as url:
        yield url


class Wire:
    """What went over the wire last; asks for a certain answer, where ``prefer`` says so."""

    def __init__(self) -> None:
        self.prefer = ""
        self.response = Response(status=0)

    async def __call__(self, request: Request, handler: Handler) -> Response:
        headers = {"Prefer": self.prefer} if self.prefer else {}
        self.response = await handler(attrs.evolve(request, headers=headers))
        return self.response

    @property
    def body(self) -> Any:
        return json.loads(self.response.body, parse_float=Decimal)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def client(url: str, wire: Wire) -> AsyncIterator[PaywintClient]:
    keys = str(uuid.uuid4()), "secret"
    once = RetryPolicy(max_attempts=1)
    async with PaywintClient(*keys, base_url=url, retry=once, attempt_middlewares=[wire]) as client:
        yield client


async def call(client: PaywintClient, name: str) -> Any:
    if name == "get":
        return await client.payments.get(uuid.uuid4())
    if name == "create_link":
        return await client.payments.create_link(
            Decimal("150.75"), description="June", invoice_number="INV-12"
        )
    if name == "create_checkout_token":
        return await client.payments.create_checkout_token(5, email="a@b.example")
    return await client.payments.page(name, 1)


OPERATIONS = ("get", "create_link", "create_checkout_token", "sent", "received")


@pytest.mark.real_time
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_made_up_answers_are_read_as_they_are(
    client: PaywintClient, wire: Wire, operation: str
) -> None:
    outcomes = set()
    for _ in range(ROUNDS):
        try:
            told = await call(client, operation)
        except APIError as error:
            assert (error.status, wire.body["success"]) == (200, False)
            outcomes.add("refused")
        else:
            assert wire.body.get("success", True) is True
            check(told, wire.body)
            outcomes.add("read")
    assert outcomes == {"read", "refused"}


def check(told: Any, body: Any) -> None:
    if isinstance(told, paywint_async.PaymentPage):
        assert told.total_records == body["totalRecords"]
        assert len(told.records) == len(body["records"])
        for payment, row in zip(told.records, body["records"], strict=True):
            check_payment(payment, row)
    elif isinstance(told, Payment):
        check_payment(told, body["data"])
    elif isinstance(told, paywint_async.PaymentLink):
        assert str(told.payment_id) == body["data"]["payment_id"]
        assert told.payment_link == body["data"]["payment_link"]
    else:
        assert told.checkout_token == body["data"]["checkout_token"]


READ_AS: dict[str, Callable[[Any], Any]] = {
    "created_at": datetime.fromisoformat,
    "payment_date": datetime.fromisoformat,
    "payment_id": uuid.UUID,
    "payer_id": uuid.UUID,
    "payee_id": uuid.UUID,
}


def check_payment(payment: Payment, row: Any) -> None:
    for field in attrs.fields(Payment):
        sent = row.get(field.name)
        expected = sent if sent is None else READ_AS.get(field.name, lambda value: value)(sent)
        assert getattr(payment, field.name) == expected, field.name


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ("get", 404),
        *((operation, status) for operation in OPERATIONS for status in (401, 422, 429)),
    ],
)
async def test_each_status_that_the_file_has_is_its_error(
    client: PaywintClient, wire: Wire, operation: str, status: int
) -> None:
    wire.prefer = f"code={status}"
    expected = {
        401: paywint_async.AuthenticationError,
        404: paywint_async.NotFoundError,
        422: paywint_async.UnprocessableRequestError,
        429: paywint_async.RateLimitedError,
    }[status]

    with pytest.raises(expected) as caught:
        await call(client, operation)

    assert (wire.response.status, caught.value.status) == (status, status)
    if isinstance(caught.value, paywint_async.RateLimitedError):
        assert caught.value.retry_after is None or caught.value.retry_after >= 0


@pytest.mark.real_time
async def test_a_request_that_the_file_forbids_would_be_seen(url: str, wire: Wire) -> None:
    """So that the tests above say something: Prism does look at what is sent."""

    async def spoil(request: Request, handler: Handler) -> Response:
        return await handler(attrs.evolve(request, body=b'{"amount":"five"}'))

    keys = str(uuid.uuid4()), "secret"
    spoiling = PaywintClient(*keys, base_url=url, attempt_middlewares=[wire, spoil])
    async with spoiling:
        with pytest.raises(paywint_async.UnprocessableRequestError):
            await spoiling.payments.create_link(5)


@pytest.mark.real_time
async def test_what_the_sdk_sends_and_the_emulator_answers_is_as_the_file_has_it() -> None:
    """Prism in between checks both, and answers with a 500 of its own where one is wrong."""
    async with Emulator(hostile=True, payments=250) as emulator:
        # Prism forwards everything, so the emulator sees the keys.
        keys = emulator.api_key, emulator.api_secret
        with prism("proxy", "--errors", str(API), emulator.url) as url:
            async with PaywintClient(
                *keys, base_url=url, retry=RetryPolicy(max_attempts=1)
            ) as client:
                link = await client.payments.create_link(
                    Decimal("150.75"), description="Zoë's June", invoice_number="INV-12"
                )
                await client.payments.create_link(5)
                await client.payments.create_checkout_token(5, email="a@b.example")
                phone = {"phone": "5551234567", "phone_country_code": "+1"}
                await client.payments.create_checkout_token(5, **phone)
                received = await client.payments.received(rows_per_page=50).collect()
                sent = await client.payments.sent().collect()
                payment = await client.payments.get(link.payment_id)
                with pytest.raises(paywint_async.NotFoundError):
                    await client.payments.get(uuid.uuid4())
            async with PaywintClient(
                "a", "b", base_url=url, retry=RetryPolicy(max_attempts=1)
            ) as stranger:
                with pytest.raises(paywint_async.AuthenticationError):
                    await stranger.payments.page("sent", 1)
        assert (len(received), len(sent), payment) == (252, 250, received[1])


@pytest.mark.real_time
async def test_an_answer_that_the_file_forbids_would_be_seen() -> None:
    """So that the test above says something: Prism does look at what is answered."""
    spoilt = answer(
        body=lambda body: body.replace(b"2025-06-16T10:04:51.739761Z", b"2025-06-16 10:04Z")
    )
    async with FaultServer(spoilt) as server:
        with prism("proxy", "--errors", str(API), server.url) as url:
            once = RetryPolicy(max_attempts=1)
            async with PaywintClient(str(uuid.uuid4()), "b", base_url=url, retry=once) as client:
                with pytest.raises(paywint_async.ServerError, match="response is not valid"):
                    await client.payments.page("sent", 1)
