"""One payment watched: each state as it is seen, over its retry where that is known, to the end."""

from __future__ import annotations

import asyncio
import json
import pickle
from contextlib import aclosing
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from faults import PAYMENT, PAYMENT_ID, FaultServer, answer
from virtual_time import pass_time
from waits import check_that_nothing_is_left, now, status

from paywint_async import (
    ClientClosedError,
    InvalidRequestError,
    NotFoundError,
    Payment,
    PaymentWatch,
    PermissionDeniedError,
    ServerError,
    WaitTimeoutError,
)
from paywint_async.emulator import Emulator
from paywint_async.tracking.tracker import KNOWN_RETRIES

LIFE = [(10, "opened"), (20, "processing"), (30, "success")]


async def states(watch: PaymentWatch) -> list[tuple[str, str]]:
    return [(str(payment.payment_id), str(payment.status)) async for payment in watch]


class TestChanges:
    async def test_are_seen_from_the_present_one_to_the_final_one(self, connect):
        async with Emulator(timetable=LIFE) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            seen = [payment async for payment in client.payments.watch(link.payment_id)]
        assert [type(payment) for payment in seen] == [Payment] * 4
        assert [str(payment.status) for payment in seen] == [
            "pending",
            "opened",
            "processing",
            "success",
        ]

    async def test_are_told_once_each_however_often_it_looks(self, connect):
        script = [status("pending")] * 3 + [status("opened")] * 3 + [status("success")]
        async with FaultServer(*script) as server:
            seen = await states(connect(server).payments.watch(PAYMENT_ID))
        assert [state for _, state in seen] == ["pending", "opened", "success"]
        assert len(server.requests) == 7

    async def test_of_what_is_final_already_are_one(self, connect):
        async with FaultServer(status("expired")) as server:
            seen = await states(connect(server).payments.watch(PAYMENT_ID))
        assert (seen, len(server.requests)) == ([(PAYMENT_ID, "expired")], 1)

    async def test_reach_all_who_watch(self, connect):
        async with Emulator(timetable=LIFE) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            watches = [client.payments.watch(link.payment_id) for _ in range(20)]
            seen = await asyncio.gather(*map(states, watches))
        assert [len(each) for each in seen] == [4] * 20
        assert len([e for e in emulator.requests if e.operation == "get"]) < 15

    async def test_while_its_reader_is_busy_are_seen_as_one_and_nothing_is_asked(self, connect):
        async with Emulator(timetable=LIFE) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            seen = []
            async for payment in client.payments.watch(link.payment_id):
                seen.append(str(payment.status))
                before = emulator.request_count
                await pass_time(25)
                assert emulator.request_count == before
        assert seen == ["pending", "processing", "success"]

    async def test_come_at_once_when_the_payment_is_woken(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            watch = client.payments.watch(link.payment_id, poll=1000)
            await anext(watch)
            await emulator.open(link.payment_id)
            client.payments.wake(link.payment_id)  # its reader was busy just then
            started = now()
            assert (await anext(watch)).status == "opened"
            assert now() - started < 0.1

    async def test_stop_after_the_end_for_good(self, connect):
        async with FaultServer(status("success"), status("failed")) as server:
            watch = connect(server).payments.watch(PAYMENT_ID)
            first = await states(watch)
            assert (len(first), await states(watch)) == (1, [])

    async def test_end_with_an_error(self, connect):
        async with FaultServer(status("pending"), answer(500)) as server:
            watch = connect(server).payments.watch(PAYMENT_ID, timeout=600)
            await anext(watch)
            with pytest.raises(ServerError):
                await anext(watch)
            assert await states(watch) == []

    async def test_end_in_time(self, connect):
        async with Emulator(timetable=[(5, "opened")]) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            started = now()
            with pytest.raises(WaitTimeoutError) as caught:
                await states(client.payments.watch(link.payment_id, timeout=100))
        assert now() - started == pytest.approx(100, abs=0.1)
        twin = pickle.loads(pickle.dumps(caught.value))
        assert (twin.payment_id, twin.payment.status) == (link.payment_id, "opened")

    async def test_need_no_timeout(self, connect):
        async with Emulator(expire_after=3600) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            seen = await states(client.payments.watch(str(link.payment_id), poll=600))
        assert [state for _, state in seen] == ["pending", "expired"]

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"payment_id": "x"}, "payment_id"),
            ({"timeout": 0}, "timeout"),
            ({"timeout": float("nan")}, "timeout"),
            ({"poll": float("inf")}, "poll"),
            ({"poll": None}, "poll"),
        ],
    )
    async def test_refuses_its_arguments_at_once(self, connect, arguments, field):
        async with FaultServer() as server:
            with pytest.raises(InvalidRequestError) as caught:
                connect(server).payments.watch(**{"payment_id": PAYMENT_ID, **arguments})
        assert (caught.value.field, server.requests) == (field, [])


