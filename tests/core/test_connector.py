"""Connectors that the caller provides: when they are made, used and closed."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import warnings
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from fault_catalogue import certificate_of, trusting
from fault_server import (
    API_KEY,
    API_SECRET,
    CUT_BODY,
    GOOD,
    GOT,
    PAYMENT_ID,
    FaultServer,
    answer,
)
from sample_payments import POST
from virtual_time import pass_time

from paywint_async import (
    ConfigurationError,
    OutcomeUnknownError,
    PaywintClient,
    ResponseDecodeError,
)


class Counted:
    """A callable that makes connectors and records them."""

    def __init__(self, make: Callable[[], Any] = aiohttp.TCPConnector) -> None:
        self._make = make
        self.made: list[aiohttp.BaseConnector] = []

    def __call__(self) -> Any:
        self.made.append(self._make())
        return self.made[-1]


class TestAConnector:
    async def test_is_made_on_the_first_use_of_reads_and_of_writes(self, connect):
        counted = Counted()
        async with FaultServer() as server:
            client = connect(server, connector=counted)
            assert len(counted.made) == 0
            for _ in range(3):
                await client.payments.page("sent", 1)
            assert len(counted.made) == 1
            for _ in range(3):
                await client.payments.create_link(5)
            assert len(counted.made) == 2

    def test_is_made_for_each_event_loop_and_closed_with_it(self):
        counted = Counted()
        client = PaywintClient(
            API_KEY, API_SECRET, base_url="http://127.0.0.1:1", connector=counted
        )

        async def use() -> None:
            async with FaultServer() as server:
                client._core.transport._base_url = server.url
                await client.payments.page("sent", 1)

        for _ in range(2):
            asyncio.run(use())
        assert [connector.closed for connector in counted.made] == [True, True]

    async def test_is_closed_with_the_client(self, connect):
        counted = Counted()
        async with FaultServer() as server:
            client = connect(server, connector=counted)
            await client.payments.page("sent", 1)
            await client.payments.create_link(5)
            await client.aclose()
        assert [connector.closed for connector in counted.made] == [True, True]

    @pytest.mark.parametrize("keepalive", [15, 3600])
    async def test_keeps_no_connection_of_a_write(self, transport_for, keepalive):
        def make() -> aiohttp.TCPConnector:
            return aiohttp.TCPConnector(keepalive_timeout=keepalive)

        async with FaultServer() as server:
            transport = transport_for(server, connector=make)
            for _ in range(3):
                await transport.send(POST)
                await pass_time(0.1)
                assert server.open_connections == 0
        assert server.connections == 3

    async def test_may_resolve_names_itself(self):
        class Resolver(aiohttp.abc.AbstractResolver):
            async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
                asked.append(host)
                return [
                    {
                        "hostname": host,
                        "host": "127.0.0.1",
                        "port": port,
                        "family": family,
                        "proto": 0,
                        "flags": 0,
                    }
                ]

            async def close(self) -> None: ...

        asked: list[str] = []
        async with FaultServer(tls=certificate_of("api.example")) as server:
            url = server.url.replace("127.0.0.1", "api.example")
            async with PaywintClient(
                API_KEY,
                API_SECRET,
                base_url=url,
                trust_env=False,
                ssl_context=trusting(),
                connector=lambda: aiohttp.TCPConnector(resolver=Resolver()),
            ) as client:
                await client.payments.page("sent", 1)
        assert asked == ["api.example"]

    async def test_may_have_its_own_certificate_authority(self):
        async with (
            FaultServer(tls=certificate_of("127.0.0.1")) as server,
            PaywintClient(
                API_KEY,
                API_SECRET,
                base_url=server.url,
                connector=lambda: aiohttp.TCPConnector(ssl=trusting()),
            ) as client,
        ):
            assert (await client.payments.page("sent", 1)).total_records == 1

    async def test_may_connect_by_a_unix_socket(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # a socket's path is limited to about a hundred bytes
        path = "api.sock"
        async with FaultServer() as server:
            unix = await asyncio.start_unix_server(server._connected, path)
            async with PaywintClient(
                API_KEY,
                API_SECRET,
                base_url="http://localhost",
                connector=lambda: aiohttp.UnixConnector(path),
            ) as client:
                await client.payments.create_link(5)
            unix.close()
        assert server.requests[0].headers["host"] == "localhost"

    @pytest.mark.parametrize("given", [5, "TCPConnector"], ids=str)
    def test_must_be_a_callable(self, given):
        with pytest.raises(ConfigurationError, match="connector must be a callable"):
            PaywintClient(API_KEY, API_SECRET, connector=given)

    async def test_of_another_type_is_refused_when_it_is_made(self, connect):
        async with FaultServer() as server:
            with pytest.raises(ConfigurationError, match="it made a dict"):
                await connect(server, connector=dict).payments.page("sent", 1)

    async def test_may_not_be_the_same_for_reads_and_writes(self, connect):
        """A write on a connection that reads left open could be lost with it, or be sent twice."""
        shared = aiohttp.TCPConnector()
        async with FaultServer() as server:
            client = connect(server, connector=lambda: shared)
            await client.payments.page("sent", 1)
            with pytest.raises(ConfigurationError, match="at each call"):
                await client.payments.create_link(5)
        assert len(server.requests) == 1


class Hoarder(aiohttp.TCPConnector):
    """Returns every connection to its pool, also those that must be closed."""

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol._should_close = False
        super()._release(key, protocol, should_close=False)


class TestAWrite:
    async def test_closes_its_connection_even_if_the_connector_would_keep_it(self, connect):
        async with FaultServer() as server:
            client = connect(server, connector=Hoarder)
            for _ in range(3):
                await client.payments.create_link(5)
                await pass_time(0.1)
                assert server.open_connections == 0
        assert server.connections == 3

    async def test_that_fails_also_closes_its_connection(self, connect):
        async with FaultServer(CUT_BODY) as server:
            client = connect(server, connector=Hoarder)
            with pytest.raises(OutcomeUnknownError):
                await client.payments.create_link(5)
            await pass_time(0.1)
            assert server.open_connections == 0


class TestASharedConnector:
    async def test_stays_open_when_the_client_is_closed(self, connect):
        async with aiohttp.TCPConnector() as shared, FaultServer() as server:
            client = connect(server, connector=lambda: shared, connector_owner=False)
            await client.payments.page("sent", 1)
            await client.payments.create_link(5)
            await client.aclose()
            assert not shared.closed
            async with aiohttp.ClientSession(connector=shared, connector_owner=False) as session:
                assert (await session.get(server.url)).status == 200

    async def test_shares_the_connections_of_reads(self, connect):
        async with aiohttp.TCPConnector() as shared, FaultServer() as server:
            for _ in range(3):
                client = connect(server, connector=lambda: shared, connector_owner=False)
                await client.payments.page("sent", 1)
            assert server.connections == 1

    @pytest.mark.parametrize("make", [aiohttp.TCPConnector, Hoarder])
    async def test_gives_a_write_its_own_connection(self, connect, make):
        async with make() as shared, FaultServer() as server:
            client = connect(server, connector=lambda: shared, connector_owner=False)
            await client.payments.page("sent", 1)
            for _ in range(3):
                await client.payments.create_link(5)
                await pass_time(0.1)
                assert server.open_connections == 1  # the read's
            await client.payments.page("sent", 1)
            assert server.connections == 4

    async def test_closes_a_connection_that_delivered_the_answer_to_another_request(self, connect):
        faults = (GOOD, answer(body=GOT), GOOD)
        async with aiohttp.TCPConnector() as shared, FaultServer(*faults) as server:
            client = connect(server, connector=lambda: shared, connector_owner=False)
            await client.payments.get(PAYMENT_ID)
            with pytest.raises(ResponseDecodeError):
                await client.payments.get("00000000-0000-4000-8000-000000000000")
            await pass_time(0.1)
            assert server.open_connections == 0
            await client.payments.get(PAYMENT_ID)
            assert server.connections == 2

    async def test_causes_no_warning(self, connect):
        async with aiohttp.TCPConnector() as shared, FaultServer() as server:
            client = connect(server, connector=lambda: shared, connector_owner=False)
            await client.payments.page("sent", 1)
            await client.aclose()
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                del client
                gc.collect()
        assert seen == []

    def test_needs_a_connector(self):
        with pytest.raises(ConfigurationError, match="connector_owner=False needs a connector"):
            PaywintClient(API_KEY, API_SECRET, connector_owner=False)

    @pytest.mark.parametrize("given", [None, 0, "no"])
    def test_needs_a_connector_owner_of_true_or_false(self, given):
        with pytest.raises(ConfigurationError, match="connector_owner must be True or False"):
            PaywintClient(API_KEY, API_SECRET, connector=dict, connector_owner=given)


class TestAUserAgent:
    async def test_precedes_the_sdks_own(self, connect):
        async with FaultServer() as server:
            await connect(server, user_agent="shop/1.0 (staging)").payments.page("sent", 1)
        sent = server.requests[0].headers["user-agent"]
        assert re.fullmatch(
            r"shop/1\.0 \(staging\) paywint-async/\S+ Python/\d\.\d+ aiohttp/\S+", sent
        )

    @pytest.mark.parametrize("given", ["", "a\r\nX-Evil: 1", " a", "é", 5])
    def test_that_is_not_valid_in_a_header_is_refused(self, given):
        with pytest.raises(ConfigurationError, match="user_agent"):
            PaywintClient(API_KEY, API_SECRET, user_agent=given)


@pytest.mark.parametrize("given", [None, "no", 0])
def test_trust_env_is_true_or_false(given):
    with pytest.raises(ConfigurationError, match="trust_env"):
        PaywintClient(API_KEY, API_SECRET, trust_env=given)
