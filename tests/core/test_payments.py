"""The methods of `client.payments`, against the emulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from fault_server import GOOD, PAYMENT, PAYMENT_ID, SILENCE, FaultServer, answer

from paywint_async import (
    CheckoutToken,
    Direction,
    InvalidRequestError,
    NotFoundError,
    Payment,
    PaymentLink,
    PaymentStatus,
    PaywintClient,
    RequestTimeoutError,
    RetryPolicy,
    WaitTimeoutError,
)
from paywint_async.emulator import Emulator

Use = Callable[[PaywintClient], Awaitable[object]]


def now() -> float:
    return asyncio.get_running_loop().time()


def status(name: str):
    """An answer with one payment in this status."""
    payment = PAYMENT.replace(b'"success"', json.dumps(name).encode())
    return answer(body=b'{"success":true,"data":%s}' % payment, name=name)


class TestCreateLink:
    async def test_returns_the_id_and_the_link_of_a_new_payment(self, connect):
        async with Emulator() as emulator:
            link = await connect(emulator).payments.create_link(Decimal("150.75"))
        assert type(link) is PaymentLink
        assert link.payment_link == f"{emulator.url}/pay/{link.payment_id}"

    async def test_creates_a_pending_payment_of_exactly_that_amount(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(Decimal("1.10"), description="Zoë's June")
            payment = await client.payments.get(link.payment_id)
        assert (str(payment.amount), payment.description) == ("1.10", "Zoë's June")
        assert payment.status is PaymentStatus.PENDING

    async def test_puts_it_first_in_the_received_list(self, connect):
        async with Emulator(hostile=True, payments=10) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            page = await client.payments.page("received", 1)
        assert (page.records[0].payment_id, page.total_records) == (link.payment_id, 11)

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"amount": 1.5}, "amount"),
            ({"amount": 5, "description": "x" * 256}, "description"),
            ({"amount": 5, "invoice_number": "x" * 21}, "invoice_number"),
        ],
    )
    async def test_sends_nothing_that_would_be_refused(self, connect, arguments, field):
        async with Emulator() as emulator:
            with pytest.raises(InvalidRequestError) as caught:
                await connect(emulator).payments.create_link(**arguments)
        assert (caught.value.field, emulator.request_count) == (field, 0)

    async def test_has_keyword_only_options(self, connect):
        async with Emulator() as emulator:
            with pytest.raises(TypeError):
                await connect(emulator).payments.create_link(5, "June")


class TestCreateCheckoutToken:
    @pytest.mark.parametrize(
        "payer", [{"email": "a@example.com"}, {"phone": "5551234567", "phone_country_code": "+1"}]
    )
    async def test_returns_a_token_with_its_expiry(self, connect, payer):
        async with Emulator() as emulator:
            token = await connect(emulator).payments.create_checkout_token(20, **payer)
        assert type(token) is CheckoutToken
        assert (bool(token.checkout_token), token.expires_at.utcoffset().total_seconds()) == (
            True,
            0,
        )

    async def test_sends_nothing_that_would_be_refused(self, connect):
        async with Emulator() as emulator:
            with pytest.raises(InvalidRequestError):
                await connect(emulator).payments.create_checkout_token(20)
        assert emulator.request_count == 0


class TestGet:
    @pytest.mark.parametrize("form", [UUID, str, str.upper], ids=["UUID", "text", "upper case"])
    async def test_returns_the_payment_with_this_id(self, connect, form):
        async with Emulator(hostile=True, payments=5) as emulator:
            wanted = emulator.history("sent")[2]
            payment = await connect(emulator).payments.get(form(wanted))
        assert (type(payment), payment.payment_id) == (Payment, UUID(wanted))

    async def test_returns_the_same_payment_as_the_list(self, connect):
        async with Emulator(hostile=True, payments=100) as emulator:
            client = connect(emulator)
            listed = (await client.payments.page("received", 1)).records
            got = [await client.payments.get(payment.payment_id) for payment in listed[::10]]
        assert got == list(listed[::10])

    async def test_sends_nothing_for_an_invalid_id(self, connect):
        async with Emulator() as emulator:
            with pytest.raises(InvalidRequestError) as caught:
                await connect(emulator).payments.get("../../secret")
        assert (caught.value.field, emulator.request_count) == ("payment_id", 0)


class TestPage:
    @pytest.mark.parametrize("direction", [*Direction, "sent", "received"])
    async def test_returns_a_page_of_this_direction(self, connect, direction):
        async with Emulator(hostile=True, payments=25) as emulator:
            page = await connect(emulator).payments.page(direction, 2, rows_per_page=10)
        expected = emulator.history(str(direction))[10:20]
        assert [str(payment.payment_id) for payment in page.records] == expected
        assert (page.page_no, page.rows_per_page, page.total_records) == (2, 10, 25)

    async def test_has_a_hundred_rows_by_default(self, connect):
        async with Emulator(hostile=True, payments=150) as emulator:
            page = await connect(emulator).payments.page("sent", 1)
        assert (len(page.records), page.rows_per_page) == (100, 100)

    async def test_beyond_the_end_is_empty(self, connect):
        async with Emulator(hostile=True, payments=5) as emulator:
            page = await connect(emulator).payments.page("sent", 9)
        assert (page.records, page.total_records) == ((), 5)

    async def test_has_the_time_of_its_generation(self, connect):
        async with Emulator(hostile=True, payments=5) as emulator:
            page = await connect(emulator).payments.page("sent", 1)
        assert page.query_generated_time > 1_600_000_000

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            (("both", 1), "direction"),
            (("sent", 0), "page_no"),
            (("sent", 1.0), "page_no"),
            (("sent", 1, 25), "rows_per_page"),
        ],
    )
    async def test_sends_nothing_that_would_be_refused(self, connect, arguments, field):
        async with Emulator() as emulator:
            with pytest.raises(InvalidRequestError) as caught:
                await connect(emulator).payments.page(*arguments)
        assert (caught.value.field, emulator.request_count) == (field, 0)


@pytest.mark.parametrize("listing", ["sent", "received", "history"])
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"rows_per_page": 25}, "rows_per_page"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"max_concurrency": True}, "max_concurrency"),
    ],
)
async def test_a_listing_refuses_its_arguments_at_once(connect, listing, arguments, field):
    async with Emulator() as emulator:
        payments = connect(emulator).payments
        with pytest.raises(InvalidRequestError) as caught:
            getattr(payments, listing)(**arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(("given", "peak"), [(None, 3), (5, 5), (1, 1)])
async def test_the_concurrency_of_a_listing_overrides_the_clients(connect, given, peak):
    async with Emulator(hostile=True, payments=300, latency=0.05) as emulator:
        client = connect(emulator, max_concurrency=3)
        await client.payments.sent(rows_per_page=10, max_concurrency=given).collect()
    assert emulator.peak_in_flight == peak


class TestWaitUntilFinal:
    @pytest.mark.parametrize("final", ["success", "failed", "rejected", "expired", "retried"])
    async def test_returns_the_payment_once_it_is_final(self, connect, final):
        async with FaultServer(status("pending"), status("processing"), status(final)) as server:
            payment = await connect(server).payments.wait_until_final(PAYMENT_ID, timeout=60)
        assert (payment.status, len(server.requests)) == (final, 3)

    async def test_sends_one_request_if_it_is_already_final(self, connect):
        async with FaultServer(GOOD) as server:
            start = now()
            await connect(server).payments.wait_until_final(PAYMENT_ID, timeout=60)
        assert (len(server.requests), now() - start) == (1, pytest.approx(0, abs=0.1))

    async def test_continues_after_an_unknown_status(self, connect):
        async with FaultServer(status("invented later"), GOOD) as server:
            payment = await connect(server).payments.wait_until_final(PAYMENT_ID, timeout=60)
        assert payment.status is PaymentStatus.SUCCESS

    @pytest.mark.parametrize(
        ("poll", "after"), [(1.0, [1, 2.5, 4.75, 8.125]), (40, [40, 80, 120, 160])]
    )
    async def test_polls_at_growing_intervals(self, connect, poll, after):
        times = []

        async def note(request, handler):
            times.append(now())
            return await handler(request)

        async with FaultServer(*[status("pending")] * 4, GOOD) as server:
            client = connect(server, middlewares=[note])
            await client.payments.wait_until_final(PAYMENT_ID, timeout=600, poll=poll)
        assert [time - times[0] for time in times[1:]] == pytest.approx(after)

    async def test_polls_at_least_every_half_minute(self, connect):
        async with FaultServer(status("pending")) as server:
            with pytest.raises(WaitTimeoutError):
                await connect(server).payments.wait_until_final(PAYMENT_ID, timeout=3600)
        assert 120 <= len(server.requests) <= 130

    async def test_times_out_with_the_last_known_payment(self, connect):
        async with FaultServer(status("pending"), status("processing")) as server:
            start = now()
            with pytest.raises(WaitTimeoutError) as caught:
                await connect(server).payments.wait_until_final(PAYMENT_ID, timeout=10)
        assert now() - start == pytest.approx(10, abs=0.1)
        assert caught.value.payment.status is PaymentStatus.PROCESSING
        assert caught.value.payment_id == UUID(PAYMENT_ID)
        assert str(caught.value) == (
            f"payment {PAYMENT_ID} was not final within 10 s (last seen processing)"
        )

    async def test_times_out_even_if_no_answer_arrives(self, connect):
        async with FaultServer(SILENCE) as server:
            start = now()
            with pytest.raises(WaitTimeoutError, match="never seen") as caught:
                await connect(server).payments.wait_until_final(PAYMENT_ID, timeout=10)
        assert (now() - start, caught.value.payment) == (pytest.approx(10, abs=0.1), None)

    async def test_reports_a_request_timeout_as_such(self, connect):
        async with FaultServer(SILENCE) as server:
            client = connect(server, request_timeout=5, retry=RetryPolicy(max_attempts=1))
            with pytest.raises(RequestTimeoutError):
                await client.payments.wait_until_final(PAYMENT_ID, timeout=60)

    async def test_of_an_unknown_payment_is_not_found(self, connect):
        async with Emulator() as emulator:
            with pytest.raises(NotFoundError):
                await connect(emulator).payments.wait_until_final(uuid4(), timeout=10)

    async def test_can_be_cancelled(self, connect):
        async with FaultServer(status("pending")) as server:
            client = connect(server)
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(3):
                    await client.payments.wait_until_final(PAYMENT_ID, timeout=60)
        assert type(caught.value) is TimeoutError

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"payment_id": "x"}, "payment_id"),
            ({"timeout": 0}, "timeout"),
            ({"timeout": float("inf")}, "timeout"),
            ({"timeout": None}, "timeout"),
            ({"poll": 0}, "poll"),
            ({"poll": "1"}, "poll"),
        ],
    )
    async def test_refuses_its_arguments_before_it_sends(self, connect, arguments, field):
        async with FaultServer() as server:
            wanted = {"payment_id": PAYMENT_ID, "timeout": 10, **arguments}
            with pytest.raises(InvalidRequestError) as caught:
                await connect(server).payments.wait_until_final(**wanted)
        assert (caught.value.field, server.requests) == (field, [])
