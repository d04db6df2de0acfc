"""The session over real HTTP: what leaves, what may come back, and how it ends."""

from __future__ import annotations

import asyncio
import gzip
import logging
import pickle
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faults import (
    API_KEY,
    API_SECRET,
    CLOSE_UNANSWERED,
    CUT_BODY,
    GOOD,
    KEEP_ALIVE_DROPPED,
    PAGE,
    RESET_UNANSWERED,
    SILENCE,
    FaultServer,
    answer,
    drip,
    head,
    late,
    redirect,
    sends,
)
from virtual_time import pass_time

from paywint_async import (
    APIError,
    ClientClosedError,
    PaywintClient,
    PaywintError,
    Request,
    RequestTimeoutError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    TransportError,
    UnexpectedRedirectError,
)
from paywint_async.config import Credentials
from paywint_async.session import MAX_RESPONSE_BYTES, SessionManager

CERTIFICATE = Path(__file__).with_name("loopback.pem")
GET = Request(operation="get", method="GET", path="/api/x")
POST = Request(operation="create_link", method="POST", path="/api/x", body=b"{}", repeatable=False)
ONCE = RetryPolicy(max_attempts=1)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
async def session_for() -> AsyncIterator:
    """`session_for(server, **options)`: a session manager, closed when the test ends."""
    sessions: list[SessionManager] = []

    def new_session(
        server: FaultServer, request_timeout: float = 30.0, **options
    ) -> SessionManager:
        credentials = Credentials(API_KEY, API_SECRET)
        sessions.append(
            SessionManager(credentials, server.url, request_timeout=request_timeout, **options)
        )
        return sessions[-1]

    yield new_session
    for session in sessions:
        await session.aclose()


async def failure_of(session: SessionManager, request: Request = POST) -> PaywintError:
    with pytest.raises(PaywintError) as caught:
        await session.send(request)
    return caught.value


