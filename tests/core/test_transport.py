"""The transport over real HTTP: what it sends, which answers it accepts, and its time limits."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import sys
from contextlib import suppress
from importlib.metadata import version

import aiohttp
import attrs
import pytest
from fault_server import (
    API_KEY,
    API_SECRET,
    CUT_BODY,
    GOOD,
    GOT,
    KEEP_ALIVE_DROPPED,
    PAGE,
    SILENCE,
    Fault,
    FaultServer,
    Wire,
    answer,
    drip,
    head,
    late,
    sends,
)
from sample_payments import GET, POST
from virtual_time import pass_time

from paywint_async import (
    ClientClosedError,
    ConfigurationError,
    InvalidRequestError,
    OutcomeUnknownError,
    PaywintError,
    Request,
    RequestTimeoutError,
    Response,
    ResponseDecodeError,
)
from paywint_async._transport import Transport
from paywint_async._transport.pools import MAX_CALLS
from paywint_async._transport.transport import MAX_RESPONSE_BYTES

FULL_USER_AGENT = (
    f"paywint-async/{version('paywint-async')} Python/{sys.version_info.major}."
    f"{sys.version_info.minor} aiohttp/{aiohttp.__version__}"
)
READ = attrs.evolve(POST, repeatable=True)
BOUNDED = attrs.evolve(READ, is_bounded=True)


def latin_1(status: int) -> Fault:
    """An answer with a Latin-1 header that echoes the secret."""
    said = f"X-Said: caf\xe9 {API_SECRET}\r\n".encode("latin-1")
    return sends("latin-1", lambda _: head(2, status)[:-2] + said + b"\r\n{}")


def now() -> float:
    return asyncio.get_running_loop().time()


async def in_turn(transport: Transport, request: Request) -> Response:
    return await transport.in_turn(request, transport.send)


class TestWhatIsSent:
    async def test_is_the_request_as_it_was_made(self, transport_for):
        async with FaultServer() as server:
            await transport_for(server).send(POST)
        (seen,) = server.requests
        assert (seen.method, seen.path, seen.body) == ("POST", "/api/x", b"{}")

    async def test_has_the_headers_of_an_api_call(self, transport_for):
        async with FaultServer() as server:
            await transport_for(server).send(POST)
        expected = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": FULL_USER_AGENT,
            "x-api-key": API_KEY,
            "x-api-secret": API_SECRET,
        }
        headers = server.requests[0].headers
        assert {name: headers.get(name) for name in expected} == expected

    @pytest.mark.parametrize(
        "changed",
        [
            {"headers": {"traceparent": "00-1", "x-api-key": "another"}},
            {"path": "/api/x?y=1#z"},
            {"method": "PUT"},
        ],
        ids=str,
    )
    async def test_may_have_custom_headers_path_and_method(self, transport_for, changed):
        async with FaultServer() as server:
            await transport_for(server).send(attrs.evolve(POST, **changed))
        (seen,) = server.requests
        assert (seen.headers["x-api-key"], seen.body) == (API_KEY, b"{}")

    @pytest.mark.parametrize("path", ["/x HTTP/1.1\r\nA: b\r\n\r\n", "/x\nA: b"])
    async def test_cannot_inject_a_header_by_its_path(self, transport_for, path):
        async with FaultServer() as server:
            with suppress(PaywintError, ValueError):
                await transport_for(server).send(attrs.evolve(GET, path=path))
        assert [seen.headers.get("a") for seen in server.requests] in ([], [None])

    async def test_goes_to_no_other_host_than_the_base_urls(self, transport_for):
        async with FaultServer() as server, FaultServer() as other:
            request = attrs.evolve(GET, path=f"@{other.url.removeprefix('http://')}/")
            with pytest.raises(InvalidRequestError, match="path: must begin with a slash"):
                await transport_for(server).send(request)
        assert (server.requests, other.requests) == ([], [])

    async def test_asks_for_no_compression_on_the_same_machine(self, transport_for):
        async with FaultServer() as server:
            await transport_for(server).send(GET)
        assert server.requests[0].headers["accept-encoding"] == "identity"

    async def test_has_no_content_type_without_a_body(self, transport_for):
        async with FaultServer() as server:
            await transport_for(server).send(GET)
        headers = server.requests[0].headers
        assert (headers.get("content-type"), headers.get("content-length")) == (None, None)

    async def test_goes_below_the_path_of_the_base_url(self, transport_for):
        async with FaultServer() as server:
            server.url += "/v2"
            await transport_for(server).send(GET)
        assert server.requests[0].path == "/v2/api/x"

    @pytest.mark.parametrize(
        ("host", "sent"),
        [("bücher.example", "xn--bcher-kva.example"), ("ß.example", "xn--zca.example")],
    )
    async def test_encodes_a_host_as_browsers_do(self, transport_for, monkeypatch, host, sent):
        loop, asked = asyncio.get_running_loop(), []
        look_up = loop.getaddrinfo

        async def look_up_here(host, *args, **kwargs):
            asked.append(host)
            return await look_up("127.0.0.1", *args, **kwargs)

        monkeypatch.setattr(loop, "getaddrinfo", look_up_here)
        async with FaultServer() as server:
            server.url = server.url.replace("127.0.0.1", host)
            await transport_for(server).send(GET)
        assert (asked, server.requests[0].headers["host"].partition(":")[0]) == ([sent], sent)

    async def test_goes_to_no_host_with_an_invisible_character(self, transport_for):
        server = FaultServer()
        server.url = "https://api\u2060.example"
        with pytest.raises(ConfigurationError, match="names no host"):
            transport_for(server)

    async def test_has_no_cookies(self, transport_for):
        async with FaultServer(answer(headers="Set-Cookie: a=b; Path=/\r\n")) as server:
            transport = transport_for(server)
            await transport.send(GET)
            await transport.send(GET)
        assert "cookie" not in server.requests[1].headers

    async def test_uses_no_proxy_of_the_environment(self, transport_for, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        async with FaultServer() as server:
            await transport_for(server).send(GET)
        assert len(server.requests) == 1


class TestTheConnections:
    async def test_are_opened_on_first_use(self, transport_for):
        async with FaultServer() as server:
            transport_for(server)
            await pass_time(1)
        assert server.connections == 0

    async def test_are_kept_for_the_next_request(self, transport_for):
        async with FaultServer() as server:
            transport = transport_for(server)
            for _ in range(5):
                await transport.send(READ)
        assert (len(server.requests), server.connections) == (5, 1)

    async def test_of_listings_are_as_many_as_concurrent_requests(self, transport_for):
        async with FaultServer(late(10)) as server:
            transport, start = transport_for(server), now()
            await asyncio.gather(*(transport.send(BOUNDED) for _ in range(150)))
        assert (server.connections, now() - start) == (150, pytest.approx(10, abs=0.5))

    @pytest.mark.parametrize("request_", [GET, POST], ids=["reads", "writes"])
    async def test_of_single_calls_are_bounded_and_taken_in_order(self, transport_for, request_):
        async with FaultServer(late(10)) as server:
            transport, start = transport_for(server), now()
            paths = [f"/{number}" for number in range(250)]
            await asyncio.gather(
                *(in_turn(transport, attrs.evolve(request_, path=p)) for p in paths)
            )
        assert now() - start == pytest.approx(30, abs=0.5)
        assert [seen.path for seen in server.requests] == paths

    async def test_are_waited_for_until_the_deadline_and_nothing_is_sent(self, transport_for):
        async with FaultServer(SILENCE) as server:
            transport = transport_for(server)
            others = [asyncio.ensure_future(in_turn(transport, GET)) for _ in range(MAX_CALLS)]
            await pass_time(1)
            with pytest.raises(RequestTimeoutError, match="no free connection") as caught:
                await in_turn(transport, attrs.evolve(POST, deadline=now() + 5))
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        assert not caught.value.sent

    async def test_are_waited_for_outside_of_the_attempts_timeout(self, transport_for):
        async with FaultServer(late(10)) as server:
            transport = transport_for(server, request_timeout=15)
            calls = [in_turn(transport, GET) for _ in range(3 * MAX_CALLS)]
            answers = await asyncio.gather(*calls)
        assert {answer.status for answer in answers} == {200}

    async def test_are_not_waited_for_once_the_client_is_closed(self, transport_for):
        async with FaultServer(SILENCE) as server:
            transport = transport_for(server)
            calls = [asyncio.ensure_future(in_turn(transport, GET)) for _ in range(MAX_CALLS + 5)]
            await pass_time(1)
            await transport.aclose()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ClientClosedError}
        assert len(server.requests) == MAX_CALLS

    async def test_are_closed_after_an_upgrade(self, transport_for):
        # In debug mode, aiohttp warns about answers that are left open.
        asyncio.get_running_loop().set_debug(True)
        upgraded = head(None, 101, "Upgrade: x\r\nConnection: upgrade\r\n")
        async with FaultServer(sends("upgraded", lambda _: upgraded)) as server:
            answered = await transport_for(server).send(GET)
        gc.collect()
        assert answered.status == 101

    async def test_are_not_reused_when_the_server_has_dropped_them(self, transport_for):
        async with FaultServer(KEEP_ALIVE_DROPPED) as server:
            transport = transport_for(server)
            for _ in range(3):
                await transport.send(READ)
                await pass_time(1)
        assert (len(server.requests), server.connections) == (3, 3)

    @pytest.mark.parametrize("fault", [CUT_BODY, answer(503), SILENCE], ids=str)
    async def test_are_closed_after_a_failure(self, transport_for, fault):
        async with FaultServer(fault) as server:
            transport = transport_for(server)
            await asyncio.gather(*(transport.send(POST) for _ in range(5)), return_exceptions=True)
            await transport.aclose()
            await pass_time(1)
            assert server.open_connections == 0

    async def test_are_closed_when_the_request_is_cancelled(self, transport_for):
        async with FaultServer(SILENCE, GOOD) as server:
            transport = transport_for(server)
            task = asyncio.ensure_future(transport.send(POST))
            await pass_time(1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await pass_time(1)
            assert (task.cancelled(), server.open_connections) == (True, 0)

    async def test_serve_the_next_request_after_a_cancellation(self, transport_for):
        async with FaultServer(SILENCE, GOOD) as server:
            transport = transport_for(server)
            task = asyncio.ensure_future(transport.send(POST))
            await pass_time(1)
            task.cancel()
            assert (await transport.send(GET)).status == 200

    async def test_of_the_parent_are_left_alone_after_a_fork(self, transport_for, monkeypatch):
        async with FaultServer() as server:
            transport = transport_for(server)
            await transport.send(GET)
            monkeypatch.setattr("os.getpid", lambda: -1)
            await transport.send(GET)
            await transport.aclose()
            await pass_time(1)
            assert (server.connections, server.open_connections) == (2, 1)
            for parents in transport._pools._of_parent:
                await parents.aclose()


class TestTheAnswer:
    async def test_has_its_header_names_in_lower_case(self, transport_for):
        async with FaultServer(answer(429, headers="Retry-AFTER: 7\r\n")) as server:
            response = await transport_for(server).send(GET)
        assert (response.status, response.headers["retry-after"]) == (429, "7")

    @pytest.mark.parametrize("status", [200, 503])
    async def test_may_have_a_header_that_is_not_utf8(self, transport_for, status):
        async with FaultServer(latin_1(status)) as server:
            response = await transport_for(server).send(GET)
        assert (response.status, response.headers["x-said"]) == (status, "caf\udce9 ***")

    async def test_with_such_a_header_leaves_the_outcome_of_a_create_unknown(self, connect):
        async with FaultServer(latin_1(503)) as server:
            with pytest.raises(OutcomeUnknownError):
                await connect(server).payments.create_link(5)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [200, 201, 204, 301, 400, 418, 500, 599])
    async def test_is_whatever_the_status(self, transport_for, status):
        body = b"" if status == 204 else b"{}"
        async with FaultServer(answer(status, body)) as server:
            response = await transport_for(server).send(GET)
        assert (response.status, response.body) == (status, body)

    async def test_may_follow_early_hints(self, transport_for):
        notice = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        announced = sends("announced", lambda body: notice + head(len(body)) + body)
        async with FaultServer(announced) as server:
            response = await transport_for(server).send(GET)
        assert (response.status, response.body) == (200, GOT)

    async def test_to_switch_protocols_is_an_answer(self, transport_for):
        switching = sends(
            "101", lambda body: head(None, 101, "Upgrade: x\r\nConnection: upgrade\r\n")
        )
        async with FaultServer(switching) as server:
            response = await transport_for(server).send(GET)
        assert response.status == 101

    async def test_is_read_completely_if_it_arrives_in_small_parts(self, transport_for):
        async with FaultServer(drip(0.001)) as server:
            path = "/api/user-api/payment/list/payment-sent"
            response = await transport_for(server).send(
                Request(operation="sent", method="POST", path=path, body=b"{}")
            )
        assert response.body == PAGE

    async def test_may_be_as_large_as_the_limit(self, transport_for):
        async with FaultServer(answer(body=bytes(100_000))) as server:
            response = await transport_for(server, max_response_bytes=100_000).send(GET)
        assert len(response.body) == 100_000

    async def test_may_not_be_larger(self, transport_for, failure_of):
        async with FaultServer(answer(body=bytes(100_001))) as server:
            error = await failure_of(transport_for(server, max_response_bytes=100_000))
        assert (type(error), "more than 100000 bytes" in str(error)) == (ResponseDecodeError, True)

    async def test_is_counted_after_decompression(self, transport_for, failure_of):
        bomb = gzip.compress(bytes(64 * 1024 * 1024), 1)
        assert len(bomb) < MAX_RESPONSE_BYTES / 40
        encoded = answer(body=bomb, headers="Content-Encoding: gzip\r\n", name="a gzip bomb")
        async with FaultServer(encoded) as server:
            error = await failure_of(transport_for(server))
        assert (type(error), "more than 16777216" in str(error)) == (ResponseDecodeError, True)


class TestTime:
    async def test_of_an_attempt_is_bounded(self, transport_for, failure_of):
        async with FaultServer(SILENCE) as server:
            start = now()
            error = await failure_of(transport_for(server, request_timeout=7))
        assert (type(error), error.sent) == (RequestTimeoutError, True)
        assert now() - start == pytest.approx(7, abs=0.1)

    async def test_of_an_attempt_is_bounded_by_the_operations_deadline(
        self, transport_for, failure_of
    ):
        async with FaultServer(SILENCE) as server:
            start = now()
            request = Request(operation="get", method="GET", path="/", deadline=start + 3)
            await failure_of(transport_for(server, request_timeout=7), request)
        assert now() - start == pytest.approx(3, abs=0.1)

    @pytest.mark.parametrize("fault", [drip(5), drip(5, headers_too=True)], ids=str)
    async def test_runs_out_even_if_bytes_keep_arriving(self, transport_for, failure_of, fault):
        async with FaultServer(fault) as server:
            start = now()
            error = await failure_of(transport_for(server, request_timeout=60))
        assert type(error) is RequestTimeoutError
        assert now() - start <= 60.1

    async def test_is_enough_for_a_slow_answer(self, transport_for):
        async with FaultServer(late(29)) as server:
            assert (await transport_for(server).send(GET)).status == 200

    async def test_is_enough_for_a_body_long_after_its_head(self, transport_for):
        async def play(wire: Wire) -> None:
            await wire.send(head(len(GOT)))
            await pass_time(20)
            await wire.send(GOT)

        async with FaultServer(Fault("a late body", play)) as server:
            assert (await transport_for(server).send(POST)).body == GOT

    async def test_does_not_run_out_between_requests(self, transport_for):
        async with FaultServer() as server:
            transport = transport_for(server, request_timeout=5)
            await transport.send(GET)
            await pass_time(3600)
            assert (await transport.send(GET)).status == 200

    async def test_to_connect_is_bounded_and_nothing_was_sent(self, transport_for, failure_of):
        # A listening socket with a full backlog does not accept further connections.
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            address = full.getsockname()
            others = [socket.socket() for _ in range(8)]
            for other in others:
                other.setblocking(False)
                other.connect_ex(address)
            server = FaultServer()
            server.url = f"http://127.0.0.1:{address[1]}"
            start = now()
            error = await failure_of(transport_for(server))
            for other in others:
                other.close()
        assert (type(error), error.sent) == (RequestTimeoutError, False)
        assert now() - start == pytest.approx(10, abs=1)
