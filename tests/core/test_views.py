"""`client.with_options`: other options for some calls, with the same connections and limits."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref

import aiohttp
import pytest
from fault_server import (
    GOOD,
    SILENCE,
    FaultServer,
    answer,
    late,
)
from virtual_time import pass_time

from paywint_async import (
    ClientClosedError,
    ConfigurationError,
    Handler,
    OutcomeUnknownError,
    PaywintClient,
    RateLimit,
    RateLimitedError,
    Request,
    RequestTimeoutError,
    Response,
    RetryPolicy,
    ServerError,
    TransportError,
)
from paywint_async._middleware.slow_start import FIRST_IN_FLIGHT
from paywint_async.emulator import Emulator

ONCE = RetryPolicy(max_attempts=1)


def now() -> float:
    return asyncio.get_running_loop().time()


async def read(client: PaywintClient) -> object:
    return await client.payments.page("received", 1)


class TestOptions:
    async def test_the_timeout_applies_to_each_attempt(self, connect):
        async with FaultServer(SILENCE) as server:
            view, start = connect(server).with_options(request_timeout=2, retry=ONCE), now()
            with pytest.raises(RequestTimeoutError):
                await read(view)
        assert now() - start == pytest.approx(2, abs=0.1)

    async def test_the_timeout_may_be_longer_than_the_clients(self, connect):
        async with FaultServer(late(40)) as server:
            client = connect(server, retry=ONCE)
            await read(client.with_options(request_timeout=50))
            with pytest.raises(RequestTimeoutError):
                await read(client)

    async def test_a_connection_timeout_means_that_nothing_was_sent(self, connect):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # never answers the handshake
            url = f"https://127.0.0.1:{silent.getsockname()[1]}"
            async with PaywintClient("key", "secret", base_url=url, retry=ONCE) as client:
                with pytest.raises(TransportError) as caught:
                    await client.with_options(request_timeout=0.2).payments.create_link(5)
        assert caught.value.sent is False

    async def test_the_retry_policy_applies(self, connect):
        async with FaultServer(answer(503)) as server:
            client = connect(server, retry=RetryPolicy(max_attempts=5, base_delay=0))
            with pytest.raises(ServerError):
                await read(client.with_options(retry=RetryPolicy(max_attempts=2, base_delay=0)))
        assert len(server.requests) == 2

    async def test_max_concurrency_bounds_a_listing(self, connect):
        async with Emulator(hostile=True, payments=200, latency=1.0) as emulator:
            view, start = connect(emulator).with_options(max_concurrency=1), now()
            await view.payments.received(rows_per_page=20).collect()
        assert now() - start >= emulator.request_count >= 10

    async def test_headers_go_with_each_request(self, connect):
        async with FaultServer() as server:
            view = connect(server).with_options(
                headers={"X-Trace": "42", "user-agent": "shop/1", "Accept": "text/json"}
            )
            await read(view)
            await view.payments.create_link(5)
        for seen in server.requests:
            assert (seen.headers["x-trace"], seen.headers["user-agent"]) == ("42", "shop/1")
            assert seen.headers["accept"] == "text/json"

    async def test_of_the_client_are_unchanged(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            client.with_options(headers={"X-Trace": "42"}, request_timeout=1)
            await read(client)
        assert "x-trace" not in server.requests[0].headers

    @pytest.mark.parametrize(("seconds", "waited"), [(2, 1.8), (8, 7.2)])
    async def test_bound_the_time_to_connect(self, seconds, waited):
        class Silent(aiohttp.abc.AbstractResolver):
            async def resolve(self, *args, **kwargs):
                await asyncio.Event().wait()

            async def close(self):
                pass

        async with PaywintClient(
            "key",
            "secret",
            base_url="https://api.invalid",
            request_timeout=5,
            connector=lambda: aiohttp.TCPConnector(resolver=Silent()),
        ) as client:
            start = now()
            with pytest.raises(RequestTimeoutError) as caught:
                await read(client.with_options(request_timeout=seconds, retry=ONCE))
        assert now() - start == pytest.approx(waited, abs=0.01)
        assert not caught.value.sent

    async def test_of_a_view_of_a_view_are_merged(self, connect):
        async with FaultServer(SILENCE) as server:
            outer = connect(server).with_options(
                headers={"X-A": "1", "X-B": "1"}, request_timeout=3, retry=ONCE
            )
            inner, start = outer.with_options(headers={"x-b": "2"}), now()
            with pytest.raises(RequestTimeoutError):
                await read(inner)
        assert now() - start == pytest.approx(3, abs=0.1)
        (seen,) = server.requests
        assert (seen.headers["x-a"], seen.headers["x-b"]) == ("1", "2")

    @pytest.mark.parametrize(
        "name",
        [
            "X-Api-Key",
            "x-api-secret",
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "transfer-encoding",
            "Content-Type",
        ],
    )
    def test_must_not_name_a_header_of_the_sdk(self, name):
        with pytest.raises(ConfigurationError, match=name):
            PaywintClient("key", "secret").with_options(headers={name: "value"})

    @pytest.mark.parametrize(
        "headers",
        [
            {"a b": "c"},
            {"": "c"},
            {1: "c"},
            {"X-A": "b\r\nX-Evil: 1"},
            {"X-A": 5},
            {"X-A": "ä"},
            {"X-A": "1", "x-a": "2"},
            "X-A: 1",
            [("X-A", "1")],
        ],
        ids=repr,
    )
    def test_headers_must_be_valid(self, headers):
        with pytest.raises(ConfigurationError, match="headers"):
            PaywintClient("key", "secret").with_options(headers=headers)

    def test_the_value_of_a_header_is_not_shown(self):
        with pytest.raises(ConfigurationError) as caught:
            PaywintClient("key", "secret").with_options(headers={"X-A": "hush\n"})
        assert "hush" not in str(caught.value)

    @pytest.mark.parametrize(
        ("option", "value"),
        [("request_timeout", 0), ("retry", 5), ("max_concurrency", 0), ("max_concurrency", "8")],
    )
    def test_are_checked_like_those_of_the_client(self, option, value):
        with pytest.raises(ConfigurationError, match=option):
            PaywintClient("key", "secret").with_options(**{option: value})


class TestSharedWithTheClient:
    async def test_is_the_pool(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            for each in (client, client.with_options(request_timeout=5), client):
                await read(each)
        assert (len(server.requests), server.connections) == (3, 1)

    async def test_is_the_limit(self, connect):
        async with FaultServer() as server:
            client, start = connect(server, rate_limit=RateLimit(1, per_seconds=10)), now()
            await read(client)
            await read(client.with_options(max_concurrency=2))
        assert now() - start == pytest.approx(10, abs=0.1)

    async def test_is_the_cooldown(self, connect):
        async with FaultServer(answer(429, headers="Retry-After: 60\r\n"), GOOD) as server:
            client, start = connect(server), now()
            with pytest.raises(RateLimitedError):
                await read(client.with_options(retry=ONCE))
            await read(client)
        assert now() - start >= 60

    async def test_is_the_retry_budget(self, connect):
        async with FaultServer(answer(503)) as server:
            client = connect(server, retry=RetryPolicy(max_attempts=101, base_delay=0))
            with pytest.raises(ServerError):
                await read(client)  # spends the whole budget
            with pytest.raises(ServerError):
                await read(client.with_options(max_concurrency=2))
        assert len(server.requests) == 102

    async def test_is_the_wake_by_a_webhook(self, connect):
        async with Emulator() as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            view = client.with_options(request_timeout=5)
            waiting = asyncio.ensure_future(
                view.payments.wait_until_final(link.payment_id, timeout=100, poll=90)
            )
            await pass_time(1)
            await emulator.pay(link.payment_id)
            client.payments.wake(link.payment_id)
            start = now()
            await waiting
        assert now() - start < 20

    async def test_is_each_middleware(self, connect):
        seen = []

        async def note(request: Request, handler: Handler) -> Response:
            seen.append((request.headers.get("X-A"), request.timeout))
            return await handler(request)

        async with FaultServer() as server:
            client = connect(server, middlewares=[note])
            await read(client.with_options(headers={"X-A": "1"}, request_timeout=7))
        assert seen == [("1", 7)]


class TestClosingAView:
    async def test_ends_only_its_own_calls(self, connect):
        async with FaultServer(late(10)) as server:
            client = connect(server)
            view, other = client.with_options(max_concurrency=2), client.with_options()
            calls = [asyncio.ensure_future(read(each)) for each in (view, client, other)]
            await pass_time(2)
            start = now()
            await view.aclose()
            with pytest.raises(ClientClosedError, match="closed during the request"):
                await calls[0]
            assert now() == start
            assert len(await asyncio.gather(*calls[1:])) == 2

    async def test_refuses_later_calls(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            async with client.with_options() as view:
                await read(view)
            with pytest.raises(ClientClosedError):
                await read(view)
            await view.aclose()
            await read(client)
        assert (repr(view).split()[-1], repr(client).split()[-1]) == ("closed>", "open>")

    @pytest.mark.parametrize("closes", ["the view", "the view of it", "the client"])
    async def test_ends_its_own_views(self, connect, closes):
        async with FaultServer(SILENCE) as server:
            client = connect(server)
            view = client.with_options()
            inner = view.with_options()
            call = asyncio.ensure_future(read(inner))
            await pass_time(1)
            closed = {"the view": view, "the view of it": inner, "the client": client}[closes]
            await closed.aclose()
            with pytest.raises(ClientClosedError):
                await call
            with pytest.raises(ClientClosedError):
                await read(inner)

    @pytest.mark.parametrize("of", ["the view", "the client"])
    async def test_ends_waits_and_listings(self, connect, of):
        async with Emulator(hostile=True, payments=1000, latency=1.0) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)
            view = client.with_options(max_concurrency=2)
            listing = aiter(view.payments.received(rows_per_page=10))
            await anext(listing)
            waiting = asyncio.ensure_future(
                view.payments.wait_until_final(link.payment_id, timeout=100)
            )
            await pass_time(30)
            await (view if of == "the view" else client).aclose()
            with pytest.raises(ClientClosedError):
                await waiting
            with pytest.raises(ClientClosedError):
                async for _ in listing:
                    pass
            asked = emulator.request_count
            await pass_time(30)
            assert emulator.request_count == asked

    async def test_leaves_the_outcome_of_a_sent_create_unknown(self, connect):
        async with FaultServer(SILENCE) as server:
            view = connect(server).with_options()
            call = asyncio.ensure_future(view.payments.create_link(5))
            await pass_time(1)
            await view.aclose()
            with pytest.raises(OutcomeUnknownError) as caught:
                await call
        assert type(caught.value.reason) is ClientClosedError

    async def test_leaves_the_outcome_of_a_create_unknown_while_a_middleware_has_its_answer(
        self, connect
    ):
        async def audit(request: Request, handler: Handler) -> Response:
            response = await handler(request)
            await pass_time(10)
            return response

        async with FaultServer() as server:
            for kind in ("middlewares", "attempt_middlewares"):
                view = connect(server, **{kind: [audit]}).with_options()
                call = asyncio.ensure_future(view.payments.create_link(5))
                await pass_time(1)
                await view.aclose()
                with pytest.raises(OutcomeUnknownError):
                    await call

    @pytest.mark.parametrize("first", [answer(429, headers="Retry-After: 50\r\n")], ids=str)
    async def test_leaves_no_doubt_about_a_create_that_was_not_processed(self, connect, first):
        async with FaultServer(first, GOOD) as server:
            view = connect(server).with_options()
            call = asyncio.ensure_future(view.payments.create_link(5))
            await pass_time(1)
            await view.aclose()
            with pytest.raises(ClientClosedError) as caught:
                await call
        assert (caught.value.sent, len(server.requests)) == (False, 1)

    async def test_leaves_the_outcome_of_a_create_sent_in_another_context_unknown(self, connect):
        import contextvars

        async def elsewhere(request: Request, handler: Handler) -> Response:
            async def send() -> Response:
                return await handler(request)

            return await asyncio.create_task(send(), context=contextvars.Context())

        async with FaultServer(SILENCE) as server:
            view = connect(server, middlewares=[elsewhere]).with_options()
            call = asyncio.ensure_future(view.payments.create_link(5))
            await pass_time(1)
            await view.aclose()
            with pytest.raises(OutcomeUnknownError):
                await call

    async def test_and_cancelling_the_call_together_is_a_cancellation(self, connect):
        async with FaultServer(SILENCE) as server:
            view = connect(server).with_options()
            call = asyncio.ensure_future(read(view))
            await pass_time(1)
            closing = asyncio.ensure_future(view.aclose())
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call, closing])
        assert call.cancelled()

    async def test_has_ended_its_calls_when_it_returns(self, connect):
        async with FaultServer(SILENCE) as server:
            view = connect(server).with_options()
            call = asyncio.ensure_future(read(view))
            await pass_time(1)
            await view.aclose()
            assert call.cancelling() == 1
            with pytest.raises(ClientClosedError):
                await call

    async def test_together_with_its_client_ends_a_call_once(self, connect):
        async with FaultServer(SILENCE) as server:
            client = connect(server)
            view = client.with_options()
            call = asyncio.ensure_future(read(view))
            await pass_time(1)
            await view.aclose()
            await client.aclose()  # before the call runs again
            with pytest.raises(ClientClosedError):
                await call

    async def test_leaves_no_cancellation_request_on_the_task(self, connect):
        async def caller(view: PaywintClient) -> int:
            with pytest.raises(ClientClosedError):
                await read(view)
            await pass_time(1)
            task = asyncio.current_task()
            assert task is not None
            return task.cancelling()

        async with FaultServer(SILENCE) as server:
            view = connect(server).with_options()
            call = asyncio.ensure_future(caller(view))
            await pass_time(1)
            await view.aclose()
            assert await call == 0

    async def test_shows_no_secret(self, connect, shown):
        from fault_server import API_SECRET

        async with FaultServer(SILENCE) as server:
            view = connect(server).with_options()
            call = asyncio.ensure_future(read(view))
            await pass_time(1)
            await view.aclose()
            with pytest.raises(ClientClosedError) as caught:
                await call
        assert API_SECRET not in shown(caught.value)

    async def test_an_unreferenced_view_is_collected(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            view = client.with_options()
            await read(view)
            gone = weakref.ref(view._scope)
            del view
            gc.collect()
            assert gone() is None

    def test_from_another_event_loop_ends_its_calls_there(self):
        async def main() -> None:
            async with (
                FaultServer(SILENCE) as server,
                PaywintClient("key", "secret", base_url=server.url) as client,
            ):
                view = client.with_options()
                call = asyncio.ensure_future(read(view))
                while not server.requests:
                    await asyncio.sleep(0)
                await asyncio.to_thread(lambda: asyncio.run(view.aclose()))
                with pytest.raises(ClientClosedError):
                    await call

        asyncio.run(main())


async def test_closing_a_client_ends_a_call_that_waits_for_its_turn_at_once(connect):
    async with FaultServer(answer(429, headers="Retry-After: 60\r\n"), GOOD) as server:
        client = connect(server)
        call = asyncio.ensure_future(client.payments.create_link(5))
        await pass_time(1)
        start = now()
        await client.aclose()
        with pytest.raises(ClientClosedError) as caught:
            await call
    assert (now() - start, caught.value.sent) == (0, False)


async def test_a_call_that_was_closed_while_it_waited_for_its_first_turn_was_not_sent(connect):
    async with FaultServer(*[SILENCE] * FIRST_IN_FLIGHT) as server:
        client = connect(server)
        calls = [
            asyncio.ensure_future(client.payments.create_link(5))
            for _ in range(FIRST_IN_FLIGHT + 1)
        ]
        await pass_time(0.1)
        await client.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in outcomes[:-1]] == [OutcomeUnknownError] * FIRST_IN_FLIGHT
    assert isinstance(outcomes[-1], ClientClosedError)
    assert (outcomes[-1].sent, outcomes[-1].attempts) == (False, 0)


async def test_a_completed_call_is_not_kept(connect):
    async with FaultServer() as server:
        client = connect(server)
        await read(client)
        assert client._scope._running == set()


async def test_a_call_closed_before_it_had_a_connection_was_not_sent(connect):
    async with FaultServer() as server:
        pass
    view = connect(server, retry=RetryPolicy(base_delay=30, max_delay=60)).with_options()
    call = asyncio.ensure_future(view.payments.create_link(5))
    await pass_time(0.5)
    await view.aclose()
    with pytest.raises(ClientClosedError) as caught:
        await call
    assert caught.value.sent is False
