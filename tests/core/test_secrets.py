"""The secret is not in errors, their chains, frames and pickles, and not in the log."""

from __future__ import annotations

import asyncio
import logging
import pickle

import attrs
import pytest
from fault_server import (
    API_KEY,
    API_SECRET,
    CLOSE_UNANSWERED,
    CUT_BODY,
    GOOD,
    RESET_UNANSWERED,
    SILENCE,
    FaultServer,
    answer,
    head,
    sends,
)
from virtual_time import pass_time

from paywint_async import APIError, PaywintClient, PaywintError, RetryPolicy, ServerError

ONCE = RetryPolicy(max_attempts=1)


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

    async def test_is_in_nothing_that_a_cancellation_shows(self, connect, shown):
        async with FaultServer(SILENCE) as server:
            waiting = asyncio.create_task(connect(server).payments.page("sent", 1))
            await pass_time(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await waiting
        assert len(server.requests) == 1
        shows = shown(caught.value)
        assert [secret for secret in (API_KEY, API_SECRET) if secret in shows] == []

    async def test_is_in_nothing_that_a_cancellation_before_the_connection_shows(
        self, connect, shown, monkeypatch
    ):
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "sock_connect", lambda *_: pass_time(3600))
        async with FaultServer() as server:
            waiting = asyncio.create_task(connect(server).payments.page("sent", 1))
            await pass_time(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await waiting
        assert server.connections == 0
        shows = shown(caught.value)
        assert [secret for secret in (API_KEY, API_SECRET) if secret in shows] == []

    async def test_is_in_nothing_that_the_error_of_an_invalid_body_shows(self, connect, shown):
        async def text(request, handler):
            return await handler(attrs.evolve(request, body="{}"))

        async with FaultServer() as server:
            with pytest.raises(TypeError) as caught:
                await connect(server, middlewares=[text]).payments.page("sent", 1)
        shows = shown(caught.value)
        assert [secret for secret in (API_KEY, API_SECRET) if secret in shows] == []

    @pytest.mark.parametrize("fault", FAULTS, ids=str)
    async def test_is_followed_by_no_error_of_aiohttp_in_the_chain(self, connect, fault):
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
    async def test_is_redacted_in_an_answer_that_echoes_it(self, connect, status, body, shown):
        echo = answer(status, body.replace("%s", API_SECRET).encode())
        async with FaultServer(echo) as server:
            with pytest.raises(APIError) as caught:
                await connect(server, retry=ONCE).payments.page("sent", 1)
        assert API_SECRET not in shown(caught.value)

    async def test_is_redacted_in_its_escaped_form(self):
        secret = 'pw_"quoted"\\and/slashed'
        body = b'{"message":"who is pw_\\"quoted\\"\\\\and\\/slashed?"}'
        async with FaultServer(answer(401, body)) as server:
            client = PaywintClient(API_KEY, secret, base_url=server.url)
            async with client:
                with pytest.raises(APIError) as caught:
                    await client.payments.page("sent", 1)
        assert secret not in caught.value.message

    async def test_is_in_no_log_record(self, connect, caplog):
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
