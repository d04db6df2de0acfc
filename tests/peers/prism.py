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
import uuid
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

import paywint_async
from paywint_async import APIError, Handler, Payment, PaywintClient, Request, Response, RetryPolicy

API = Path(__file__).resolve().parents[1] / "paywint-openapi.yaml"
ROUNDS = 40  # of made-up answers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    command = [os.environ["PAYWINT_PRISM"], "mock", "--host", "127.0.0.1", "--dynamic"]
    process = subprocess.Popen(
        [*command, "--port", str(port), str(API)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "is listening" in line:
            break
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.stdout.close()
    process.wait(20)


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


def check_payment(payment: Payment, row: Any) -> None:
    assert str(payment.payment_id) == row["payment_id"]
    assert payment.amount == row["amount"]
    assert str(payment.status) == row["status"]
    assert payment.description == row.get("description")


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
