"""Thousands of waits on one client share their looks at payments, few of which are in flight.

PAYWINT_WAITS sets how many wait over HTTP (nox session `tracking`: 5,000).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from contextvars import ContextVar
from uuid import UUID, uuid4

import pytest
from fault_server import PAYMENT_ID, Fault, FaultServer, answer
from payment_waits import (
    Remembered,
    check_that_nothing_is_left,
    final,
    looks,
    looks_under_way,
    now,
    status,
    wait,
)
from virtual_time import pass_time

from paywint_async import InvalidRequestError
from paywint_async._tracking import Tracker
from paywint_async.emulator import Emulator

WAITS = int(os.environ.get("PAYWINT_WAITS", "40"))
PAID_AFTER = [(20, "opened"), (30, "processing"), (60, "success")]


class TestSharing:
    async def test_all_waiters_of_a_payment_share_its_looks(self, connect):
        async def count(waits: int) -> int:
            async with Emulator(timetable=PAID_AFTER) as emulator:
                client = connect(emulator)
                link = await client.payments.create_link(5)
                tasks = [wait(client, link.payment_id) for _ in range(waits)]
                payments = await asyncio.gather(*tasks)
                assert {payment.status for payment in payments} == {"success"}
                return len(looks(emulator))

        assert await count(500) == await count(1)

    async def test_later_waiters_share_the_looks(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            tasks = []
            for _ in range(100):
                tasks.append(wait(client, link.payment_id))
                await pass_time(0.1)
            assert 8 <= len(looks(emulator)) <= 11  # one a second, which is the `poll` of each
            await emulator.pay(link.payment_id)
            assert len({payment.status for payment in await asyncio.gather(*tasks)}) == 1

    async def test_the_shortest_poll_decides(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            patient = wait(client, link.payment_id, poll=1000)
            await pass_time(500)
            hasty = wait(client, link.payment_id, poll=2)
            await pass_time(1)
            await emulator.pay(link.payment_id)
            await pass_time(1.5)
            assert (patient.done(), hasty.done()) == (True, True)

    async def test_a_short_wait_looks_before_its_timeout(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            patient = wait(client, link.payment_id, poll=1000)
            await pass_time(20)
            await emulator.pay(link.payment_id)
            payment = await wait(client, link.payment_id, poll=1000, timeout=4)
            assert (payment, payment.status) == (await patient, "success")

    async def test_a_later_waiter_gets_no_stale_payment(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            patient = wait(client, link.payment_id, poll=1000)
            await pass_time(500)
            await emulator.pay(link.payment_id)
            assert (await anext(client.payments.watch(link.payment_id))).status == "success"
            assert (await patient).status == "success"

    async def test_each_payment_is_reported_to_its_waiters(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            links = [await client.payments.create_link(5) for _ in range(20)]
            tasks = [wait(client, link.payment_id) for link in links for _ in range(3)]
            for link in links[::2]:
                await emulator.pay(link.payment_id)
            await pass_time(60)
            told = [task.result().payment_id for task in tasks if task.done()]
            assert Counter(told) == {link.payment_id: 3 for link in links[::2]}

    async def test_a_look_runs_in_the_context_of_the_longest_waiter(self, connect):
        who: ContextVar[str] = ContextVar("who")
        seen = []

        async def note(request, handler):
            seen.append(who.get())
            return await handler(request)

        async def wait_as(name: str):
            who.set(name)
            return await client.payments.wait_until_final(PAYMENT_ID, timeout=600)

        async with FaultServer(status("pending")) as server:
            client = connect(server, middlewares=[note])
            first = asyncio.create_task(wait_as("first"))
            await pass_time(3)
            second = asyncio.create_task(wait_as("second"))
            await pass_time(3)
            first.cancel()
            await pass_time(10)
            who.set("webhook")
            client.payments.wake(PAYMENT_ID)
            await pass_time(1)
            second.cancel()
        assert list(dict.fromkeys(seen)) == ["first", "second"]


@pytest.mark.slow
class TestManyWaits:
    async def test_the_number_of_looks_in_flight_is_bounded_over_http(self, connect):
        async with Emulator(latency=0.01, timetable=PAID_AFTER) as emulator:
            client = connect(emulator, max_concurrency=4)
            links = [await client.payments.create_link(5) for _ in range(WAITS)]
            before = emulator.request_count
            tasks = [wait(client, link.payment_id) for link in links]
            await pass_time(0.1)
            started = len(looks_under_way())
            payments = await asyncio.gather(*tasks)
            asked = (emulator.request_count - before) / WAITS
        assert {payment.status for payment in payments} == {"success"}
        assert emulator.peak_in_flight == 4
        assert started == 4
        assert asked <= 10
        check_that_nothing_is_left(client)

    async def test_the_looks_of_five_thousand_waits_are_spread_out(self, monkeypatch):
        monkeypatch.setattr("virtual_time.GRACE_SECONDS", 0)  # there are no sockets to wait for
        api = Remembered(seconds=0.02)
        tracker = Tracker(api, max_in_flight=50)
        watches = [tracker.watch(uuid4(), 3600, 30.0) for _ in range(5000)]
        tasks = [asyncio.ensure_future(final(watch)) for watch in watches]
        await pass_time(0)
        assert len(looks_under_way()) == 50
        await pass_time(100)
        api.final_at = now()
        await asyncio.gather(*tasks)
        a_second = Counter(int(when) for when, _ in api.asked if when > now() - 45)
        assert api.peak == 50
        # 5,000 looks in 30 to 37.5 s are 150 a second; all at once they would be 2,500.
        assert max(a_second.values()) < 400

    async def test_the_spread_is_the_same_each_time(self):
        async def times() -> list[float]:
            api = Remembered(seconds=0)
            tracker = Tracker(api, max_in_flight=5)
            tasks = [
                asyncio.ensure_future(final(tracker.watch(UUID(int=n * 9973), 60, 1.0)))
                for n in range(50)
            ]
            started = now()
            await asyncio.gather(*tasks, return_exceptions=True)
            return [round(when - started, 6) for when, _ in api.asked]

        assert await times() == await times()

    async def test_the_first_look_of_a_new_wait_precedes_repeated_looks(self):
        api = Remembered(seconds=1)
        tracker = Tracker(api, max_in_flight=1)
        old = [asyncio.ensure_future(final(tracker.watch(uuid4(), 3600, 1.0))) for _ in range(50)]
        await pass_time(75.5)
        api.final_at = now()
        await final(tracker.watch(new := uuid4(), 60, 1.0))
        assert [payment_id for _, payment_id in api.asked].index(str(new)) == 76
        await tracker.aclose()
        await asyncio.gather(*old, return_exceptions=True)

    async def test_a_cooldown_is_respected(self, connect):
        refused = answer(429, headers="Retry-After: 100\r\n")
        async with FaultServer(refused, status("success")) as server:
            client = connect(server)
            started = now()
            await asyncio.gather(
                *(wait(client, uuid4()) for _ in range(5)), wait(client, PAYMENT_ID)
            )
            assert now() - started >= 100


class TestWake:
    async def test_causes_a_look_at_once(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            tasks = [wait(client, link.payment_id, poll=1000) for _ in range(3)]
            await pass_time(5)
            await emulator.pay(link.payment_id)
            client.payments.wake(link.payment_id)
            started = now()
            payments = await asyncio.gather(*tasks)
            assert {payment.status for payment in payments} == {"success"}
            assert now() - started < 0.1
            assert len(looks(emulator)) == 2

    async def test_precedes_all_looks_that_are_due(self, connect):
        async with Emulator(latency=1.0) as emulator:
            client = connect(emulator, max_concurrency=1)
            links = [await client.payments.create_link(5) for _ in range(10)]
            tasks = [wait(client, link.payment_id) for link in links]
            await pass_time(0.5)
            await emulator.pay(links[-1].payment_id)
            client.payments.wake(str(links[-1].payment_id))
            await pass_time(2)
            assert [task.done() for task in tasks] == [False] * 9 + [True]
            await client.aclose()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def test_during_a_look_causes_another_one(self, connect):
        async def pending_after_5_s(wire):
            await pass_time(5)
            await status("pending").play(wire)

        pending = Fault("pending, late", pending_after_5_s)
        async with FaultServer(pending, status("success")) as server:
            client = connect(server)
            task = wait(client, PAYMENT_ID, poll=1000)
            await pass_time(1)
            for _ in range(10):  # like duplicate webhooks
                client.payments.wake(UUID(PAYMENT_ID))
            started = now()
            assert (await task).status == "success"
            assert (now() - started, len(server.requests)) == (pytest.approx(4, abs=0.2), 2)

    async def test_resets_the_intervals(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            task = wait(client, link.payment_id)
            await pass_time(100)
            # A webhook may arrive before the API shows the change.
            client.payments.wake(link.payment_id)
            await pass_time(0.5)
            await emulator.pay(link.payment_id)
            await pass_time(0.6)
            assert task.done()

    async def test_of_a_payment_without_waiters_sends_nothing(self, connect):
        async with Emulator(hostile=True, payments=5) as emulator:
            client = connect(emulator)
            client.payments.wake(emulator.history("sent")[0])
            client.payments.wake(uuid4(), retry_payment_id=None)
            await pass_time(60)
            assert emulator.request_count == 0

    async def test_may_come_from_another_thread(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            task = wait(client, link.payment_id, poll=1000)
            await pass_time(5)
            await emulator.pay(link.payment_id)
            thread = threading.Thread(target=client.payments.wake, args=(link.payment_id,))
            thread.start()
            thread.join(10)
            await pass_time(0.5)
            assert task.done()

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"payment_id": "../secret"}, "payment_id"),
            ({"payment_id": PAYMENT_ID, "retry_payment_id": 5}, "retry_payment_id"),
        ],
    )
    async def test_refuses_an_invalid_id(self, connect, arguments, field):
        async with Emulator() as emulator:
            with pytest.raises(InvalidRequestError) as caught:
                connect(emulator).payments.wake(**arguments)
        assert caught.value.field == field
