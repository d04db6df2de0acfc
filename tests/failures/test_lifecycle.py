"""The life cycle of a client: event loops, forks, closing, and TLS."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest
import trustme
from fault_server import API_KEY, API_SECRET, GOOD, SILENCE, FaultServer
from virtual_time import VirtualTimeLoop, pass_time

from paywint_async import ClientClosedError, PaywintClient, RetryPolicy, TransportError
from paywint_async.emulator import Emulator

ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator in a separate thread and event loop, independent of the test's loops."""
    emulator = Emulator(hostile=True, payments=50)
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


def test_a_second_event_loop_gets_its_own_pool(emulator: Emulator) -> None:
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)
    assert [asyncio.run(total(client)) for _ in range(3)] == [50, 50, 50]
    asyncio.run(client.aclose())
    gc.collect()


def test_a_loop_that_has_ended_closes_its_pool_silently(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)
    for _ in range(20):
        assert asyncio.run(total(client)) == 50
    del client
    gc.collect()
    assert caplog.records == []


@pytest.mark.filterwarnings("ignore:unclosed (transport|<socket):ResourceWarning")  # asyncio's own
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "forgotten"])
def test_a_loop_closed_without_shutdown_asyncgens_closes_its_pool_silently(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, is_closed: bool
) -> None:
    """Older frameworks end their loops in this way."""
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)
    for _ in range(20):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(total(client)) == 50
        loop.close()
    assert len(client._core.transport._pools._pools) == 1
    if is_closed:
        asyncio.run(client.aclose())
    del client, loop
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == []


def test_a_pool_is_closed_while_its_loop_can_still_close_it() -> None:
    """The server sees the connection close; nothing is left for the garbage collector."""

    async def use(client: PaywintClient, server: FaultServer) -> None:
        client._core.transport._base_url = server.url
        await client.payments.page("sent", 1)
        assert server.open_connections == 1

    client = PaywintClient(API_KEY, API_SECRET, base_url="http://127.0.0.1:1")
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        server = FaultServer(GOOD)
        runner.run(server.__aenter__())
        runner.run(use(client, server))
        runner.run(_end_generators())
        runner.run(pass_time(1))
        assert server.open_connections == 0
        runner.run(server.__aexit__(None, None, None))


async def _end_generators() -> None:
    await asyncio.get_running_loop().shutdown_asyncgens()


def test_a_loop_that_continues_after_shutdown_asyncgens_gets_a_new_pool() -> None:
    async def use(client: PaywintClient) -> list[int]:
        async with FaultServer(GOOD) as server:
            client._core.transport._base_url = server.url
            first = await total(client)
            await _end_generators()
            with pytest.warns(ResourceWarning, match="after loop.shutdown_asyncgens"):
                second = await total(client)
            await client.aclose()
            return [first, second]

    client = PaywintClient(API_KEY, API_SECRET, base_url="http://127.0.0.1:1")
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(use(client)) == [1, 1]


def test_two_concurrent_loops_do_not_affect_each_other(emulator: Emulator) -> None:
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)

    async def read_in_both() -> list[int]:
        def in_thread() -> int:
            async def read() -> int:
                return await total(client)

            return asyncio.run(read())

        other = asyncio.get_running_loop().run_in_executor(None, in_thread)
        mine = await asyncio.gather(*(total(client) for _ in range(5)))
        totals = [await other, *mine]
        await client.aclose()
        return totals

    assert asyncio.run(read_in_both()) == [50] * 6


def test_a_forked_process_opens_its_own_connections(emulator: Emulator) -> None:
    client = PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url)

    async def use_and_fork() -> tuple[int, int]:
        assert await total(client) == 50
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            child = os.fork()  # warns if threads are running
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


async def test_a_client_that_was_never_closed_warns_and_is_closed_by_its_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FaultServer(GOOD) as server:
        client = PaywintClient(API_KEY, API_SECRET, base_url=server.url)
        await client.payments.page("sent", 1)
        owner = [client]
        del client
        with pytest.warns(ResourceWarning, match="unclosed client"):
            owner.clear()
        await pass_time(1)
        assert server.open_connections == 0
    assert caplog.records == []


@pytest.mark.parametrize("copier", [copy.deepcopy, pickle.dumps])
async def test_a_client_cannot_be_copied_and_failing_causes_no_warning(
    copier: Callable[..., object],
) -> None:
    async with PaywintClient(API_KEY, API_SECRET) as client:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(TypeError, match="not pickled or copied"):
                copier(client)
            gc.collect()


async def test_a_client_that_was_never_used_has_nothing_to_close() -> None:
    client = PaywintClient(API_KEY, API_SECRET)
    del client
    gc.collect()
    client = PaywintClient(API_KEY, API_SECRET)
    await client.aclose()
    await client.aclose()


async def test_closing_ends_all_operations_with_a_clear_error() -> None:
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


async def test_a_server_without_tls_never_receives_the_secret() -> None:
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
