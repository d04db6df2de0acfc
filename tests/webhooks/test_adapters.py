"""The receiver in each framework, under its real server, with the emulator as the sender."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import attrs
import pytest
from aiohttp import web
from fastapi import Depends, FastAPI, Request
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from web_servers import serve_aiohttp, serve_asgi
from webhook_deliveries import SECRET, delivery, signed

from paywint_async import PaywintClient
from paywint_async.emulator import Emulator, WebhookFaults
from paywint_async.webhooks import (
    MAX_BODY,
    StandardWebhooks,
    WebhookReceiver,
    aiohttp_handler,
    asgi_app,
    starlette_endpoint,
)

pytestmark = pytest.mark.real_time
PATH = "/webhooks"


def serve_in_aiohttp(receiver):
    app = web.Application()
    app.router.add_route("*", PATH, aiohttp_handler(receiver))
    return serve_aiohttp(app)


def serve_in_starlette(receiver):
    endpoint = starlette_endpoint(receiver)
    return serve_asgi(Starlette(routes=[Route(PATH, endpoint, methods=["GET", "POST"])]))


def serve_in_fastapi(receiver):
    app = FastAPI()
    app.api_route(PATH, methods=["GET", "POST"])(starlette_endpoint(receiver))
    return serve_asgi(app)


def serve_in_fastapi_as_a_route(receiver):
    app = FastAPI()
    app.add_route(PATH, starlette_endpoint(receiver), methods=["GET", "POST"])
    return serve_asgi(app)


def serve_as_asgi(receiver):
    return serve_asgi(asgi_app(receiver))


def serve_mounted(receiver):
    return serve_asgi(Starlette(routes=[Mount(PATH, app=asgi_app(receiver))]))


def serve_in_aiohttp_behind_a_reader(receiver):
    @web.middleware
    async def log(request, handler):
        await request.read()
        return await handler(request)

    app = web.Application(middlewares=[log])
    app.router.add_route("*", PATH, aiohttp_handler(receiver))
    return serve_aiohttp(app)


def serve_in_fastapi_behind_a_reader(receiver):
    async def log(request: Request):
        await request.body()

    app = FastAPI(dependencies=[Depends(log)])
    app.api_route(PATH, methods=["GET", "POST"])(starlette_endpoint(receiver))
    return serve_asgi(app)


ADAPTERS = [serve_in_aiohttp, serve_in_starlette, serve_in_fastapi, serve_in_fastapi_as_a_route]
ADAPTERS += [serve_as_asgi, serve_mounted]
ADAPTERS += [serve_in_aiohttp_behind_a_reader, serve_in_fastapi_behind_a_reader]
# One adapter for each way to read a body; the others differ only in their routing.
READERS = [serve_in_aiohttp, serve_in_starlette, serve_as_asgi]


@attrs.define
class Served:
    """A receiver behind a server, and the events that its handler received."""

    url: str
    events: list
    failures: list

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])


@asynccontextmanager
async def served(adapter) -> AsyncIterator[Served]:
    events, failures = [], []

    async def on_event(event):
        if failures:
            raise failures.pop()
        events.append(event)

    receiver = WebhookReceiver(on_event, verifier=StandardWebhooks(SECRET))
    async with adapter(receiver) as url:
        path = f"{PATH}/" if adapter is serve_mounted else PATH  # the root of the mount
        yield Served(url=url + path, events=events, failures=failures)


async def post(url, body, **options):
    if "headers" not in options:
        options["headers"] = signed(body, at=int(time.time()))
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, **options) as answer,
    ):
        return answer.status, await answer.read()


def fresh() -> bytes:
    return delivery(at=time.time())


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_delivery_of_the_emulator_is_received_and_confirmed(adapter):
    async with served(adapter) as app:
        options = {"webhook_url": app.url, "webhook_secret": SECRET}
        options["webhook_retry_delays"] = (0.0, 0.0)
        faults = WebhookFaults(duplicate=1.0)
        async with Emulator(webhook_faults=faults, **options) as emulator:
            keys = emulator.api_key, emulator.api_secret
            async with PaywintClient(*keys, base_url=emulator.url) as client:
                link = await client.payments.create_link(5)
                app.failures.append(ValueError("busy"))
                for step in (emulator.open, emulator.process, emulator.pay):
                    await step(link.payment_id)
                await emulator.delivered()
                attempts = [delivery.attempts for delivery in emulator.deliveries]
                payment = await app.events[-1].confirm(client)
    assert attempts == [[500, 204, 204], [204, 204], [204, 204]]
    assert [event.status for event in app.events] == ["opened", "processing", "success"]
    assert all(event.is_verified for event in app.events)
    assert (payment.payment_id, payment.status) == (link.payment_id, "success")


@pytest.mark.parametrize("adapter", READERS)
async def test_an_answer_has_a_status_and_no_body(adapter):
    async with served(adapter) as app:
        app.failures.append(ValueError("a secret of the handler's"))
        assert await post(app.url, fresh()) == (500, b"")
        assert await post(app.url, fresh()) == (204, b"")
        assert await post(app.url, fresh(), headers={}) == (401, b"")
        assert await post(app.url, b"{") == (400, b"")
        async with aiohttp.ClientSession() as session, session.get(app.url) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert len(app.events) == 1


@pytest.mark.parametrize("adapter", READERS)
async def test_a_body_that_is_too_large_is_not_read_to_its_end(adapter):
    async def endless():
        nonlocal sent
        while sent < 50_000_000:
            sent += 10_000
            yield b" " * 10_000

    sent = 0
    async with served(adapter) as app:
        assert (await post(app.url, b" " * (MAX_BODY + 1)))[0] == 413
        try:
            status, _body = await post(app.url, endless(), headers={})
        except aiohttp.ClientError:  # the server closed the connection before the body's end
            status = 413
    assert (status, sent < 20_000_000) == (413, True)


@pytest.mark.parametrize("adapter", READERS)
async def test_a_body_that_is_too_large_leaves_no_generator_to_be_collected(adapter):
    def collect(generator):
        left.append(generator.__qualname__)
        hooks.finalizer(generator)

    left = []
    async with served(adapter) as app:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=collect)
        try:
            assert (await post(app.url, b" " * (MAX_BODY * 3)))[0] == 413
        finally:
            sys.set_asyncgen_hooks(*hooks)
    assert left == []


HEAD = b"POST /webhooks HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@asynccontextmanager
async def connected(app):
    reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.wait_for(asyncio.shield(closed(writer)), 5)


async def begin(reader, writer, kind):
    """Send the headers, and return when the application reads the body."""
    writer.write(HEAD + kind + b"Expect: 100-continue\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"


async def closed(writer):
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def failures_in(caplog):
    return [record.getMessage() for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("adapter", READERS)
@pytest.mark.parametrize(
    ("kind", "beginning", "is_abrupt"),
    [(b"Content-Length: 500\r\n", b"{", False), (CHUNKED, b"1\r\n{\r\n", True)],
)
async def test_a_sender_that_disconnects_within_the_body_causes_no_error(
    adapter, kind, beginning, is_abrupt, caplog
):
    async with served(adapter) as app:
        async with connected(app) as (reader, writer):
            await begin(reader, writer, kind)
            writer.write(beginning)
            await writer.drain()
            if is_abrupt:
                writer.transport.abort()
        assert (await post(app.url, fresh()))[0] == 204
    assert failures_in(caplog) == []


@pytest.mark.parametrize("adapter", READERS)
async def test_an_invalid_chunk_is_refused(adapter, caplog):
    async with served(adapter) as app, connected(app) as (reader, writer):
        await begin(reader, writer, CHUNKED)
        writer.write(b"1\r\n{\r\nzz\r\n{\r\n")
        writer.write_eof()
        answer = await reader.read(10_000)
    assert answer.split()[1:2] in ([b"400"], [])  # or the connection is closed
    assert b"Traceback" not in answer
    assert failures_in(caplog) == []


@pytest.mark.parametrize("adapter", READERS)
@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n{",
        b"Webhook-Id: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        b"Webhook-Id: 1\r\nWebhook-Id: 2\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_an_invalid_request_is_4xx(adapter, rest, caplog):
    async with served(adapter) as app, connected(app) as (reader, writer):
        writer.write(HEAD + rest)
        status = await reader.readline()
    assert status.split()[1][:1] == b"4"
    assert failures_in(caplog) == []


async def test_a_small_body_that_decompresses_to_a_large_one_is_refused():
    bomb = gzip.compress(b" " * 10_000_000)
    async with served(serve_in_aiohttp) as app:
        headers = {"Content-Encoding": "gzip"}
        assert (await post(app.url, bomb, headers=headers))[0] == 413


@pytest.mark.parametrize("adapter", READERS)
async def test_ten_concurrent_deliveries_are_processed_until_one_succeeds(
    adapter,
):
    ends, at_once = [ValueError(), asyncio.CancelledError(), None], 0

    async def on_event(event):
        nonlocal at_once
        at_once += 1
        peaks.append(at_once)
        for _ in range(20):  # lets the other deliveries arrive
            await asyncio.sleep(0)
        at_once -= 1
        end = ends.pop(0)
        if end is not None:
            raise end

    peaks, body = [], fresh()
    receiver = WebhookReceiver(on_event, verifier=StandardWebhooks(SECRET))
    async with adapter(receiver) as url:
        posts = [post(f"{url}{PATH}", body) for _ in range(10)]
        answers = await asyncio.gather(*posts, return_exceptions=True)
    worked = [answer for answer in answers if answer == (204, b"")]
    assert (len(worked), peaks) == (8, [1, 1, 1])


async def test_an_asgi_application_accepts_only_http():
    async def on_event(event):
        raise AssertionError

    app = asgi_app(WebhookReceiver(on_event, verifier=None))
    with pytest.raises(NotImplementedError, match="not by websocket"):
        await app({"type": "websocket"}, None, None)
