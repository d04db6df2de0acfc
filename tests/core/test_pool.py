"""Connections: what waits on one answers no other request, and what broke is not waited for."""

from __future__ import annotations

import asyncio
import socket

import pytest
from fault_server import (
    CLOSE_UNANSWERED,
    CLOSE_UNREAD,
    GOOD,
    GOT,
    RESET_UNANSWERED,
    RESET_UNREAD,
    Fault,
    FaultServer,
    Wire,
    head,
)
from sample_payments import GET, POST
from virtual_time import pass_time

from paywint_async import RequestTimeoutError, TransportError

pytestmark = pytest.mark.usefixtures("way")

STALE = head(5) + b"stale"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


async def _speak(wire: Wire) -> None:
    await wire.send(STALE)
    await wire.until_the_client_leaves()


SPEAKS_FIRST = Fault("speaks first", _speak, before_reading=True)


@pytest.fixture
async def slow_to_notice(monkeypatch) -> None:
    """What a server does at once comes before anybody looks at the new connection."""
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def connect_and_wait(*args, **kwargs):
        connected = await connect(*args, **kwargs)
        await pass_time(0.1)
        return connected

    monkeypatch.setattr(loop, "create_connection", connect_and_wait)


def now() -> float:
    return asyncio.get_running_loop().time()


def good_and(at_once: bytes = b"", later: bytes = b"") -> Fault:
    """A good answer, and more that nobody asked for: in the same write, and a second later."""

    async def play(wire: Wire) -> None:
        await wire.send(head(len(wire.good_body)) + wire.good_body + at_once)
        if later:
            await pass_time(1)
            await wire.send(later)

    return Fault("more than was asked for", play)


def in_parts(*parts: bytes) -> Fault:
    """Bytes that arrive one part after another; the connection stays."""

    async def play(wire: Wire) -> None:
        for part in parts:
            await wire.send(part)
            await pass_time(0.01)

    return Fault("in parts", play)


class Keeper:
    """A fault: good answers; what the server has of each connection is kept for the test."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.fault = Fault("good, and kept", self._play)

    async def _play(self, wire: Wire) -> None:
        self.wires.append(wire)
        await wire.send(head(len(wire.good_body)) + wire.good_body)


class TestWhatNobodyAskedFor:
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
    async def test_answers_no_other_request(self, session_for, unasked, when):
        fault = good_and(unasked) if when == "at once" else good_and(later=unasked)
        if when == "at once" and not unasked.startswith(b"HTTP"):
            fault = good_and()  # of an answer with nonsense behind it nothing need be believed
        async with FaultServer(fault, GOOD) as server:
            session = session_for(server)
            first = await session.send(POST)
            await pass_time(2)
            second = await session.send(POST)
        assert [first.body, second.body] == [GOT, GOT]
        assert [seen.method for seen in server.requests] == ["POST", "POST"]

    async def test_answers_none_although_its_head_was_cut_in_two(self, session_for):
        async with FaultServer(good_and(STALE[:30], STALE[30:]), GOOD) as server:
            session = session_for(server)
            await session.send(POST)
            await pass_time(2)
            assert (await session.send(POST)).body == GOT
        assert (len(server.requests), server.connections) == (2, 2)

    async def test_answers_none_although_the_loop_has_not_read_it_yet(self, session_for):
        keeper = Keeper()
        async with FaultServer(keeper.fault) as server:
            session = session_for(server)
            await session.send(POST)
            await keeper.wires[0].send(STALE)  # it is in the kernel now
            assert (await session.send(POST)).body == GOT
        assert (len(server.requests), server.connections) == (2, 2)

    async def test_costs_each_of_many_connections_only_itself(self, session_for):
        async with FaultServer(*[good_and(later=STALE)] * 5, GOOD) as server:
            session = session_for(server)
            await asyncio.gather(*(session.send(POST) for _ in range(5)))
            await pass_time(2)
            assert (await session.send(POST)).body == GOT
            await pass_time(1)
            assert (server.connections, server.open_connections) == (6, 1)

    @pytest.mark.parametrize("fault", [SPEAKS_FIRST, CLOSE_UNREAD, RESET_UNREAD], ids=str)
    async def test_before_the_first_request_makes_it_no_connection(
        self, session_for, failure_of, slow_to_notice, fault
    ):
        async with FaultServer(fault) as server:
            error = await failure_of(session_for(server))
            await pass_time(1)
            assert (server.requests, server.open_connections) == ([], 0)
        assert (type(error), error.sent) == (TransportError, False)

    async def test_after_a_switch_of_protocols_is_not_heard(self, session_for, way):
        switching = in_parts(head(None, 101), STALE)
        async with FaultServer(switching, GOOD) as server:
            session = session_for(server)
            assert (await session.send(GET)).status == 101
            if way != "written here":  # aiohttp keeps the connection: this is seen once it is there
                await pass_time(1)
            assert (await session.send(GET)).body == GOT
        assert server.connections == 2


class TestALostConnection:
    @pytest.mark.parametrize("fault", [CLOSE_UNANSWERED, RESET_UNANSWERED], ids=str)
    @pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
    async def test_that_was_kept_is_never_replaced_in_silence(
        self, session_for, failure_of, fault, request_
    ):
        async with FaultServer(GOOD, fault, GOOD) as server:
            session = session_for(server)
            await session.send(request_)
            error = await failure_of(session, request_)
        assert (type(error), error.sent) == (TransportError, True)
        assert (len(server.requests), server.connections) == (2, 1)

    async def test_is_not_used_although_the_loop_has_not_seen_its_end_yet(self, session_for):
        keeper = Keeper()
        async with FaultServer(keeper.fault) as server:
            session = session_for(server)
            await session.send(POST)
            keeper.wires[0].end()
            assert (await session.send(POST)).body == GOT
        assert (len(server.requests), server.connections) == (2, 2)


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
    async def test_ends_the_attempt_at_once(self, session_for, failure_of, parts):
        async with FaultServer(in_parts(CHUNKED + parts[0], parts[1])) as server:
            start = now()
            error = await failure_of(session_for(server))
        assert (type(error), error.sent) == (TransportError, True)
        assert now() - start < 1

    async def test_of_compressed_bytes_does_so_too(self, session_for, failure_of):
        encoded = head(4, headers="Content-Encoding: deflate\r\n")
        async with FaultServer(in_parts(encoded, b"x\x9c\xab\xae")) as server:
            start = now()
            error = await failure_of(session_for(server))
        assert (type(error), error.sent) == (TransportError, True)
        assert now() - start < 1


class TestConnecting:
    async def test_is_bounded_while_the_name_is_looked_up(
        self, session_for, failure_of, monkeypatch
    ):
        async def never(*args: object, **kwargs: object) -> None:
            await pass_time(3600)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
        server = FaultServer()
        server.url = "https://api.example"
        start = now()
        error = await failure_of(session_for(server))
        assert (type(error), error.sent) == (RequestTimeoutError, False)
        assert now() - start == pytest.approx(10, abs=1)

    @pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
    async def test_ends_sooner_than_the_attempt(self, session_for, failure_of, fraction):
        # A listening socket whose queue is full answers no more connection requests.
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
            error = await failure_of(session_for(server, request_timeout=6))
            for other in others:
                other.close()
        assert (type(error), error.sent) == (RequestTimeoutError, False)

    async def test_to_a_number_that_is_no_address_sends_nothing(self, session_for, failure_of):
        server = FaultServer()
        server.url = "https://2130706433"
        error = await failure_of(session_for(server))
        assert (type(error), error.sent) == (TransportError, False)
        assert "names no host" in str(error)
