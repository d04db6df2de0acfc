"""Closing a client, and using it from one event loop after another."""

from __future__ import annotations

import asyncio
import warnings

import pytest
from fault_server import API_KEY, API_SECRET, SILENCE, FaultServer, answer, drip, late
from sample_payments import POST
from virtual_time import pass_time

from paywint_async import ClientClosedError, PaywintClient


class TestClosing:
    async def test_can_be_done_twice(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            await client.payments.page("sent", 1)
            await client.aclose()
            await client.aclose()
        assert repr(client) == f"<PaywintClient {server.url} closed>"

    async def test_closes_every_connection(self, transport_for):
        async with FaultServer() as server:
            transport = transport_for(server)
            await asyncio.gather(*(transport.send(POST) for _ in range(5)))
            await transport.aclose()
            await pass_time(1)
            assert server.open_connections == 0

    async def test_refuses_later_calls(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            await client.aclose()
            with pytest.raises(ClientClosedError, match=r"^the client is closed; make a new one$"):
                await client.payments.page("sent", 1)
        assert server.connections == 0

    async def test_an_unused_client_opens_no_connection(self, connect):
        async with FaultServer() as server:
            await connect(server).aclose()
        assert server.connections == 0

    @pytest.mark.parametrize("fault", [SILENCE, drip(1), late(100)], ids=str)
    async def test_ends_a_request_under_way(self, transport_for, fault):
        async with FaultServer(fault) as server:
            transport = transport_for(server)
            task = asyncio.ensure_future(transport.send(POST))
            await pass_time(2)
            await transport.aclose()
            with pytest.raises(ClientClosedError) as caught:
                await task
        assert caught.value.sent is True

    async def test_ends_an_operation_that_waits_for_its_next_attempt(self, connect):
        async with FaultServer(answer(429, headers="Retry-After: 50\r\n")) as server:
            client = connect(server)
            task = asyncio.ensure_future(client.payments.page("sent", 1))
            await pass_time(2)
            await client.aclose()
            with pytest.raises(ClientClosedError):
                await task
        assert len(server.requests) == 1

    async def test_is_done_at_the_end_of_the_block(self):
        async with FaultServer() as server:
            async with PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client:
                await client.payments.page("sent", 1)
            with pytest.raises(ClientClosedError):
                await client.payments.page("sent", 1)

    async def test_is_done_when_the_block_raises(self):
        client = PaywintClient(API_KEY, API_SECRET)
        with pytest.raises(LookupError):
            async with client:
                raise LookupError
        assert repr(client).endswith("closed>")

    async def test_is_warned_about_when_forgotten(self):
        async with FaultServer() as server:
            client = PaywintClient(API_KEY, API_SECRET, base_url=server.url)
            await client.payments.page("sent", 1)
            with pytest.warns(ResourceWarning, match="unclosed client of http://127"):
                del client
            await pass_time(1)
            assert server.open_connections == 0

    async def test_is_not_needed_for_a_client_that_was_never_used(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            PaywintClient(API_KEY, API_SECRET)


class TestEventLoops:
    @staticmethod
    async def use(client: PaywintClient, server: FaultServer) -> int:
        async with server:
            client._core.transport._base_url = server.url
            return len((await client.payments.page("sent", 1)).records)

    def test_a_client_may_be_used_from_one_after_another(self):
        client = PaywintClient(API_KEY, API_SECRET, base_url="http://127.0.0.1:1")
        counts = [asyncio.run(self.use(client, FaultServer())) for _ in range(3)]
        asyncio.run(client.aclose())
        assert counts == [1, 1, 1]