class TestLeaving:
    @pytest.fixture
    async def emulator(self):
        async with Emulator(latency=1.0) as emulator:
            yield emulator

    async def test_by_break_leaves_nothing_running(self, connect, emulator):
        client = connect(emulator)
        link = await client.payments.create_link(5)
        async for _ in client.payments.watch(link.payment_id):
            break
        check_that_nothing_is_left(client)
        before = emulator.request_count
        await pass_time(100)
        assert emulator.request_count == before

    async def test_by_an_exception_leaves_nothing_running(self, connect, emulator):
        client = connect(emulator)
        link = await client.payments.create_link(5)
        with pytest.raises(LookupError):
            async for _ in client.payments.watch(link.payment_id):
                raise LookupError
        check_that_nothing_is_left(client)

    async def test_by_aclose_leaves_nothing_running(self, connect, emulator):
        client = connect(emulator)
        link = await client.payments.create_link(5)
        async with aclosing(client.payments.watch(link.payment_id)) as watch:
            await anext(watch)
        check_that_nothing_is_left(client)
        assert await states(watch) == []

    async def test_by_the_end_of_a_block_ends_a_reader_in_another_task(self, connect, emulator):
        client = connect(emulator)
        link = await client.payments.create_link(5)
        async with client.payments.watch(link.payment_id) as watch:
            reader = asyncio.create_task(states(watch))
            await pass_time(2.5)
        with pytest.raises(ClientClosedError, match="this watch was closed"):
            await reader
        check_that_nothing_is_left(client)

    @pytest.mark.parametrize("after", [0.5, 1.5, 2.5])
    async def test_by_cancellation_leaves_nothing_running(self, connect, emulator, after):
        client = connect(emulator)
        link = await client.payments.create_link(5)
        reader = asyncio.create_task(states(client.payments.watch(link.payment_id)))
        await pass_time(after)
        reader.cancel()
        await asyncio.wait([reader])
        check_that_nothing_is_left(client)
        await pass_time(0.1)
        assert emulator.in_flight == 0

    async def test_by_forgetting_it_half_way_leaves_nothing_running(self, connect, emulator):
        client = connect(emulator)
        link = await client.payments.create_link(5)
        watch = client.payments.watch(link.payment_id)
        await anext(watch)
        del watch
        check_that_nothing_is_left(client)


