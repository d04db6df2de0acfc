"""Connections: unexpected bytes never answer a request; a broken answer ends an attempt."""

from __future__ import annotations

import asyncio
import socket

import attrs
import pytest
from fault_server import (
    CLOSE_UNANSWERED,
    GOOD,
    GOT,
    PAYMENT_ID,
    RESET_UNANSWERED,
    Fault,
    FaultServer,
    Wire,
    head,
)
from sample_payments import POST
from virtual_time import pass_time

from paywint_async import RequestTimeoutError, ResponseDecodeError, TransportError

READ = attrs.evolve(POST, repeatable=True)
STALE = head(5) + b"stale"
OTHER_ID = PAYMENT_ID.replace("d421", "ffff")
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def now() -> float:
    return asyncio.get_running_loop().time()


def good_and(at_once: bytes = b"", later: bytes = b"") -> Fault:
    """A good answer and unexpected bytes: in the same write, or a second later."""

    async def play(wire: Wire) -> None:
        await wire.send(head(len(wire.good_body)) + wire.good_body + at_once)
        if later:
            await pass_time(1)
            await wire.send(later)

    return Fault("more than was asked for", play)


def in_parts(*parts: bytes) -> Fault:
    """Sends the bytes in parts; the connection stays open."""

    async def play(wire: Wire) -> None:
        for part in parts:
            await wire.send(part)
            await pass_time(0.01)

    return Fault("in parts", play)


class TestUnexpectedBytes:
    @pytest.mark.parametrize(
        "unasked",
        [
            STALE,
            head(None, 204),
            head(0, 408, "Connection: close\r\n"),
            head(None, 103),
            head(5) + b"sta",
            head(5),
            head(5)[:-9],
            b"nonsense\r\n\r\n",
            b"\r\n",
        ],
        ids=lambda data: repr(data)[-30:],
    )
    @pytest.mark.parametrize("when", ["at once", "later"])
    async def test_never_answer_a_write(self, transport_for, unasked, when):
        fault = good_and(unasked) if when == "at once" else good_and(later=unasked)
        if when == "at once" and not unasked.startswith(b"HTTP"):
            fault = good_and()  # an answer followed at once by garbage may be refused
        async with FaultServer(fault, GOOD) as server:
            transport = transport_for(server)
            first = await transport.send(POST)
            await pass_time(2)
            second = await transport.send(POST)
        assert [first.body, second.body] == [GOT, GOT]
        assert [seen.method for seen in server.requests] == ["POST", "POST"]

    async def test_in_the_same_write_never_answer_a_read(self, transport_for):
        async with FaultServer(good_and(STALE), GOOD) as server:
            transport = transport_for(server)
            answers = [await transport.send(READ) for _ in range(2)]
        assert [answer.body for answer in answers] == [GOT, GOT]

    async def test_that_arrive_later_are_never_returned_as_the_requested_payment(self, connect):
        """Otherwise each answer on this connection would be that of the request before."""
        async with FaultServer(good_and(later=head(len(GOT)) + GOT), GOOD) as server:
            client = connect(server)
            await client.payments.get(PAYMENT_ID)
            await pass_time(2)
            with pytest.raises(ResponseDecodeError, match=f"it is of payment {PAYMENT_ID}"):
                await client.payments.get(OTHER_ID)
            for asked in (OTHER_ID, PAYMENT_ID, OTHER_ID):
                await pass_time(1)
                assert str((await client.payments.get(asked)).payment_id) == asked
        assert server.connections == 2


