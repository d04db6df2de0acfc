"""The public API as a type checker sees it from outside: checked by mypy and pyright, never run.

`nox -s types` reads it against the installed wheel, so it also proves that `py.typed` is in there.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Unpack, assert_type
from uuid import UUID

from paywint_async import (
    Account,
    AccountReport,
    Answer,
    Answers,
    APIError,
    CheckoutToken,
    ClientOptions,
    Direction,
    Environment,
    ExportSummary,
    Handler,
    HistoryEntry,
    HistoryListing,
    IncompleteHistoryError,
    InvalidRequestError,
    ListingRange,
    Middleware,
    OutcomeUnknownError,
    Payment,
    PaymentLink,
    PaymentListing,
    PaymentMethod,
    PaymentPage,
    PaymentStatus,
    PaymentWatch,
    PaywintClient,
    PaywintError,
    RateLimit,
    RateLimitedError,
    Redirect,
    Request,
    RequestTimeoutError,
    Response,
    ResponseDecodeError,
    RetryPolicy,
    SecretRef,
    SharedRateLimit,
    TransportError,
    UnprocessableRequestError,
    WaitTimeoutError,
    export_accounts,
    parse_redirect,
    tracing,
)
from paywint_async.emulator import Emulator
from paywint_async.webhooks import (
    MemoryReplayStore,
    ReplayStore,
    StandardWebhooks,
    Verifier,
    WebhookEvent,
    WebhookEventName,
    WebhookReceiver,
    asgi_app,
    parse_event,
)


async def log(request: Request, handler: Handler) -> Response:
    response = await handler(request)
    assert_type(request.method, str)
    assert_type(response.status, int)
    return response


middleware: Middleware = log
as_the_contract_says: Callable[
    [Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]
]
as_the_contract_says = middleware


def make_client(**options: Unpack[ClientOptions]) -> PaywintClient:
    return PaywintClient.from_env(**options)


async def opening() -> None:
    async with PaywintClient.from_env(max_concurrency=4) as client:
        assert_type(client, PaywintClient)
    PaywintClient.from_env(retires=3)  # type: ignore[call-arg]
    PaywintClient.from_env(retry=3)  # type: ignore[arg-type]
    assert_type(make_client(trust_env=False), PaywintClient)
    assert_type(PaywintClient.from_env(**tracing()), PaywintClient)
    configured = PaywintClient(
        "key",
        "secret",
        environment=Environment.PRODUCTION,
        base_url=None,
        max_concurrency=8,
        request_timeout=30.0,
        retry=RetryPolicy(max_attempts=4, base_delay=0.5, max_delay=30.0, max_elapsed=120.0),
        rate_limit=RateLimit(requests=10, per_seconds=1, burst=5),
        middlewares=[log],
    )
    assert_type(await configured.aclose(), None)
    shared = SharedRateLimit(
        RateLimit(50), "redis://127.0.0.1", key="shop", processes=4, timeout=0.5
    )
    assert_type(PaywintClient("key", "secret", rate_limit=shared), PaywintClient)


async def options_of_calls(client: PaywintClient) -> None:
    view = client.with_options(
        request_timeout=5, retry=RetryPolicy(), max_concurrency=2, headers={"X-A": "1"}
    )
    assert_type(view, PaywintClient)
    await view.request("POST", "/api/x", json={"amount": Decimal("1.10")}, repeatable=False)


async def what_came_back(client: PaywintClient) -> None:
    with client.answers(limit=10) as seen:
        await client.payments.page("sent", 1)
    assert_type(seen, Answers)
    assert_type(seen.dropped, int)
    for answer in seen:
        assert_type(answer, Answer)
        assert_type(answer.operation, str)
        assert_type(answer.status, int)
        assert_type(answer.headers, Mapping[str, str])
        assert_type(answer.request_id, str | None)
        assert_type(answer.attempts, int)


async def single_calls(client: PaywintClient) -> None:
    link = await client.payments.create_link(
        Decimal("150.75"), description="June", invoice_number="INV-12"
    )
    assert_type(link, PaymentLink)
    assert_type(link.payment_id, UUID)
    assert_type(link.payment_link, str)

    payment = await client.payments.get(link.payment_id)
    assert_type(payment, Payment)
    assert_type(await client.payments.get("d4211545-cfc9-4aa0-8fcc-e4c2639e8052"), Payment)
    assert_type(await client.payments.wait_until_final(payment.payment_id, timeout=60), Payment)
    watch = client.payments.watch(link.payment_id, timeout=60, poll=1.0)
    assert_type(watch, PaymentWatch)
    async for change in watch:
        assert_type(change, Payment)
    assert_type(client.payments.wake(link.payment_id), None)
    assert_type(client.payments.wake(link.payment_id, retry_payment_id=payment.payment_id), None)

    token = await client.payments.create_checkout_token(Decimal(20), email="a@example.com")
    assert_type(token, CheckoutToken)
    assert_type(token.checkout_token, str)
    assert_type(token.expires_at, datetime)

    page = await client.payments.page("sent", 1, rows_per_page=50)
    assert_type(page, PaymentPage)
    assert_type(await client.payments.page(Direction.RECEIVED, 2), PaymentPage)
    assert_type(page.total_records, int)
    assert_type(page.query_generated_time, float | None)
    assert_type(page.page_no, int)
    assert_type(page.rows_per_page, int)
    assert_type(page.records[0], Payment)


def fields(payment: Payment) -> None:
    assert_type(payment.payment_id, UUID)
    assert_type(payment.payer_id, UUID | None)
    assert_type(payment.payer_name, str | None)
    assert_type(payment.payee_id, UUID | None)
    assert_type(payment.payee_name, str | None)
    assert_type(payment.amount, Decimal)
    assert_type(payment.currency, str | None)
    assert_type(payment.description, str | None)
    assert_type(payment.payment_method, PaymentMethod | None)
    assert_type(payment.receiving_method, PaymentMethod | None)
    assert_type(payment.created_at, datetime)
    assert_type(payment.payment_date, datetime | None)
    assert_type(payment.status, PaymentStatus)
    assert_type(payment.status.is_final, bool)
    assert_type(payment.failure_reason, str | None)


async def listings(client: PaywintClient) -> None:
    received = client.payments.received(rows_per_page=100, max_concurrency=4, checkpoint=None)
    assert_type(received, PaymentListing)
    async for payment in received:
        assert_type(payment, Payment)
        assert_type(received.total, int | None)
    async for page in client.payments.sent().pages():
        assert_type(page, PaymentPage)
    assert_type(await client.payments.received().collect(limit=500), list[Payment])
    async with client.payments.received() as payments:
        async for payment in payments:
            assert_type(payment, Payment)
    assert_type(client.payments.received(oldest_first=True), PaymentListing)
    resumed = client.payments.received(checkpoint=received.checkpoint)
    assert_type(resumed, PaymentListing)
    for part in await client.payments.sent().split(4):
        assert_type(part, ListingRange)
        async for page in resumed.pages(part.limit):
            assert_type(page, PaymentPage)
        assert_type(part.check(resumed.checkpoint), None)

    async for entries in client.payments.history().pages():
        assert_type(entries, Sequence[HistoryEntry])
    async for entry in client.payments.history():
        assert_type(entry, HistoryEntry)
        assert_type(entry.direction, Direction)
        assert_type(entry.payment, Payment)
    history = client.payments.history(checkpoint=None, oldest_first=True)
    assert_type(history, HistoryListing)
    assert_type(history.total, int | None)
    assert_type(await history.collect(limit=10), list[HistoryEntry])


async def failures(client: PaywintClient) -> None:
    try:
        await client.payments.create_link(Decimal(5))
    except InvalidRequestError as error:
        assert_type(error.field, str)
    except RateLimitedError as error:
        assert_type(error.retry_after, float | None)
    except UnprocessableRequestError as error:
        assert_type(error.problems, dict[str, str])
    except APIError as error:
        assert_type(error.status, int)
        assert_type(error.message, str)
        assert_type(error.body, str)
    except ResponseDecodeError as error:
        assert_type(error.path, str)
    except OutcomeUnknownError as error:
        assert_type(error.started_at, datetime)
        assert_type(await client.payments.find_created(error), Payment | None)
    except IncompleteHistoryError as error:
        assert_type(error.missing, int | None)
    except WaitTimeoutError as error:
        assert_type(error.payment_id, UUID)
    timeouts: tuple[type[TimeoutError], ...] = (RequestTimeoutError, WaitTimeoutError)
    transport: type[TransportError] = RequestTimeoutError
    whole_tree: type[PaywintError] = transport
    print(timeouts, whole_tree)


async def many_accounts() -> None:
    account = Account(
        "acme",
        api_key=SecretRef.env("ACME_KEY"),
        api_secret=SecretRef.file("/run/secrets/acme"),
        environment="production",
        direction="both",
    )
    summary = await export_accounts(
        [account], "exports/{account}.jsonl", cluster=4, oldest_first=True
    )
    assert_type(summary, ExportSummary)
    for report in summary:
        assert_type(report, AccountReport)
        assert_type(report.payments, int)
        assert_type(report.error, PaywintError | None)


async def emulated() -> None:
    async with Emulator(payments=10_000, seed=1) as emulator:
        assert_type(emulator.url, str)
        assert_type(emulator.api_key, str)
        assert_type(emulator.api_secret, str)


async def told(client: PaywintClient, body: bytes) -> None:
    verifier: Verifier = StandardWebhooks("secret", "older secret")
    event = parse_event(body, {"webhook-id": "x"}, verifier=verifier)
    assert_type(event, WebhookEvent)
    assert_type(event.event, WebhookEventName)
    assert_type(event.id, str)
    assert_type(event.payment_id, UUID | None)
    assert_type(event.status, PaymentStatus | None)
    assert_type(event.amount_sent, str | None)
    assert_type(event.amount, Decimal | None)
    assert_type(event.data, Mapping[str, Any])
    assert_type(event.refund_transaction_id, str | None)
    assert_type(event.event_generated_time, datetime)
    assert_type(event.failed_reason, str | None)
    assert_type(event.retry_payment_id, UUID | None)
    assert_type(event.is_verified, bool)
    assert_type(await event.confirm(client), Payment)

    assert_type(StandardWebhooks("secret").sign(body, delivery_id="1", at=None), dict[str, str])
    redirect = parse_redirect("https://shop.example/?id=x")
    assert_type(redirect, Redirect)
    assert_type(redirect.payment_id, UUID | None)
    assert_type(redirect.status, PaymentStatus | None)
    assert_type(redirect.params, Mapping[str, str])
    assert_type(await redirect.confirm(client), Payment)

    async def on_event(event: WebhookEvent) -> None:
        print(event)

    store: ReplayStore = MemoryReplayStore(capacity=10)
    receiver = WebhookReceiver(on_event, verifier=lambda body, headers: True, store=store)
    WebhookReceiver(on_event, verifier=None, tolerance=None, amounts="cents")

    @receiver.on("payment.success", WebhookEventName.SETTLING)
    async def paid(event: WebhookEvent) -> int:
        return len(event.id)

    assert_type(await paid(event), int)
    assert_type(await receiver.handle("POST", [(b"a", b"b")], body), int)
    print(asgi_app(receiver))
