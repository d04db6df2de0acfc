"""A watch of one payment: each state as it is seen, until the final one."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import aclosing
from uuid import uuid4

import pytest
from fault_server import PAYMENT_ID, FaultServer, answer
from payment_waits import check_that_nothing_is_left, now, states, status
from virtual_time import pass_time

from paywint_async import (
    ClientClosedError,
    InvalidRequestError,
    NotFoundError,
    Payment,
    ServerError,
    WaitTimeoutError,
)
from paywint_async.emulator import Emulator

LIFE = [(10, "opened"), (20, "processing"), (30, "success")]


class TestChanges:
    async def test_are_reported_from_the_current_state_to_the_final_one(self, connect):
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

    async def test_are_each_reported_once(self, connect):
        script = [status("pending")] * 3 + [status("opened")] * 3 + [status("success")]
        async with FaultServer(*script) as server:
            seen = await states(connect(server).payments.watch(PAYMENT_ID))
        assert [state for _, state in seen] == ["pending", "opened", "success"]
        assert len(server.requests) == 7

    async def test_of_a_final_payment_are_one_state(self, connect):
        async with FaultServer(status("expired")) as server:
            seen = await states(connect(server).payments.watch(PAYMENT_ID))
        assert (seen, len(server.requests)) == ([(PAYMENT_ID, "expired")], 1)

    @pytest.mark.parametrize("refunded", ["refunded", "partially_refunded"])
    async def test_end_with_a_refund(self, connect, refunded):
        async with FaultServer(
            status("processing"), status("settling"), status(refunded)
        ) as server:
            client = connect(server)
            seen = await states(client.payments.watch(PAYMENT_ID, timeout=600))
            waited = await client.payments.wait_until_final(PAYMENT_ID, timeout=600)
        assert [state for _, state in seen] == ["processing", "settling", refunded]
        assert waited.status == refunded

    async def test_reach_all_watches(self, connect):
        async with Emulator(timetable=LIFE) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            watches = [client.payments.watch(link.payment_id) for _ in range(20)]
            seen = await asyncio.gather(*map(states, watches))
        assert [len(each) for each in seen] == [4] * 20
        assert len([e for e in emulator.requests if e.operation == "get"]) < 15

    async def test_are_merged_and_nothing_is_requested_while_the_reader_is_busy(self, connect):
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

    async def test_are_reported_at_once_after_wake(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            watch = client.payments.watch(link.payment_id, poll=1000)
            await anext(watch)
            await emulator.open(link.payment_id)
            client.payments.wake(link.payment_id)  # while its reader is busy
            started = now()
            assert (await anext(watch)).status == "opened"
            assert now() - started < 0.1

    async def test_do_not_continue_after_the_end(self, connect):
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
            with pytest.raises(
                ServerError
            ):  # the watch is incomplete, so the error is raised again
                await anext(watch)

    async def test_end_at_the_timeout(self, connect):
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
        await pass_time(0.01)
        check_that_nothing_is_left(client)
        await pass_time(0.1)
        assert emulator.in_flight == 0

    async def test_by_dropping_the_watch_leaves_nothing_running(self, connect, emulator):
        client = connect(emulator)
        link = await client.payments.create_link(5)
        watch = client.payments.watch(link.payment_id)
        await anext(watch)
        del watch
        check_that_nothing_is_left(client)


async def test_an_unknown_payment_is_not_found(connect):
    async with Emulator() as emulator:
        with pytest.raises(NotFoundError):
            await states(connect(emulator).payments.watch(uuid4()))
