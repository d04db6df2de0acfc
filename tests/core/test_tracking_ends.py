"""How waits end: cancelled, timed out, failed or closed, without an effect on other waits."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from uuid import uuid4

import pytest
from fault_server import API_KEY, API_SECRET, PAYMENT_ID, SILENCE, Fault, FaultServer, Wire, answer
from payment_waits import check_that_nothing_is_left, looks, looks_under_way, now, status, wait
from virtual_time import VirtualTimeLoop, pass_time

from paywint_async import (
    AuthenticationError,
    ClientClosedError,
    NotFoundError,
    PaywintClient,
    Response,
    RetryPolicy,
    TransportError,
    WaitTimeoutError,
)
from paywint_async.emulator import Emulator


class TestLeaving:
    async def test_a_cancelled_wait_does_not_affect_the_others(self, connect):
        async with Emulator(latency=1.0) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            tasks = [wait(client, link.payment_id) for _ in range(3)]
            await pass_time(0.5)
            tasks[0].cancel()
            await pass_time(3)
            await emulator.pay(link.payment_id)
            tasks[1].cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes[:2]] == [asyncio.CancelledError] * 2
        assert outcomes[2].status == "success"

    @pytest.mark.parametrize("after", [0, 0.001, 0.5, 2.5], ids="after {} s".format)
    async def test_the_last_cancelled_wait_leaves_nothing_running(self, connect, after):
        async with Emulator(latency=1.0) as emulator:
            client = connect(emulator, max_concurrency=2)
            links = [await client.payments.create_link(5) for _ in range(5)]
            tasks = [wait(client, link.payment_id) for link in links]
            await pass_time(after)
            started = now()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert now() == started
            check_that_nothing_is_left(client)
            await pass_time(0.1)
            assert emulator.in_flight == 0
            before = emulator.request_count
            await pass_time(60)
            assert emulator.request_count == before

    async def test_a_cancelled_wait_ends_after_its_look_has_ended(self, connect):
        async with Emulator(latency=1.0) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)

            async def wait_and_check() -> None:
                try:
                    await client.payments.wait_until_final(link.payment_id, timeout=60)
                finally:
                    check_that_nothing_is_left(client)

            task = asyncio.create_task(wait_and_check())
            await pass_time(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def test_a_new_wait_looks_even_if_the_look_of_a_cancelled_one_is_ending(self, connect):
        async with Emulator(latency=1.0) as emulator:
            client = connect(emulator, max_concurrency=1)
            link = await client.payments.create_link(5)
            old = wait(client, link.payment_id)
            await pass_time(0.5)
            await emulator.pay(link.payment_id)
            old.cancel()
            started = now()
            assert (await wait(client, link.payment_id, poll=1000)).status == "success"
            assert now() - started == pytest.approx(1, abs=0.1)

    async def test_timeouts_leave_nothing_running(self, connect):
        async with FaultServer(SILENCE) as server:
            client = connect(server)
            started = now()
            tasks = [wait(client, uuid4(), timeout=5) for _ in range(20)]
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {WaitTimeoutError}
            assert now() - started == pytest.approx(5, abs=0.1)
            check_that_nothing_is_left(client)
            await pass_time(0.1)
            assert server.open_connections == 0

    async def test_a_timeout_does_not_affect_other_waits(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            short, long = wait(client, link.payment_id, timeout=5), wait(client, link.payment_id)
            with pytest.raises(WaitTimeoutError):
                await short
            await emulator.pay(link.payment_id)
            assert (await long).status == "success"

    async def test_a_look_cancelled_from_outside_is_repeated(self, connect):
        async with Emulator(latency=1.0) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            task = wait(client, link.payment_id)
            await pass_time(0.5)
            (look,) = looks_under_way()
            look.cancel()
            await emulator.pay(link.payment_id)
            assert (await task).status == "success"


class TestErrors:
    async def test_each_wait_gets_its_own_instance(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            nobody = uuid4()
            tasks = [wait(client, nobody) for _ in range(5)]
            errors = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(error) for error in errors] == [NotFoundError] * 5
            assert len({id(error) for error in errors}) == 5
            assert len({(str(error), error.status, error.body) for error in errors}) == 1
            assert len(looks(emulator)) == 1

    async def test_each_has_its_own_traceback_that_leads_to_the_cause(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            nobody = uuid4()
            tasks = [wait(client, nobody) for _ in range(3)]
            errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert {_functions(error).count("wait_until_final") for error in errors} == {1}
        assert {"_look" in _functions(error) for error in errors} == {True}

    async def test_keep_no_objects_alive_once_they_are_handled(self, connect):
        async def refuse(request, handler):
            return Response(status=404, body=b"{}")

        async with Emulator() as emulator:
            client = connect(emulator, middlewares=[refuse])
            nobody = uuid4()
            errors = await asyncio.gather(
                *(wait(client, nobody) for _ in range(2)), return_exceptions=True
            )
            gone = [weakref.ref(error) for error in errors]
            gc.disable()
            try:
                errors.clear()
                await asyncio.sleep(0)
                assert [reference() for reference in gone] == [None, None]
            finally:
                gc.enable()

    async def test_of_a_middleware_reach_each_wait(self, connect):
        class StrangeError(Exception):
            def __init__(self, one, two) -> None:
                super().__init__(f"{one} and {two}")

        async def fail(request, handler):
            raise StrangeError(1, 2)

        async with Emulator() as emulator:
            client = connect(emulator, middlewares=[fail])
            nobody = uuid4()
            tasks = [wait(client, nobody) for _ in range(3)]
            errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(error) for error in errors] == ["1 and 2"] * 3

    async def test_end_only_the_waits_for_their_payment(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator, retry=RetryPolicy(max_attempts=1))
            links = [await client.payments.create_link(5) for _ in range(2)]
            tasks = [wait(client, link.payment_id) for link in links]
            await pass_time(3)
            emulator.delete("received", int(emulator.count("received")) - 1)
            await emulator.pay(links[1].payment_id)
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            check_that_nothing_is_left(client)
        assert (type(outcomes[0]), outcomes[1].status) == (NotFoundError, "success")

    async def test_a_wait_after_an_error_looks_again(self, connect):
        async with FaultServer(answer(401), status("success")) as server:
            client = connect(server)
            watch = client.payments.watch(PAYMENT_ID)
            with pytest.raises(AuthenticationError):
                await anext(watch)
            started = now()
            await wait(client, PAYMENT_ID)
            assert now() - started < 0.1


class TestClosing:
    async def test_ends_every_wait_with_a_clear_error(self, connect):
        async with Emulator(latency=1.0) as emulator:
            client = connect(emulator, max_concurrency=2)
            links = [await client.payments.create_link(5) for _ in range(6)]
            tasks = [wait(client, link.payment_id) for link in links for _ in range(2)]
            await pass_time(2.5)
            started = now()
            await client.aclose()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {ClientClosedError}
            assert len({id(outcome) for outcome in outcomes}) == 12
            assert now() - started < 0.1
            check_that_nothing_is_left(client)

    async def test_ends_a_look_that_waits_for_its_next_attempt(self, connect):
        async with FaultServer(answer(429, headers="Retry-After: 50\r\n")) as server:
            client = connect(server)
            task = wait(client, PAYMENT_ID)
            await pass_time(2)
            started = now()
            await client.aclose()
            with pytest.raises(ClientClosedError):
                await task
            assert now() - started < 0.1

    async def test_makes_later_waits_fail(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            watch = client.payments.watch(link.payment_id)
            await anext(watch)
            await client.aclose()
            client.payments.wake(link.payment_id)
            for begun in (anext(watch), client.payments.wait_until_final(uuid4(), timeout=5)):
                with pytest.raises(ClientClosedError):
                    await begun

    async def test_waits_do_not_keep_an_unreferenced_client_alive(self):
        async with Emulator() as emulator:
            keys = emulator.api_key, emulator.api_secret
            client = PaywintClient(*keys, base_url=emulator.url)
            link = await client.payments.create_link(5)
            task = wait(client, link.payment_id)
            await pass_time(5)
            task.cancel()
            await asyncio.wait([task])
            gone = weakref.ref(client._tracker)
            gc.disable()
            try:
                with pytest.warns(ResourceWarning, match="unclosed client"):
                    del client, task
                assert gone() is None
            finally:
                gc.enable()


class TestEventLoops:
    # The warnings are about connections of event loops that have ended.
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_waits_run_in_one_loop_after_another(self):
        client = PaywintClient(
            API_KEY, API_SECRET, base_url="http://127.0.0.1:1", retry=RetryPolicy(max_attempts=1)
        )

        async def fail() -> None:
            with pytest.raises(TransportError):
                await client.payments.wait_until_final(PAYMENT_ID, timeout=60)

        for _ in range(3):
            with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
                runner.run(fail())
        assert len(client._tracker._pollers) == 1
        asyncio.run(client.aclose())
        gc.collect()

    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_loop_that_ends_ends_its_waits(self):
        client = PaywintClient(API_KEY, API_SECRET, base_url="http://127.0.0.1:1")

        async def begin() -> None:
            wait(client, PAYMENT_ID)
            await pass_time(0.1)

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(begin())
        client.payments.wake(PAYMENT_ID)
        asyncio.run(client.aclose())
        gc.collect()

    @pytest.mark.real_time
    async def test_closing_ends_the_waits_of_another_loop(self):
        outcomes: list[BaseException] = []
        is_waiting = threading.Event()

        async def tell_and_answer(wire: Wire) -> None:
            is_waiting.set()
            await status("pending").play(wire)

        async def wait_there() -> None:
            async with FaultServer(Fault("pending", tell_and_answer)) as server:
                client._core.transport._base_url = server.url
                task = wait(client, PAYMENT_ID, poll=1000)
                outcomes.extend(await asyncio.gather(task, return_exceptions=True))

        client = PaywintClient(API_KEY, API_SECRET, base_url="http://127.0.0.1:1")
        thread = threading.Thread(target=asyncio.run, args=(wait_there(),))
        thread.start()
        assert await asyncio.to_thread(is_waiting.wait, 10)
        await client._tracker.aclose()
        await asyncio.to_thread(thread.join, 10)
        assert [type(outcome) for outcome in outcomes] == [ClientClosedError]
        await client.aclose()


def _functions(error: BaseException) -> list[str]:
    names, step = [], error.__traceback__
    while step is not None:
        names.append(step.tb_frame.f_code.co_name)
        step = step.tb_next
    return names
