"""The error of a failed connection names its cause and the next step."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest
from fault_catalogue import EXPIRED, OTHER_NAME, PLAIN_HTTP, UNKNOWN_AUTHORITY
from fault_server import CLOSE_UNREAD, RESET_UNREAD, FaultServer

from paywint_async import RetryEvent, TransportError


class TestACertificate:
    @pytest.mark.parametrize(
        ("fault", "words", "step"),
        [
            (UNKNOWN_AUTHORITY, "unable to get local issuer certificate", "pass it in ssl_context"),
            (OTHER_NAME, "not valid for '127.0.0.1'", "base_url must have the name"),
            (EXPIRED, "certificate has expired", "check this machine's clock"),
        ],
        ids=str,
    )
    async def test_that_is_not_trusted_says_why_and_what_to_do(
        self, transport_for, failure_of, fault, words, step
    ):
        async with FaultServer(fault) as server:
            error = await failure_of(transport_for(server, ssl_context=fault.trust))
        assert words in str(error)
        assert step in str(error)
        assert (type(error), error.sent, error.is_transient) == (TransportError, False, False)

    async def test_that_is_not_trusted_is_not_retried(self, connect):
        events: list[object] = []
        async with FaultServer(UNKNOWN_AUTHORITY) as server:
            client = connect(server, on_event=events.append)
            for call in (client.payments.page("sent", 1), client.payments.create_link(5)):
                with pytest.raises(TransportError, match="ssl_context"):
                    await call
        assert [event for event in events if isinstance(event, RetryEvent)] == []


class TestAServerThatSpeaksNoTLS:
    async def test_is_reported_as_such_and_not_retried(self, connect):
        async with FaultServer(PLAIN_HTTP) as server:
            with pytest.raises(TransportError, match="does not speak https") as caught:
                await connect(server).payments.page("sent", 1)
        assert (server.connections, caught.value.sent) == (1, False)

    @pytest.mark.parametrize("fault", [CLOSE_UNREAD, RESET_UNREAD], ids=str)
    async def test_is_distinguished_from_one_that_hangs_up(self, transport_for, failure_of, fault):
        async with FaultServer(fault) as server:
            server.url = server.url.replace("http:", "https:")
            error = await failure_of(transport_for(server))
        assert (type(error), error.sent, error.is_transient) == (TransportError, False, True)


class TestAName:
    @pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL])
    async def test_that_does_not_resolve_has_the_resolvers_message(
        self, transport_for, failure_of, monkeypatch, code
    ):
        words = f"words of {code}"

        async def refuse(*args: object, **options: object) -> None:
            raise socket.gaierror(code, words)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", refuse)
        server = FaultServer()
        server.url = "https://api.example"
        error = await failure_of(transport_for(server))
        assert str(error) == (
            f"create_link: cannot connect to https://api.example ({words};"
            " check the host's name and this machine's DNS)"
        )
        assert (error.sent, error.is_transient) == (False, True)


class TestAnAddress:
    @pytest.mark.parametrize(
        "code", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMFILE]
    )
    async def test_that_cannot_be_reached_has_the_systems_message(
        self, transport_for, failure_of, monkeypatch, code
    ):
        async def refuse(*args: object) -> None:
            raise OSError(code, "Connect call failed ('127.0.0.1', 1)")

        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", refuse)
        server = FaultServer()
        server.url = "http://127.0.0.1:1"
        error = await failure_of(transport_for(server))
        assert str(error) == (
            f"create_link: cannot connect to http://127.0.0.1:1 ({os.strerror(code)})"
        )
        assert (error.sent, error.is_transient) == (False, True)
