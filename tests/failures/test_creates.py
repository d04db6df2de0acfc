"""Creates under random faults are never processed twice; unknown outcomes can be resolved."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from api_json import page_json, payment_json
from fault_catalogue import CATALOGUE
from fault_server import API_KEY, API_SECRET, CLOSE_UNANSWERED, GOOD, FaultServer, answer
from virtual_time import pass_time

from paywint_async import (
    ClientClosedError,
    Handler,
    InvalidRequestError,
    OutcomeUnknownError,
    PaymentStatus,
    PaywintClient,
    PaywintError,
    Request,
    Response,
    RetryPolicy,
    TransportError,
)
from paywint_async.emulator import Emulator

SCHEDULES = int(os.environ.get("PAYWINT_SCHEDULES", "300"))
RETRY = RetryPolicy(base_delay=0.01)
NOT_PROCESSED = {429}


async def test_a_create_is_never_processed_twice_under_random_faults() -> None:
    """A schedule has random faults, then a good answer; all requests except refused ones count."""
    slow = [fault for fault in CATALOGUE if fault.name != "a gzip bomb"]
    for seed in range(SCHEDULES):
        random = Random(seed)
        script = [random.choice(slow) for _ in range(random.randrange(4))]
        async with (
            FaultServer(*script, GOOD) as server,
            PaywintClient(
                API_KEY, API_SECRET, base_url=server.url, retry=RETRY, request_timeout=5
            ) as client,
        ):
            outcome: PaywintError | None = None
            try:
                await client.payments.create_link(5)
            except PaywintError as error:
                outcome = error
            refused = 0
            for fault in script[: len(server.requests)]:
                if "429" not in fault.name:
                    break
                refused += 1
            assert len(server.requests) - refused <= 1, (seed, script, outcome)


async def test_a_refused_connection_is_retried_and_has_a_known_outcome() -> None:
    async with FaultServer() as server:
        url = server.url
    async with PaywintClient(API_KEY, API_SECRET, base_url=url, retry=RETRY) as client:
        with pytest.raises(TransportError) as caught:
            await client.payments.create_link(5)
    assert not caught.value.sent
    assert not isinstance(caught.value, OutcomeUnknownError)


async def test_an_unknown_outcome_has_the_arguments_and_the_time_of_the_call() -> None:
    async with (
        FaultServer(CLOSE_UNANSWERED) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client,
    ):
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.payments.create_link(
                Decimal("5.50"), description="June", invoice_number="INV-1"
            )
    error = caught.value
    assert (error.amount, error.description, error.invoice_number) == (
        Decimal("5.50"),
        "June",
        "INV-1",
    )
    assert error.started_at <= error.ended_at
    assert isinstance(error.reason, TransportError)
    assert len(server.requests) == 1


async def test_a_create_in_flight_when_the_client_is_closed_has_an_unknown_outcome() -> None:
    import asyncio

    async with Emulator(latency=5) as emulator:
        client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)
        create = asyncio.create_task(client.payments.create_link(5))
        await pass_time(1)
        await client.aclose()
        with pytest.raises(OutcomeUnknownError) as caught:
            await create
        assert isinstance(caught.value.reason, ClientClosedError)


class LoseAnswers:
    """An attempt middleware: creates are sent (unless ``before``), and their answers are lost."""

    def __init__(self, *, before: bool = False) -> None:
        self.before = before

    async def __call__(self, request: Request, handler: Handler) -> Response:
        if request.operation != "create_link":
            return await handler(request)
        if not self.before:
            await handler(request)
        raise TransportError("the answer is lost")


async def unknown_outcome(client: PaywintClient, description: str | None) -> OutcomeUnknownError:
    with pytest.raises(OutcomeUnknownError) as caught:
        await client.payments.create_link(Decimal("19.90"), description=description)
    return caught.value


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("description", ["June", None])
async def test_a_payment_that_was_created_is_found(order: str, description: str | None) -> None:
    async with Emulator(hostile=True, payments=300, order=order) as emulator:
        settings = {"attempt_middlewares": [LoseAnswers()], "base_url": emulator.url}
        async with PaywintClient(emulator.api_key, emulator.api_secret, **settings) as client:
            error = await unknown_outcome(client, description)
            count = emulator.request_count
            payment = await client.payments.find_created(error)
            assert payment is not None
            assert payment.status is PaymentStatus.PENDING
            assert str(payment.payment_id) == emulator.history("received")[0]
            assert emulator.request_count - count <= (2 if order == "newest" else 5) + 8


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_the_payment_is_found_among_a_million_with_few_requests(order: str) -> None:
    async with Emulator(payments=1_000_000, order=order) as emulator:
        settings = {"attempt_middlewares": [LoseAnswers()], "base_url": emulator.url}
        async with PaywintClient(emulator.api_key, emulator.api_secret, **settings) as client:
            error = await unknown_outcome(client, "June")
            emulator.arrive("received", 250)
            count = emulator.request_count
            payment = await client.payments.find_created(error)
            assert payment is not None
            assert emulator.request_count - count <= 30


@pytest.mark.parametrize("status", ["pending", "settling", "success", "refunded"])
async def test_only_an_unpaid_payment_is_accepted_as_the_created_one(status: str) -> None:
    """Nobody can have the link of an unknown outcome, so a paid payment must be another one."""
    now = datetime.now(UTC).isoformat()
    fields = {"amount": "19.90", "description": '"June"', "created_at": f'"{now}"'}
    record = payment_json(**fields, status=f'"{status}"')
    async with (
        FaultServer(answer(500), answer(200, page_json(record, total="1"))) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client,
    ):
        error = await unknown_outcome(client, "June")
        found = await client.payments.find_created(error)
        assert (found is not None) == (status == "pending")


@pytest.mark.parametrize(
    ("description", "stored"),
    [("", "null"), (None, '""'), (" June ", '"June"'), ("  ", "null"), ("June", '"June"')],
)
async def test_a_description_that_the_server_stores_stripped_is_the_same(
    description: str | None, stored: str
) -> None:
    now = datetime.now(UTC).isoformat()
    record = payment_json(
        amount="19.90", description=stored, created_at=f'"{now}"', status='"pending"'
    )
    async with (
        FaultServer(answer(500), answer(200, page_json(record, total="1"))) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client,
    ):
        error = await unknown_outcome(client, description)
        assert await client.payments.find_created(error) is not None


HOUR = 3600.0
# The seconds from the start of a request that lasts a minute to `created_at`; whether the server tells
# its clock; and what is found.
MOMENTS = [
    (-30, True, "none"),
    (0, True, "found"),
    (40, True, "found"),
    (90, True, "unknown"),
    (HOUR, True, "unknown"),
    (-400, False, "none"),
    (-200, False, "unknown"),
    (-3, False, "unknown"),
    (-1, False, "found"),
    (61, False, "found"),
    (63, False, "unknown"),
    (260, False, "unknown"),
    (460, False, "unknown"),
]


@pytest.mark.parametrize("ahead", [-2 * HOUR, 2 * HOUR])
@pytest.mark.parametrize(("after", "tells_its_clock", "outcome"), MOMENTS)
async def test_a_payment_that_was_created_after_the_request_may_be_another_one(
    after: float, tells_its_clock: bool, outcome: str, ahead: float
) -> None:
    """The server may still process a request that timed out: neither None nor a payment is true."""
    started = datetime.now(UTC) - timedelta(hours=2)
    error = OutcomeUnknownError(
        "create_link",
        TransportError("the answer is lost"),
        asked={"amount": Decimal("19.90"), "description": "June"},
        started_at=started,
        ended_at=started + timedelta(minutes=1),
    )
    shift = timedelta(seconds=ahead if tells_its_clock else 0)
    created = (started + timedelta(seconds=after) + shift).isoformat()
    fields = {"amount": "19.90", "description": '"June"', "created_at": f'"{created}"'}
    record = payment_json(**fields, status='"pending"')
    clock = (datetime.now(UTC) + shift).timestamp() if tells_its_clock else None
    page = page_json(record, total=f'1,"queryGeneratedTime":{json.dumps(clock)}')
    async with (
        FaultServer(answer(200, page)) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client,
    ):
        if outcome != "unknown":
            found = await client.payments.find_created(error)
            assert (found is not None) == (outcome == "found")
            return
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.payments.find_created(error)
        (candidate,) = caught.value.candidates
        assert candidate.description == "June"
        assert (caught.value.ended_at, error.candidates) == (error.ended_at, ())


@pytest.mark.parametrize("clock", ["1750068291739761", "-1e300", "1e300"])
async def test_a_server_time_beyond_the_calendar_is_none(clock: str) -> None:
    async with (
        FaultServer(
            answer(500), answer(200, page_json(total=f'0,"queryGeneratedTime":{clock}'))
        ) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client,
    ):
        error = await unknown_outcome(client, "June")
        assert await client.payments.find_created(error) is None


async def test_a_payment_that_was_not_created_is_not_found() -> None:
    async with Emulator(hostile=True, payments=300) as emulator:
        settings = {"attempt_middlewares": [LoseAnswers(before=True)], "base_url": emulator.url}
        async with PaywintClient(emulator.api_key, emulator.api_secret, **settings) as client:
            error = await unknown_outcome(client, "June")
            assert await client.payments.find_created(error) is None


async def test_several_matching_payments_are_an_error_with_all_candidates() -> None:
    async with Emulator() as emulator:
        settings = {"attempt_middlewares": [LoseAnswers()], "base_url": emulator.url}
        async with PaywintClient(emulator.api_key, emulator.api_secret, **settings) as client:
            error = await unknown_outcome(client, "June")
            await unknown_outcome(client, "June")
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.payments.find_created(error)
            assert len(caught.value.candidates) == 2


async def test_finding_the_payment_of_a_checkout_token_is_refused() -> None:
    async with (
        FaultServer(answer(500)) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client,
    ):
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.payments.create_checkout_token(5, email="a@example.com")
        assert len(server.requests) == 1
        with pytest.raises(InvalidRequestError, match="create_checkout_token"):
            await client.payments.find_created(caught.value)