class TestRetries:
    @staticmethod
    async def retried(client, emulator) -> tuple[UUID, UUID]:
        """A payment that was retried, and the retry."""
        link = await client.payments.create_link(Decimal("5.50"), description="coffee")
        await emulator.fail(link.payment_id)
        return link.payment_id, UUID(await emulator.retry(link.payment_id))

    async def test_that_nobody_told_of_end_with_retried_at_once(self, connect):
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
            waiting = asyncio.ensure_future(client.payments.wait_until_final(old, timeout=60))
            await pass_time(3)
            assert not waiting.done()
            await emulator.pay(new)
            payment = await waiting
        assert (payment.payment_id, payment.status) == (new, "success")

    async def test_are_seen_in_a_watch(self, connect):
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

    async def test_that_are_told_of_later_are_waited_for_where_webhooks_are_heard(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, new = await self.retried(client, emulator)
            client.payments.wake(old)  # the webhook of its failing; that of the retry follows
            waiting = asyncio.ensure_future(client.payments.wait_until_final(old, timeout=60))
            await pass_time(5)
            assert not waiting.done()
            before = emulator.request_count
            client.payments.wake(old)  # a duplicate
            await pass_time(3)
            assert emulator.request_count == before  # it is final: nothing to look for
            await emulator.pay(new)
            client.payments.wake(old, retry_payment_id=new)
            assert (await waiting).payment_id == new

    async def test_that_are_never_told_of_are_waited_for_ten_seconds(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, _ = await self.retried(client, emulator)
            client.payments.wake(old)
            started = now()
            payment = await client.payments.wait_until_final(old, timeout=60)
        assert (payment.status, now() - started) == ("retried", pytest.approx(10, abs=0.1))

    async def test_are_waited_for_no_longer_once_the_client_is_closed(self, connect):
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

    async def test_that_are_not_told_of_in_time_end_with_retried(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            old, _ = await self.retried(client, emulator)
            client.payments.wake(old)
            started = now()
            payment = await client.payments.wait_until_final(old, timeout=4)
        assert (payment.status, now() - started) == ("retried", pytest.approx(4, abs=0.1))

    async def test_whose_end_is_not_seen_in_time_are_a_timeout(self, connect):
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
    async def test_that_cannot_be_are_not_followed(self, connect, caplog, wrong):
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
        def payment(number: int, **fields: str):
            facts = {**json.loads(PAYMENT), "payment_id": str(UUID(int=number)), **fields}
            return answer(body=json.dumps({"success": True, "data": facts}).encode())

        me, you = str(UUID(int=7)), str(UUID(int=8))
        for fields in ({"payee_id": you}, {"payee_id": me, "currency": "EUR"}):
            old = payment(1, status="retried", payee_id=me)
            async with FaultServer(old, payment(2, **fields)) as server:
                client = connect(server)
                client.payments.wake(UUID(int=1), retry_payment_id=UUID(int=2))
                told = await client.payments.wait_until_final(UUID(int=1), timeout=60)
            assert (told.payment_id, len(server.requests)) == (UUID(int=1), 2)

    async def test_that_go_in_a_circle_end(self, connect):
        def payment(number: int):
            facts = {**json.loads(PAYMENT), "payment_id": str(UUID(int=number))}
            body = {"success": True, "data": {**facts, "status": "retried"}}
            return answer(body=json.dumps(body).encode())

        async with FaultServer(payment(1), payment(2)) as server:
            client = connect(server)
            client.payments.wake(UUID(int=1), retry_payment_id=UUID(int=2))
            client.payments.wake(UUID(int=2), retry_payment_id=UUID(int=1))
            seen = await states(client.payments.watch(UUID(int=1)))
        assert [name for name, _ in seen] == [str(UUID(int=1)), str(UUID(int=2))]

    async def test_that_cannot_be_looked_at_are_an_error(self, connect):
        body = PAYMENT.replace(b'"success"', b'"retried"')
        old = answer(body=b'{"success":true,"data":%s}' % body)
        async with FaultServer(old, answer(403)) as server:
            client = connect(server)
            client.payments.wake(PAYMENT_ID, retry_payment_id=uuid4())
            watch = client.payments.watch(PAYMENT_ID)
            assert (await anext(watch)).status == "retried"
            with pytest.raises(PermissionDeniedError):
                await anext(watch)
            assert await states(watch) == []

    async def test_are_remembered_so_many(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            for number in range(KNOWN_RETRIES + 5):
                client.payments.wake(UUID(int=number), retry_payment_id=UUID(int=number + 1))
            client.payments.wake(UUID(int=10), retry_payment_id=UUID(int=99))
            for number in range(10):  # told anew, it is one of the latest
                client.payments.wake(UUID(int=-1 - number + 2**128), retry_payment_id=uuid4())
            known = client._tracker._retries
        assert (len(known), UUID(int=4) in known, known[UUID(int=10)]) == (
            KNOWN_RETRIES,
            False,
            UUID(int=99),
        )

    async def test_are_followed_over_real_webhooks(self, connect):
        """As an application wires it: the receiver wakes, the wait comes back at once."""

        async def receive(request: web.Request) -> web.Response:
            data = (await request.json())["data"]
            client.payments.wake(data["payment_id"], retry_payment_id=data.get("retry_payment_id"))
            return web.Response()

        app = web.Application()
        app.router.add_post("/webhooks", receive)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with Emulator(webhook_url=f"http://{host}:{port}/webhooks") as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            waiting = asyncio.ensure_future(
                client.payments.wait_until_final(link.payment_id, timeout=3600, poll=1000)
            )
            await pass_time(1)
            started = now()
            await emulator.fail(link.payment_id)
            new = await emulator.retry(link.payment_id)
            await emulator.pay(new)
            payment = await waiting
            assert (str(payment.payment_id), payment.status) == (new, "success")
            assert now() - started < 1
        await runner.cleanup()


async def test_an_unknown_payment_is_not_found(connect):
    async with Emulator() as emulator:
        with pytest.raises(NotFoundError):
            await states(connect(emulator).payments.watch(uuid4()))