class TestAWrite:
    async def test_has_its_own_connection_which_is_closed(self, transport_for):
        async with FaultServer() as server:
            transport = transport_for(server)
            for number in range(1, 4):
                await transport.send(POST)
                await pass_time(1)
                assert (server.connections, server.open_connections) == (number, 0)

    async def test_sends_connection_close(self, transport_for):
        async with FaultServer() as server:
            transport = transport_for(server)
            await transport.send(POST)
            await transport.send(READ)
        assert [seen.headers.get("connection") for seen in server.requests] == ["close", None]

    async def test_never_reuses_the_connection_of_a_read(self, transport_for):
        async with FaultServer() as server:
            transport = transport_for(server)
            await transport.send(READ)
            await transport.send(POST)
        assert server.connections == 2

    async def test_is_known_to_be_unsent_if_the_server_stopped_after_a_read(
        self, transport_for, failure_of
    ):
        async with FaultServer() as server:
            transport = transport_for(server)
            await transport.send(READ)
        error = await failure_of(transport, POST)
        assert (type(error), error.sent) == (TransportError, False)


class TestALostConnection:
    @pytest.mark.parametrize("fault", [CLOSE_UNANSWERED, RESET_UNANSWERED], ids=str)
    @pytest.mark.parametrize("repeatable", [True, False], ids=["read", "write"])
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    async def test_is_not_retried_by_aiohttp(
        self, transport_for, failure_of, fault, repeatable, method
    ):
        request = attrs.evolve(POST, method=method, repeatable=repeatable)
        async with FaultServer(GOOD, fault, GOOD) as server:
            transport = transport_for(server)
            await transport.send(request)
            error = await failure_of(transport, request)
        assert (type(error), error.sent) == (TransportError, True)
        assert len(server.requests) == 2


class TestABrokenBody:
    @pytest.mark.parametrize(
        "parts",
        [
            [b"", b"zz\r\n"],
            [b"5\r\nabcde\r\n", b"zz\r\n"],
            [b"5\r\nabcde", b"\r\nzz\r\n"],
            [b"5\r\nabcde\r\n", b"5\r\nabcdefg\r\n"],
        ],
        ids=str,
    )
    async def test_ends_the_attempt_at_once(self, transport_for, failure_of, parts):
        async with FaultServer(in_parts(CHUNKED + parts[0], parts[1])) as server:
            start = now()
            error = await failure_of(transport_for(server))
        assert (type(error), error.sent) == (TransportError, True)
        assert now() - start < 1

    async def test_that_is_compressed_ends_the_attempt_at_once(self, transport_for, failure_of):
        encoded = head(4, headers="Content-Encoding: deflate\r\n")
        async with FaultServer(in_parts(encoded, b"x\x9c\xab\xae")) as server:
            start = now()
            error = await failure_of(transport_for(server))
        assert (type(error), error.sent) == (TransportError, True)
        assert now() - start < 1


class TestConnecting:
    async def test_times_out_while_the_name_is_resolved(
        self, transport_for, failure_of, monkeypatch
    ):
        async def never(*args: object, **kwargs: object) -> None:
            await pass_time(3600)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
        server = FaultServer()
        server.url = "https://api.example"
        start = now()
        error = await failure_of(transport_for(server))
        assert (type(error), error.sent) == (RequestTimeoutError, False)
        assert now() - start == pytest.approx(10, abs=1)

    @pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
    async def test_times_out_before_the_attempt(self, transport_for, failure_of, fraction):
        # A listening socket with a full backlog does not accept further connections.
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            others = [socket.socket() for _ in range(8)]
            for other in others:
                other.setblocking(False)
                other.connect_ex(full.getsockname())
            server = FaultServer()
            server.url = f"http://127.0.0.1:{full.getsockname()[1]}"
            await pass_time(fraction)
            error = await failure_of(transport_for(server, request_timeout=6))
            for other in others:
                other.close()
        assert (type(error), error.sent) == (RequestTimeoutError, False)

    async def test_to_a_number_in_place_of_an_address_sends_nothing(
        self, transport_for, failure_of
    ):
        server = FaultServer()
        server.url = "https://2130706433"
        error = await failure_of(transport_for(server))
        assert (type(error), error.sent) == (TransportError, False)
        assert "names no host" in str(error)