class TestWhatIsSent:
    async def test_is_the_request_as_it_was_made(self, session_for):
        async with FaultServer() as server:
            await session_for(server).send(POST)
        (seen,) = server.requests
        assert (seen.method, seen.path, seen.body) == ("POST", "/api/x", b"{}")

    async def test_has_the_headers_of_an_api_call(self, session_for):
        async with FaultServer() as server:
            await session_for(server).send(POST)
        expected = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": "paywint-async",
            "x-api-key": API_KEY,
            "x-api-secret": API_SECRET,
        }
        headers = server.requests[0].headers
        assert {name: headers.get(name) for name in expected} == expected

    async def test_has_no_content_type_without_a_body(self, session_for):
        async with FaultServer() as server:
            await session_for(server).send(GET)
        headers = server.requests[0].headers
        assert (headers.get("content-type"), headers.get("content-length")) == (None, None)

    async def test_goes_below_the_path_of_the_base_url(self, session_for):
        async with FaultServer() as server:
            server.url += "/v2"
            await session_for(server).send(GET)
        assert server.requests[0].path == "/v2/api/x"

    async def test_has_no_cookies(self, session_for):
        async with FaultServer(answer(headers="Set-Cookie: a=b; Path=/\r\n")) as server:
            session = session_for(server)
            await session.send(GET)
            await session.send(GET)
        assert "cookie" not in server.requests[1].headers

    async def test_goes_through_no_proxy_of_the_environment(self, session_for, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        async with FaultServer() as server:
            await session_for(server).send(GET)
        assert len(server.requests) == 1


class TestTheConnections:
    async def test_are_opened_on_first_use(self, session_for):
        async with FaultServer() as server:
            session_for(server)
            await pass_time(1)
        assert server.connections == 0

    async def test_are_kept_for_the_next_request(self, session_for):
        async with FaultServer() as server:
            session = session_for(server)
            for _ in range(5):
                await session.send(POST)
        assert (len(server.requests), server.connections) == (5, 1)

    async def test_are_as_many_as_there_are_requests_at_once(self, session_for):
        async with FaultServer(late(10)) as server:
            session, start = session_for(server), now()
            await asyncio.gather(*(session.send(POST) for _ in range(150)))
        assert (server.connections, now() - start) == (150, pytest.approx(10, abs=0.5))

    async def test_are_not_reused_when_the_server_has_dropped_them(self, session_for):
        async with FaultServer(KEEP_ALIVE_DROPPED) as server:
            session = session_for(server)
            for _ in range(3):
                await session.send(POST)
                await pass_time(1)
        assert (len(server.requests), server.connections) == (3, 3)

    @pytest.mark.parametrize("fault", [CUT_BODY, answer(503), SILENCE], ids=str)
    async def test_leave_nothing_open_after_a_failure(self, session_for, fault):
        async with FaultServer(fault) as server:
            session = session_for(server)
            await asyncio.gather(*(session.send(POST) for _ in range(5)), return_exceptions=True)
            await session.aclose()
            await pass_time(1)
            assert server.open_connections == 0

    async def test_are_closed_when_the_request_is_cancelled(self, session_for):
        async with FaultServer(SILENCE, GOOD) as server:
            session = session_for(server)
            task = asyncio.ensure_future(session.send(POST))
            await pass_time(1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await pass_time(1)
            assert (task.cancelled(), server.open_connections) == (True, 0)

    async def test_serve_the_next_request_after_a_cancellation(self, session_for):
        async with FaultServer(SILENCE, GOOD) as server:
            session = session_for(server)
            task = asyncio.ensure_future(session.send(POST))
            await pass_time(1)
            task.cancel()
            assert (await session.send(GET)).status == 200

    async def test_of_the_parent_are_left_alone_after_a_fork(self, session_for, monkeypatch):
        async with FaultServer() as server:
            session = session_for(server)
            await session.send(GET)
            monkeypatch.setattr("os.getpid", lambda: -1)
            await session.send(GET)
            await session.aclose()
            await pass_time(1)
            assert (server.connections, server.open_connections) == (2, 1)
            for parents in session._foreign:
                await parents.close()


class TestTheAnswer:
    async def test_has_its_header_names_in_lower_case(self, session_for):
        async with FaultServer(answer(429, headers="Retry-AFTER: 7\r\n")) as server:
            response = await session_for(server).send(GET)
        assert (response.status, response.headers["retry-after"]) == (429, "7")

    @pytest.mark.parametrize("status", [200, 201, 204, 301, 400, 418, 500, 599])
    async def test_is_whatever_the_status(self, session_for, status):
        body = b"" if status == 204 else b"{}"
        async with FaultServer(answer(status, body)) as server:
            response = await session_for(server).send(GET)
        assert (response.status, response.body) == (status, body)

    async def test_is_read_whole_however_it_comes(self, session_for):
        async with FaultServer(drip(0.001)) as server:
            path = "/api/user-api/payment/list/payment-sent"
            response = await session_for(server).send(
                Request(operation="sent", method="POST", path=path, body=b"{}")
            )
        assert response.body == PAGE

    async def test_may_be_as_large_as_the_cap(self, session_for):
        async with FaultServer(answer(body=bytes(100_000))) as server:
            response = await session_for(server, max_response_bytes=100_000).send(GET)
        assert len(response.body) == 100_000

    async def test_may_not_be_larger(self, session_for):
        async with FaultServer(answer(body=bytes(100_001))) as server:
            error = await failure_of(session_for(server, max_response_bytes=100_000))
        assert (type(error), "more than 100000 bytes" in str(error)) == (ResponseDecodeError, True)

    async def test_is_counted_after_decompression(self, session_for):
        bomb = gzip.compress(bytes(64 * 1024 * 1024), 1)
        assert len(bomb) < MAX_RESPONSE_BYTES / 40
        encoded = answer(body=bomb, headers="Content-Encoding: gzip\r\n", name="a gzip bomb")
        async with FaultServer(encoded) as server:
            error = await failure_of(session_for(server))
        assert (type(error), "more than 16777216" in str(error)) == (ResponseDecodeError, True)


class TestTime:
    async def test_that_an_attempt_takes_is_bounded(self, session_for):
        async with FaultServer(SILENCE) as server:
            start = now()
            error = await failure_of(session_for(server, request_timeout=7))
        assert (type(error), error.sent) == (RequestTimeoutError, True)
        assert now() - start == pytest.approx(7, abs=0.1)

    async def test_is_bounded_by_the_operations_deadline_too(self, session_for):
        async with FaultServer(SILENCE) as server:
            start = now()
            request = Request(operation="get", method="GET", path="/", deadline=start + 3)
            await failure_of(session_for(server, request_timeout=7), request)
        assert now() - start == pytest.approx(3, abs=0.1)

    @pytest.mark.parametrize("fault", [drip(5), drip(5, headers_too=True)], ids=str)
    async def test_runs_out_although_bytes_keep_coming(self, session_for, fault):
        async with FaultServer(fault) as server:
            start = now()
            error = await failure_of(session_for(server, request_timeout=60))
        assert type(error) is RequestTimeoutError
        assert now() - start <= 60.1

    async def test_is_enough_for_a_slow_answer(self, session_for):
        async with FaultServer(late(29)) as server:
            assert (await session_for(server).send(GET)).status == 200

    async def test_does_not_run_out_between_requests(self, session_for):
        async with FaultServer() as server:
            session = session_for(server, request_timeout=5)
            await session.send(GET)
            await pass_time(3600)
            assert (await session.send(GET)).status == 200

    async def test_to_connect_is_bounded_and_nothing_was_sent(self, session_for):
        # A listening socket whose queue is full answers no more connection requests.
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
            error = await failure_of(session_for(server))
            for other in others:
                other.close()
        assert (type(error), error.sent) == (RequestTimeoutError, False)
        assert now() - start == pytest.approx(10, abs=1)


class TestARedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_is_an_error_and_the_other_server_sees_nothing(self, connect, status):
        async with FaultServer() as other, FaultServer(redirect(status, other.url)) as server:
            with pytest.raises(UnexpectedRedirectError) as caught:
                await connect(server).payments.create_link(5)
        assert (caught.value.status, len(server.requests)) == (status, 1)
        assert (other.connections, other.requests) == (0, [])

    async def test_to_the_same_server_is_an_error_too(self, connect):
        async with FaultServer(redirect(302, "/elsewhere")) as server:
            with pytest.raises(UnexpectedRedirectError):
                await connect(server).payments.page("sent", 1)
        assert len(server.requests) == 1


class TestNoConnection:
    @pytest.fixture
    async def nobody(self) -> FaultServer:
        """A server that has gone: its port refuses."""
        async with FaultServer() as server:
            pass
        return server

    async def test_means_that_nothing_was_sent(self, session_for, nobody):
        error = await failure_of(session_for(nobody))
        assert (type(error), error.sent) == (TransportError, False)

    async def test_names_the_address_and_the_reason(self, session_for, nobody):
        error = await failure_of(session_for(nobody))
        assert str(error) == f"create_link: cannot connect to {nobody.url} (Connection refused)"

    async def test_is_so_where_the_host_is_unknown(self, session_for, nobody):
        nobody.url = f"http://{'a.' * 130}invalid"  # too long a name, so no resolver is asked
        error = await failure_of(session_for(nobody))
        assert (type(error), error.sent) == (TransportError, False)

    @pytest.mark.parametrize("host", ["a..b", f"{'x' * 64}.example"])
    async def test_is_so_where_the_host_is_none(self, session_for, nobody, host):
        nobody.url = f"https://{host}"
        error = await failure_of(session_for(nobody))
        assert (type(error), error.sent) == (TransportError, False)

    @pytest.mark.parametrize("fault", [CLOSE_UNANSWERED, RESET_UNANSWERED, CUT_BODY], ids=str)
    async def test_is_not_the_same_as_a_lost_one(self, session_for, fault):
        async with FaultServer(fault) as server:
            error = await failure_of(session_for(server))
        assert (type(error), error.sent) == (TransportError, True)


class TestTLS:
    @pytest.fixture
    def certificate(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        return context

    async def test_is_refused_where_nobody_vouches_for_the_server(self, session_for, certificate):
        async with FaultServer(tls=certificate) as server:
            error = await failure_of(session_for(server))
        assert (type(error), error.sent, server.requests) == (TransportError, False, [])

    async def test_is_taken_where_your_own_authority_does(self, session_for, certificate):
        trust = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with FaultServer(tls=certificate) as server:
            response = await session_for(server, ssl_context=trust).send(GET)
        assert response.status == 200

    async def test_is_refused_where_the_name_is_another(self, session_for, certificate):
        trust = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with FaultServer(tls=certificate) as server:
            server.url = server.url.replace("127.0.0.1", "localhost")
            error = await failure_of(session_for(server, ssl_context=trust))
        assert (type(error), error.sent, server.requests) == (TransportError, False, [])

    async def test_that_the_server_does_not_speak_is_no_connection(self, session_for):
        async with FaultServer(sends("plain text", lambda _: b"220 ready\r\n")) as server:
            server.url = server.url.replace("http:", "https:")
            error = await failure_of(session_for(server, request_timeout=5))
        assert isinstance(error, TransportError)
        assert server.requests == []

    async def test_that_is_cut_in_the_body_is_a_lost_connection(self, session_for, certificate):
        trust = ssl.create_default_context(cafile=str(CERTIFICATE))
        async with FaultServer(CUT_BODY, tls=certificate) as server:
            error = await failure_of(session_for(server, ssl_context=trust))
        assert (type(error), error.sent) == (TransportError, True)


class TestClosing:
    async def test_can_be_done_twice(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            await client.payments.page("sent", 1)
            await client.aclose()
            await client.aclose()
        assert repr(client) == f"<PaywintClient {server.url} closed>"

    async def test_closes_every_connection(self, session_for):
        async with FaultServer() as server:
            session = session_for(server)
            await asyncio.gather(*(session.send(POST) for _ in range(5)))
            await session.aclose()
            await pass_time(1)
            assert server.open_connections == 0

    async def test_refuses_what_comes_after(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            await client.aclose()
            with pytest.raises(ClientClosedError, match="the client is closed"):
                await client.payments.page("sent", 1)
        assert server.connections == 0

    async def test_before_first_use_opens_nothing(self, connect):
        async with FaultServer() as server:
            await connect(server).aclose()
        assert server.connections == 0

    @pytest.mark.parametrize("fault", [SILENCE, drip(1), late(100)], ids=str)
    async def test_ends_a_request_under_way(self, session_for, fault):
        async with FaultServer(fault) as server:
            session = session_for(server)
            task = asyncio.ensure_future(session.send(POST))
            await pass_time(2)
            await session.aclose()
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

    async def test_happens_at_the_end_of_the_block(self):
        async with FaultServer() as server:
            async with PaywintClient(API_KEY, API_SECRET, base_url=server.url) as client:
                await client.payments.page("sent", 1)
            with pytest.raises(ClientClosedError):
                await client.payments.page("sent", 1)

    async def test_happens_when_the_block_fails(self):
        client = PaywintClient(API_KEY, API_SECRET)
        with pytest.raises(LookupError):
            async with client:
                raise LookupError
        assert repr(client).endswith("closed>")

    async def test_forgotten_is_a_warning(self):
        async with FaultServer() as server:
            client = PaywintClient(API_KEY, API_SECRET, base_url=server.url)
            await client.payments.page("sent", 1)
            sessions = list(client._session._sessions.values())
            with pytest.warns(ResourceWarning, match="unclosed client of http://127"):
                del client
            for session in sessions:
                await session.close()

    async def test_never_used_needs_no_closing(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            PaywintClient(API_KEY, API_SECRET)


class TestTheSecret:
    FAULTS = (
        CLOSE_UNANSWERED,
        RESET_UNANSWERED,
        CUT_BODY,
        SILENCE,
        answer(400),
        answer(503),
        answer(301, headers="Location: http://x.invalid\r\n"),
        answer(body=b"<html>", name="no JSON"),
        sends("no HTTP", lambda _: b"\0\1\2\3 nonsense\r\n\r\n"),
        sends("a bad header", lambda body: head(len(body), headers="X: a\0b\r\n") + body),
    )

    @pytest.mark.parametrize("fault", FAULTS, ids=str)
    async def test_is_in_nothing_that_an_error_shows(self, connect, fault, shown):
        async with FaultServer(fault) as server:
            client = connect(server, retry=ONCE)
            with pytest.raises(PaywintError) as caught:
                await client.payments.create_link(5)
        assert server.requests[0].headers["x-api-secret"] == API_SECRET
        shows = shown(caught.value)
        assert [secret for secret in (API_KEY, API_SECRET) if secret in shows] == []

    @pytest.mark.parametrize("fault", FAULTS, ids=str)
    async def test_leaves_no_foreign_error_behind_ours(self, connect, fault):
        async with FaultServer(fault) as server:
            with pytest.raises(PaywintError) as caught:
                await connect(server, retry=ONCE).payments.page("sent", 1)
        error = caught.value
        chain = []
        while error is not None:
            chain.append(error)
            error = error.__cause__ or error.__context__
        assert [link for link in chain if type(link).__module__.startswith("aiohttp")] == []

    @pytest.mark.parametrize("status", [200, 400, 401, 422, 500])
    @pytest.mark.parametrize(
        "body",
        [
            '{"success":false,"message":"who is %s?"}',
            '{"success":false,"detail":"who is %s?"}',
            '{"success":false,"detail":[{"loc":["%s"],"msg":"%s"}]}',
        ],
    )
    async def test_is_taken_out_of_an_answer_that_echoes_it(self, connect, status, body, shown):
        echo = answer(status, body.replace("%s", API_SECRET).encode())
        async with FaultServer(echo) as server:
            with pytest.raises(APIError) as caught:
                await connect(server, retry=ONCE).payments.page("sent", 1)
        assert API_SECRET not in shown(caught.value)

    async def test_is_taken_out_as_json_writes_it(self):
        secret = 'pw_"quoted"\\and/slashed'
        body = b'{"message":"who is pw_\\"quoted\\"\\\\and\\/slashed?"}'
        async with FaultServer(answer(401, body)) as server:
            client = PaywintClient(API_KEY, secret, base_url=server.url)
            async with client:
                with pytest.raises(APIError) as caught:
                    await client.payments.page("sent", 1)
        assert secret not in caught.value.message

    async def test_is_in_no_log_line(self, connect, caplog):
        caplog.set_level(logging.DEBUG)
        async with FaultServer(CLOSE_UNANSWERED, answer(503), CUT_BODY, GOOD) as server:
            await connect(server).payments.page("sent", 1)
        logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
        assert "attempt 1 failed" in logged
        assert API_SECRET not in logged

    async def test_is_not_in_a_pickled_error(self, connect):
        async with FaultServer(answer(503)) as server:
            with pytest.raises(ServerError) as caught:
                await connect(server, retry=ONCE).payments.page("sent", 1)
        assert API_SECRET.encode() not in pickle.dumps(caught.value)


class TestEventLoops:
    @staticmethod
    async def use(client: PaywintClient, server: FaultServer) -> int:
        async with server:
            client._session._base_url = server.url
            return len((await client.payments.page("sent", 1)).records)

    @pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
    def test_a_client_may_be_used_from_one_after_another(self):
        client = PaywintClient(API_KEY, API_SECRET, base_url="http://127.0.0.1:1")
        counts = [asyncio.run(self.use(client, FaultServer())) for _ in range(3)]
        asyncio.run(client.aclose())
        assert counts == [1, 1, 1]
