"""Redirects, failed connections and TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from fault_server import CLOSE_UNANSWERED, CUT_BODY, RESET_UNANSWERED, FaultServer, redirect, sends
from sample_payments import GET

from paywint_async import TransportError, UnexpectedRedirectError

CERTIFICATE = Path(__file__).with_name("loopback.pem")


class TestARedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_is_an_error_and_the_other_server_sees_nothing(self, connect, status):
        async with FaultServer() as other, FaultServer(redirect(status, other.url)) as server:
            with pytest.raises(UnexpectedRedirectError) as caught:
                await connect(server).payments.create_link(5)
        assert (caught.value.status, len(server.requests)) == (status, 1)
        assert (other.connections, other.requests) == (0, [])

    async def test_to_the_same_server_is_also_an_error(self, connect):
        async with FaultServer(redirect(302, "/elsewhere")) as server:
            with pytest.raises(UnexpectedRedirectError):
                await connect(server).payments.page("sent", 1)
        assert len(server.requests) == 1


class TestNoConnection:
    @pytest.fixture
    async def stopped(self) -> FaultServer:
        """A server that has stopped: its port refuses connections."""
        async with FaultServer() as server:
            pass
        return server

    async def test_means_that_nothing_was_sent(self, transport_for, failure_of, stopped):
        error = await failure_of(transport_for(stopped))
        assert (type(error), error.sent) == (TransportError, False)

    async def test_names_the_address_and_the_reason(self, transport_for, failure_of, stopped):
        error = await failure_of(transport_for(stopped))
        assert str(error) == f"create_link: cannot connect to {stopped.url} (Connection refused)"

    async def test_means_the_same_if_the_host_is_unknown(self, transport_for, failure_of, stopped):
        stopped.url = f"http://{'a.' * 130}invalid"  # too long for a DNS request
        error = await failure_of(transport_for(stopped))
        assert (type(error), error.sent) == (TransportError, False)

    @pytest.mark.parametrize("fault", [CLOSE_UNANSWERED, RESET_UNANSWERED, CUT_BODY], ids=str)
    async def test_differs_from_a_lost_connection(self, transport_for, failure_of, fault):
        async with FaultServer(fault) as server:
            error = await failure_of(transport_for(server))
        assert (type(error), error.sent) == (TransportError, True)


class TestTLS:
    @pytest.fixture
    def certificate(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        return context

    async def test_refuses_an_untrusted_certificate(self, transport_for, failure_of, certificate):
        async with FaultServer(tls=certificate) as server:
            error = await failure_of(transport_for(server))
        assert (type(error), error.sent, server.requests) == (TransportError, False, [])

    async def test_accepts_a_certificate_of_your_own_authority(self, transport_for, certificate):
        trust = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with FaultServer(tls=certificate) as server:
            response = await transport_for(server, ssl_context=trust).send(GET)
        assert response.status == 200

    async def test_keeps_its_connection_for_the_next_request(self, transport_for, certificate):
        trust = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with FaultServer(tls=certificate) as server:
            transport = transport_for(server, ssl_context=trust)
            for _ in range(5):
                await transport.send(GET)
        assert (len(server.requests), server.connections) == (5, 1)

    async def test_refuses_a_certificate_of_another_name(
        self, transport_for, failure_of, certificate
    ):
        trust = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with FaultServer(tls=certificate) as server:
            server.url = server.url.replace("127.0.0.1", "localhost")
            error = await failure_of(transport_for(server, ssl_context=trust))
        assert (type(error), error.sent, server.requests) == (TransportError, False, [])

    async def test_with_a_server_without_tls_is_a_failed_connection(
        self, transport_for, failure_of
    ):
        async with FaultServer(sends("plain text", lambda _: b"220 ready\r\n")) as server:
            server.url = server.url.replace("http:", "https:")
            error = await failure_of(transport_for(server, request_timeout=5))
        assert isinstance(error, TransportError)
        assert server.requests == []

    async def test_that_is_cut_in_the_body_is_a_lost_connection(
        self, transport_for, failure_of, certificate
    ):
        trust = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with FaultServer(CUT_BODY, tls=certificate) as server:
            error = await failure_of(transport_for(server, ssl_context=trust))
        assert (type(error), error.sent) == (TransportError, True)
