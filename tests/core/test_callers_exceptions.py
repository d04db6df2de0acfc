"""Exceptions of a caller's code around a request: its middlewares, its connector, its aiohttp hooks."""

from __future__ import annotations

import asyncio
import io
import pickle
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import attrs
import pytest
from fault_server import (
    API_KEY,
    API_SECRET,
    CLOSE_UNANSWERED,
    GOOD,
    PAYMENT_ID,
    SILENCE,
    FaultServer,
    answer,
)
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor

from paywint_async import (
    Handler,
    OutcomeUnknownError,
    PaywintClient,
    PaywintError,
    Request,
    Response,
    RetryPolicy,
    TransportError,
)

RETRY = RetryPolicy(base_delay=0.01)
WRITES: dict[str, Callable[[PaywintClient], Awaitable[Any]]] = {
    "link": lambda client: client.payments.create_link(5),
    "token": lambda client: client.payments.create_checkout_token(5, email="a@b.example"),
    "request": lambda client: client.request("POST", "/x", json={}),
}
CALLS = {"read": lambda client: client.payments.get(PAYMENT_ID), **WRITES}
each_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
each_place = pytest.mark.parametrize("place", ["middlewares", "attempt_middlewares"])


class CallersError(Exception):
    """An exception class that cannot be pickled, as its constructor takes other arguments."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.second = second


def client_of(server: FaultServer, **options: Any) -> PaywintClient:
    return PaywintClient(API_KEY, API_SECRET, base_url=server.url, retry=RETRY, **options)


async def fails_after(request: Request, handler: Handler) -> Response:
    await handler(request)
    raise CallersError("a bug", "of mine")


async def returns_nothing(request: Request, handler: Handler) -> Response:
    await handler(request)
    return None  # type: ignore[return-value]


async def gives_up(request: Request, handler: Handler) -> Response:
    async with asyncio.timeout(0.3):
        return await handler(request)


class TestAnExceptionOfAMiddleware:
    @each_place
    @each_write
    async def test_after_the_answer_to_a_write_leaves_its_outcome_unknown(self, write, place):
        async with FaultServer() as server, client_of(server, **{place: [fails_after]}) as client:
            with pytest.raises(OutcomeUnknownError, match="a bug") as caught:
                await write(client)
        assert len(server.requests) == 1
        assert isinstance(caught.value.reason, CallersError)
        assert caught.value.__cause__ is caught.value.reason
        assert caught.value.attempts == 1

    @each_place
    async def test_that_returns_no_response_leaves_the_outcome_unknown(self, place):
        async with (
            FaultServer() as server,
            client_of(server, **{place: [returns_nothing]}) as client,
        ):
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.payments.create_link(5)
        assert isinstance(caught.value.reason, AttributeError)
        assert len(server.requests) == 1

    @each_place
    async def test_whose_timeout_ends_a_write_leaves_its_outcome_unknown(self, place):
        async with (
            FaultServer(SILENCE) as server,
            client_of(server, **{place: [gives_up]}) as client,
        ):
            with pytest.raises(OutcomeUnknownError, match="TimeoutError") as caught:
                await client.payments.create_link(5)
        assert isinstance(caught.value.reason, TimeoutError)
        assert len(server.requests) == 1

    @each_place
    async def test_is_unchanged_for_a_read(self, place):
        async with FaultServer() as server, client_of(server, **{place: [fails_after]}) as client:
            with pytest.raises(CallersError):
                await client.payments.get(PAYMENT_ID)

    @each_place
    @pytest.mark.parametrize("status", [403, 422])
    async def test_is_unchanged_after_a_refusal(self, place, status):
        async with (
            FaultServer(answer(status)) as server,
            client_of(server, **{place: [fails_after]}) as client,
        ):
            with pytest.raises(CallersError):
                await client.payments.create_link(5)

    async def test_is_unchanged_where_the_request_could_not_be_sent(self):
        async def fails_without_connection(request: Request, handler: Handler) -> Response:
            try:
                return await handler(request)
            except TransportError:
                raise CallersError("no", "connection") from None

        async with FaultServer() as server:
            assert server.requests == []
        # Its port is free again.
        async with client_of(server, middlewares=[fails_without_connection]) as client:
            with pytest.raises(CallersError):
                await client.payments.create_link(5)

    async def test_is_unchanged_where_no_header_could_be_sent(self):
        async def adds_a_bad_header(request: Request, handler: Handler) -> Response:
            try:
                return await handler(attrs.evolve(request, headers={"X-Y": "a\nb"}))
            except PaywintError:
                raise CallersError("bad", "header") from None

        async with (
            FaultServer() as server,
            client_of(server, attempt_middlewares=[adds_a_bad_header]) as client,
        ):
            with pytest.raises(CallersError):
                await client.payments.create_link(5)
        assert server.requests == []

    async def test_that_follows_two_sendings_of_which_one_was_refused_leaves_it_unknown(self):
        async def sends_again(request: Request, handler: Handler) -> Response:
            try:
                return await handler(request)
            except TransportError:
                await handler(request)
                raise CallersError("a bug", "of mine") from None

        async with (
            FaultServer(CLOSE_UNANSWERED, answer(403)) as server,
            client_of(server, attempt_middlewares=[sends_again]) as client,
        ):
            with pytest.raises(OutcomeUnknownError):
                await client.payments.create_link(5)
        assert len(server.requests) == 2

    async def test_is_pickled_as_an_error_of_this_package(self):
        async with FaultServer() as server, client_of(server, middlewares=[fails_after]) as client:
            with pytest.raises(OutcomeUnknownError) as caught:
                await client.payments.create_link(5)
        written = io.BytesIO()
        pickler = pickle.Pickler(written)
        # Dask, imported by other tests, has registered a way that also pickles the cause.
        pickler.dispatch_table = {}
        pickler.dump(caught.value)
        copied = pickle.loads(written.getvalue())
        assert (type(copied.reason), str(copied.reason)) == (PaywintError, "CallersError('a bug')")
        assert caught.value.with_candidates([]).reason is caught.value.reason

    async def test_cancellation_passes(self):
        async def cancelled(request: Request, handler: Handler) -> Response:
            await handler(request)
            raise asyncio.CancelledError

        async with FaultServer() as server, client_of(server, middlewares=[cancelled]) as client:
            with pytest.raises(asyncio.CancelledError):
                await client.payments.create_link(5)


class TestAnExceptionOfAConnector:
    @staticmethod
    def connector() -> aiohttp.BaseConnector:
        class Connector(aiohttp.TCPConnector):
            async def _create_connection(self, *_arguments: object) -> Any:
                raise CallersError(f"no way to the proxy, {API_SECRET}", "socks")

        return Connector()

    @pytest.mark.parametrize("call", CALLS)
    async def test_is_a_transport_error_of_a_request_that_was_not_sent(self, shown, call):
        async with FaultServer() as server, client_of(server, connector=self.connector) as client:
            with pytest.raises(TransportError, match=r"CallersError at .*: no way to") as caught:
                await CALLS[call](client)
        assert server.connections == 0
        assert type(caught.value) is TransportError
        assert caught.value.attempts == 4
        assert caught.value.sent is (call == "read")  # it is not tracked for reads
        assert API_SECRET not in shown(caught.value)


class TestAnExceptionOfAHookOfAiohttp:
    @pytest.fixture
    def hook_raises(self) -> Iterator[None]:
        def hook(*_arguments: object) -> None:
            raise KeyError("a bug of the hook")

        instrumentor = AioHttpClientInstrumentor()
        instrumentor.instrument(response_hook=hook)
        yield
        instrumentor.uninstrument()

    @each_write
    async def test_leaves_the_outcome_of_a_write_unknown(self, hook_raises, write, shown):
        async with FaultServer(GOOD) as server, client_of(server) as client:
            with pytest.raises(OutcomeUnknownError, match="KeyError at test_callers") as caught:
                await write(client)
        assert len(server.requests) == 1
        assert isinstance(caught.value.reason, TransportError)
        assert API_SECRET not in shown(caught.value)
        assert API_SECRET not in shown(caught.value.reason)

    async def test_is_a_transport_error_of_a_read(self, hook_raises, shown):
        async with FaultServer(GOOD) as server, client_of(server) as client:
            with pytest.raises(TransportError, match="KeyError") as caught:
                await client.payments.get(PAYMENT_ID)
        assert API_SECRET not in shown(caught.value)
