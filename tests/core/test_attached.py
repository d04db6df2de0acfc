"""Tools that attach to `aiohttp.ClientSession` work with this SDK, for reads and writes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import vcr
from aiohttp import ClientResponse
from aioresponses import aioresponses
from fault_server import API_KEY, API_SECRET, GOT, LINK, PAGE, PAYMENT_ID, FaultServer
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from vcr.errors import CannotOverwriteExistingCassetteException

from paywint_async import PaywintClient, PaywintError

CALLS: dict[str, Callable[[PaywintClient], Awaitable[Any]]] = {
    "create": lambda client: client.payments.create_link(Decimal("150.75")),
    "get": lambda client: client.payments.get(PAYMENT_ID),
    "listing": lambda client: client.payments.received().collect(),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def client_of(server: FaultServer) -> PaywintClient:
    return PaywintClient(API_KEY, API_SECRET, base_url=server.url)


class TestVcrpy:
    @each_call
    async def test_that_blocks_the_network_stops_a_request_before_it_is_sent(
        self, call, tmp_path: Path
    ):
        cassette = tmp_path / "none.yaml"
        async with FaultServer() as server, client_of(server) as client:
            with (
                vcr.use_cassette(str(cassette), record_mode="none"),
                pytest.raises(
                    PaywintError, match=CannotOverwriteExistingCassetteException.__name__
                ),
            ):
                await call(client)
        assert (server.connections, server.requests) == (0, [])

    @each_call
    async def test_replays_what_it_has_recorded(self, call, tmp_path: Path):
        recorder = vcr.VCR(filter_headers=["x-api-key", "x-api-secret"])
        cassette = tmp_path / "recorded.yaml"
        async with FaultServer() as server, client_of(server) as client:
            with recorder.use_cassette(str(cassette)):
                recorded = await call(client)
            asked = len(server.requests)
            with recorder.use_cassette(str(cassette), record_mode="none"):
                assert await call(client) == recorded
        assert (asked, len(server.requests)) == (1, 1)
        assert API_SECRET not in cassette.read_text("utf-8")


class MockedResponse(ClientResponse):
    """Lets aioresponses 0.7 work with aiohttp 3.14, whose responses take one more argument."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, stream_writer=SimpleNamespace(output_size=0), **options)


class TestAioresponses:
    async def test_answers_instead_of_the_server(self):
        with aioresponses() as mocked:
            for method, path, body in (
                ("POST", "/create-payment-link$", LINK),
                ("GET", "/get/", GOT),
                ("POST", "/payment-received$", PAGE),
            ):
                mocked.add(
                    re.compile(f".*{path}"), method, body=body, response_class=MockedResponse
                )
            async with PaywintClient(API_KEY, API_SECRET) as client:
                for call in CALLS.values():
                    await call(client)
        assert len(mocked.requests) == len(CALLS)

    async def test_without_a_matching_answer_is_an_error_and_nothing_is_sent(self):
        async with FaultServer() as server, client_of(server) as client:
            with aioresponses(), pytest.raises(PaywintError):
                await client.payments.create_link(5)
        assert server.connections == 0


class TestOpenTelemetry:
    @pytest.fixture
    def spans(self) -> Iterator[InMemorySpanExporter]:
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        instrumentor = AioHttpClientInstrumentor()
        instrumentor.instrument(tracer_provider=provider)
        yield exporter
        instrumentor.uninstrument()

    @each_call
    async def test_records_a_span_for_each_request_without_a_secret(self, call, spans):
        async with FaultServer() as server, client_of(server) as client:
            await call(client)
        (span,) = spans.get_finished_spans()
        assert span.attributes["http.status_code"] == 200
        assert API_SECRET not in span.to_json()
