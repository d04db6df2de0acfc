"""Life and death of a client: loops, forks, closing, and TLS."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme
from fault_server import API_KEY, API_SECRET, GOOD, SILENCE, FaultServer
from virtual_time import VirtualTimeLoop, pass_time

from paywint_async import ClientClosedError, PaywintClient, RetryPolicy, TransportError
from paywint_async.emulator import Emulator

ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator in a thread and a loop of its own, so that the test's loops may come and go."""
    emulator = Emulator(payments=50)
    is_up, loop = threading.Event(), asyncio.new_event_loop()

    def serve() -> None:
        loop.run_until_complete(emulator.start())
        is_up.set()
        loop.run_forever()
        loop.run_until_complete(emulator.aclose())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    is_up.wait(10)
    yield emulator
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


async def total(client: PaywintClient) -> int:
    return (await client.payments.page("sent", 1)).total_records


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the loops that ended left connections open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_second_event_loop_gets_a_pool_of_its_own(emulator: Emulator) -> None:
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)
    assert [asyncio.run(total(client)) for _ in range(3)] == [50, 50, 50]
    asyncio.run(client.aclose())
    gc.collect()


def test_two_loops_at_the_same_time_do_not_disturb_each_other(emulator: Emulator) -> None:
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)

    async def read_in_both() -> list[int]:
        def in_thread() -> int:
            async def read() -> int:
                try:
                    return await total(client)
                finally:
                    await client._session._pools.pop(asyncio.get_running_loop())[0].close()

            return asyncio.run(read())

        other = asyncio.get_running_loop().run_in_executor(None, in_thread)
        mine = await asyncio.gather(*(total(client) for _ in range(5)))
        totals = [await other, *mine]
        await client.aclose()
        return totals

    assert asyncio.run(read_in_both()) == [50] * 6


def test_a_forked_process_opens_connections_of_its_own(emulator: Emulator) -> None:
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)

    async def use_and_fork() -> tuple[int, int]:
        assert await total(client) == 50
        child = os.fork()
        if child == 0:
            _in_the_child(client)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        again = await total(client)
        await client.aclose()
        return os.waitstatus_to_exitcode(status), again

    assert asyncio.run(use_and_fork()) == (50, 50)


def _in_the_child(client: PaywintClient) -> None:
    seen = 1
    try:
        asyncio._set_running_loop(None)  # the parent's loop was running when it forked
        seen = asyncio.run(total(client))
    finally:
        os._exit(seen)


async def test_a_client_that_was_never_closed_says_so() -> None:
    async with FaultServer(GOOD) as server:
        client = PaywintClient(API_KEY, API_SECRET, base_url=server.url)
        await client.payments.page("sent", 1)
        sessions = list(client._session._pools.values())
        owner = [client]
        del client
        with pytest.warns(ResourceWarning, match="unclosed client"):
            owner.clear()
        for session, _ in sessions:
            await session.close()


async def test_a_client_that_was_never_used_has_nothing_to_close() -> None:
    client = PaywintClient(API_KEY, API_SECRET)
    del client
    gc.collect()
    client = PaywintClient(API_KEY, API_SECRET)
    await client.aclose()
    await client.aclose()


async def test_closing_ends_all_that_is_under_way_with_a_clear_error() -> None:
    async with FaultServer(SILENCE) as server:
        client = PaywintClient(API_KEY, API_SECRET, base_url=server.url)
        reads = [asyncio.create_task(client.payments.page("sent", 1)) for _ in range(5)]
        listing = asyncio.create_task(client.payments.received().collect())
        await pass_time(1)
        await asyncio.gather(client.aclose(), client.aclose())
        outcomes = await asyncio.gather(*reads, listing, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ClientClosedError}
        with pytest.raises(ClientClosedError, match="closed"):
            await client.payments.page("sent", 1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_private_certificate_authority_can_be_trusted(
    authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        FaultServer(GOOD, tls=tls) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url, ssl_context=trusting) as client,
    ):
        assert (await client.payments.page("sent", 1)).total_records == 1


async def test_an_unknown_certificate_authority_is_not_trusted(tls: ssl.SSLContext) -> None:
    async with (
        FaultServer(GOOD, tls=tls) as server,
        PaywintClient(API_KEY, API_SECRET, base_url=server.url, retry=ONCE) as client,
    ):
        with pytest.raises(TransportError) as caught:
            await client.payments.page("sent", 1)
        assert not caught.value.sent
        assert server.requests == []


async def test_a_server_that_speaks_no_tls_never_sees_the_secret() -> None:
    async with FaultServer(GOOD) as server:
        url = server.url.replace("http:", "https:")
        async with PaywintClient(API_KEY, API_SECRET, base_url=url, retry=ONCE) as client:
            with pytest.raises(TransportError) as caught:
                await client.payments.create_link(5)
        assert not caught.value.sent
        assert server.requests == []


def test_a_client_can_be_made_outside_any_loop() -> None:
    client = PaywintClient(API_KEY, API_SECRET)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(client.aclose())
