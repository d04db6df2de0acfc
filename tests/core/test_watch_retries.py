"""A retried payment: followed to the new payment if that is known, which is never guessed."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from fault_server import PAYMENT, PAYMENT_ID, Fault, FaultServer, answer
from payment_waits import now, states, status, wait
from virtual_time import pass_time
from web_servers import serve_aiohttp

from paywint_async import ClientClosedError, PermissionDeniedError, WaitTimeoutError
from paywint_async._tracking.wakes import KNOWN_RETRIES
from paywint_async.emulator import Emulator
from paywint_async.webhooks import (
    StandardWebhooks,
    WebhookEvent,
    WebhookReceiver,
    aiohttp_handler,
)


def payment(number: int, **fields: str) -> Fault:
    """The server's answer with the payment of this number."""
    facts = {**json.loads(PAYMENT), "payment_id": str(UUID(int=number)), **fields}
    return answer(body=json.dumps({"success": True, "data": facts}).encode())


class TestRetries:
    @staticmethod
    async def retried(client, emulator) -> tuple[UUID, UUID]:
        """A payment that was retried, and the retry."""
        link = await client.payments.create_link(Decimal("5.50"), description="coffee")
        await emulator.fail(link.payment_id)
        return link.payment_id, UUID(await emulator.retry(link.payment_id))

    async def test_that_are_unknown_end_with_retried_at_once(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, _ = await self.retried(client, emulator)
            started = now()
            payment = await client.payments.wait_until_final(old, timeout=60)
        assert (payment.payment_id, payment.status) == (old, "retried")
        assert now() - started < 0.1

    async def test_that_are_known_are_followed_to_the_end(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, new = await self.retried(client, emulator)
            client.payments.wake(old, retry_payment_id=str(new))
            waiting = wait(client, old)
            await pass_time(3)
            assert not waiting.done()
            await emulator.pay(new)
            payment = await waiting
        assert (payment.payment_id, payment.status) == (new, "success")

    async def test_are_followed_by_a_watch(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, new = await self.retried(client, emulator)
            client.payments.wake(old, retry_payment_id=new)
            await emulator.fail(new)
            newest = UUID(await emulator.retry(new))
            client.payments.wake(new, retry_payment_id=newest)
            await emulator.pay(newest)
            seen = await states(client.payments.watch(old))
        assert seen == [(str(old), "retried"), (str(new), "retried"), (str(newest), "success")]

    async def test_that_are_reported_later_are_waited_for_if_webhooks_arrive(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, new = await self.retried(client, emulator)
            client.payments.wake(old)  # the webhook of the failure; that of the retry follows
            waiting = wait(client, old)
            await pass_time(5)
            assert not waiting.done()
            before = emulator.request_count
            client.payments.wake(old)  # a duplicate
            await pass_time(3)
            assert emulator.request_count == before  # it is final, so there is nothing to look for
            await emulator.pay(new)
            client.payments.wake(old, retry_payment_id=new)
            assert (await waiting).payment_id == new

    async def test_that_are_never_reported_are_waited_for_ten_seconds(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, _ = await self.retried(client, emulator)
            client.payments.wake(old)
            started = now()
            payment = await client.payments.wait_until_final(old, timeout=60)
        assert (payment.status, now() - started) == ("retried", pytest.approx(10, abs=0.1))

    async def test_are_no_longer_waited_for_once_the_client_is_closed(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, _ = await self.retried(client, emulator)
            client.payments.wake(old)
            watch = client.payments.watch(old)
            await anext(watch)
            await client.aclose()
            started = now()
            with pytest.raises(ClientClosedError):
                await anext(watch)
        assert now() == started

    async def test_that_are_not_reported_before_the_timeout_end_with_retried(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, _ = await self.retried(client, emulator)
            client.payments.wake(old)
            started = now()
            payment = await client.payments.wait_until_final(old, timeout=4)
        assert (payment.status, now() - started) == ("retried", pytest.approx(4, abs=0.1))

    async def test_that_are_not_final_in_time_are_a_timeout(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, new = await self.retried(client, emulator)
            client.payments.wake(old, retry_payment_id=new)
            with pytest.raises(WaitTimeoutError) as caught:
                await client.payments.wait_until_final(old, timeout=4)
        assert caught.value.payment_id == old
        assert (caught.value.payment.payment_id, caught.value.payment.status) == (new, "pending")

    async def test_are_not_followed_before_the_api_says_retried(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            other = await client.payments.create_link(5)
            await emulator.pay(other.payment_id)
            client.payments.wake(link.payment_id, retry_payment_id=other.payment_id)  # a forgery
            with pytest.raises(WaitTimeoutError):
                await client.payments.wait_until_final(link.payment_id, timeout=60)

    @pytest.mark.parametrize("wrong", ["amount", "time", "unknown", "itself"])
    async def test_that_are_impossible_are_not_followed(self, connect, caplog, wrong):
        async with Emulator() as emulator:
            client = connect(emulator)
            earlier = await client.payments.create_link(Decimal("5.50"), description="coffee")
            old, _ = await self.retried(client, emulator)
            other = await client.payments.create_link(Decimal("5.51"))
            said = {
                "amount": other.payment_id,
                "time": earlier.payment_id,
                "unknown": uuid4(),
                "itself": old,
            }[wrong]
            client.payments.wake(old, retry_payment_id=said)
            payment = await client.payments.wait_until_final(old, timeout=60)
        assert (payment.payment_id, payment.status) == (old, "retried")
        assert caplog.text.count(f"payment {said}, said to be the retry of {old}") == (
            wrong != "itself"
        )

    async def test_of_another_payee_or_currency_are_not_followed(self, connect, caplog):
        me, you = str(UUID(int=7)), str(UUID(int=8))
        for fields in ({"payee_id": you}, {"payee_id": me, "currency": "EUR"}):
            old = payment(1, status="retried", payee_id=me)
            async with FaultServer(old, payment(2, **fields)) as server:
                client = connect(server)
                client.payments.wake(UUID(int=1), retry_payment_id=UUID(int=2))
                told = await client.payments.wait_until_final(UUID(int=1), timeout=60)
            assert (told.payment_id, len(server.requests)) == (UUID(int=1), 2)

    async def test_in_a_circle_end(self, connect):
        script = [payment(number, status="retried") for number in (1, 2)]
        async with FaultServer(*script) as server:
            client = connect(server)
            client.payments.wake(UUID(int=1), retry_payment_id=UUID(int=2))
            client.payments.wake(UUID(int=2), retry_payment_id=UUID(int=1))
            seen = await states(client.payments.watch(UUID(int=1)))
        assert [name for name, _ in seen] == [str(UUID(int=1)), str(UUID(int=2))]

    async def test_that_cannot_be_read_are_an_error(self, connect):
        async with FaultServer(status("retried"), answer(403)) as server:
            client = connect(server)
            client.payments.wake(PAYMENT_ID, retry_payment_id=uuid4())
            watch = client.payments.watch(PAYMENT_ID)
            assert (await anext(watch)).status == "retried"
            for _ in range(2):  # the watch is incomplete, so the error is raised again
                with pytest.raises(PermissionDeniedError):
                    await anext(watch)

    async def test_are_kept_up_to_a_limit(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            for number in range(KNOWN_RETRIES + 5):
                client.payments.wake(UUID(int=number), retry_payment_id=UUID(int=number + 1))
            client.payments.wake(UUID(int=10), retry_payment_id=UUID(int=99))
            for number in range(10):  # reported again, number 10 is one of the latest
                client.payments.wake(UUID(int=-1 - number + 2**128), retry_payment_id=uuid4())
            known = client._tracker.wakes._retries
        assert (len(known), UUID(int=4) in known, known[UUID(int=10)]) == (
            KNOWN_RETRIES,
            False,
            UUID(int=99),
        )

    async def test_are_followed_over_real_webhooks(self, connect):
        """Set up like an application: a webhook wakes the client, and the wait returns at once."""

        async def on_event(event: WebhookEvent) -> None:
            heard.append(event.event)

        heard: list[str] = []
        secret = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
        async with Emulator(webhook_secret=secret) as emulator, AsyncExitStack() as running:
            client = connect(emulator)
            receiver = WebhookReceiver(
                on_event, verifier=StandardWebhooks(emulator.webhook_secret), client=client
            )
            app = web.Application()
            app.router.add_post("/webhooks", aiohttp_handler(receiver))
            emulator.webhook_url = (
                f"{await running.enter_async_context(serve_aiohttp(app))}/webhooks"
            )
            link = await client.payments.create_link(5)
            waiting = wait(client, link.payment_id, poll=1000)
            await pass_time(1)
            started = now()
            await emulator.fail(link.payment_id)
            new = await emulator.retry(link.payment_id)
            await emulator.pay(new)
            payment = await waiting
            assert (str(payment.payment_id), payment.status) == (new, "success")
            assert now() - started < 1
            await emulator.delivered()
        assert "payment.retried" in heard
