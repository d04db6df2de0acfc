"""Spans and metrics follow OpenTelemetry's semantic conventions for HTTP clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fault_server import CLOSE_UNANSWERED, GOOD, SILENCE, FaultServer, answer
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from virtual_time import pass_time

from paywint_async import (
    PaywintClient,
    PaywintError,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
    tracing,
)
from paywint_async.emulator import Emulator

QUICK = RetryPolicy(max_attempts=3, base_delay=0)
PAYMENT_ID = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"
RECEIVED = "/api/user-api/payment/list/payment-received"


class Telemetry:
    """The recorded spans and metrics."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        tracer_provider = TracerProvider()
        tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._meter_provider = MeterProvider([self._reader])
        self.options: dict[str, Any] = dict(
            tracing(tracer_provider, meter_provider=self._meter_provider)
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attributes of each attempt's span."""
        client = trace.SpanKind.CLIENT
        return [dict(span.attributes) for span in self.spans if span.kind is client]

    def metric(self, name: str) -> Any:
        data = self._reader.get_metrics_data()
        found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        (metric,) = [each for each in found if each.name == name]
        return metric

    def points(self, name: str) -> list[Any]:
        return list(self.metric(name).data.data_points)

    def shutdown(self) -> None:
        self._meter_provider.shutdown()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Records a client that gets its ``options``."""
    recorded = Telemetry()
    yield recorded
    recorded.shutdown()


async def read(client: PaywintClient) -> object:
    return await client.payments.page("received", 1)


class TestSpans:
    async def test_an_operation_has_a_child_for_each_attempt(self, connect, telemetry):
        async with FaultServer(answer(502), GOOD) as server:
            await read(connect(server, retry=QUICK, **telemetry.options))
        names = [span.name for span in telemetry.spans]
        assert names == [f"POST {RECEIVED}", f"POST {RECEIVED}", "paywint.received"]
        *attempts, operation = telemetry.spans
        assert [span.parent.span_id for span in attempts] == [operation.context.span_id] * 2
        assert [span.status.is_ok for span in telemetry.spans] == [False, True, True]
        assert operation.kind is trace.SpanKind.INTERNAL
        assert operation.attributes["paywint.operation"] == "received"

    async def test_an_attempt_has_the_attributes_of_the_conventions(self, connect, telemetry):
        async with FaultServer() as server:
            await connect(server, **telemetry.options).payments.get(PAYMENT_ID)
        assert telemetry.attempts == [
            {
                "paywint.operation": "get",
                "http.request.method": "GET",
                "server.address": "127.0.0.1",
                "server.port": int(server.url.rpartition(":")[2]),
                "url.full": f"{server.url}/api/user-api/payment/get/{PAYMENT_ID}",
                "url.template": "/api/user-api/payment/get/{payment_id}",
                "http.response.status_code": 200,
            }
        ]

    async def test_a_refusal_is_an_error_of_its_status(self, connect, telemetry):
        async with FaultServer(answer(404)) as server:
            with pytest.raises(PaywintError):
                await read(connect(server, **telemetry.options))
        for span in telemetry.spans:
            assert span.attributes["error.type"] == "404"
            assert span.attributes["http.response.status_code"] == 404
            assert not span.status.is_ok

    async def test_an_attempt_without_an_answer_is_an_error_of_its_class(self, connect, telemetry):
        async with FaultServer(CLOSE_UNANSWERED) as server:
            with pytest.raises(TransportError):
                await read(connect(server, retry=QUICK, **telemetry.options))
        kinds = {span.attributes["error.type"] for span in telemetry.spans}
        assert kinds == {"paywint_async.TransportError"}
        assert not any(span.status.is_ok for span in telemetry.spans)

    async def test_a_retried_attempt_has_its_resend_count(self, connect, telemetry):
        async with FaultServer(answer(503), answer(503), GOOD) as server:
            await read(connect(server, retry=QUICK, **telemetry.options))
        counts = [each.get("http.request.resend_count") for each in telemetry.attempts]
        assert counts == [None, 1, 2]

    async def test_a_custom_path_is_not_in_the_span_name(self, connect, telemetry):
        async with FaultServer() as server:
            client = connect(server, **telemetry.options)
            await client.request("GET", f"/a/{PAYMENT_ID}?token=hush&x=hush")
        (attempt,) = telemetry.attempts
        assert telemetry.spans[0].name == "GET"
        assert "url.template" not in attempt
        assert attempt["url.full"] == f"{server.url}/a/{PAYMENT_ID}?token=REDACTED&x=REDACTED"

    async def test_a_cancelled_call_has_the_error_type(self, connect, telemetry):
        async with FaultServer(SILENCE) as server:
            call = asyncio.create_task(read(connect(server, **telemetry.options)))
            await pass_time(1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        kinds = {span.attributes["error.type"] for span in telemetry.spans}
        assert kinds == {"asyncio.exceptions.CancelledError"}

    async def test_views_and_listings_are_traced(self, connect, telemetry):
        async with Emulator(payments=25) as emulator:
            view = connect(emulator, **telemetry.options).with_options(request_timeout=5)
            await view.payments.sent(rows_per_page=10).collect()
        assert len(telemetry.attempts) == emulator.request_count
        assert {each["server.address"] for each in telemetry.attempts} == {"127.0.0.1"}

    async def test_no_credential_is_recorded(self, connect, telemetry):
        echo = "X-Request-Id: hush\r\nSet-Cookie: hush\r\n"
        async with FaultServer(answer(503, headers=echo), CLOSE_UNANSWERED, GOOD) as server:
            client = connect(server, retry=QUICK, **telemetry.options)
            view = client.with_options(headers={"X-Trace": "hush"})
            await view.request("PUT", "/x?a=hush", json={"name": "hush"}, repeatable=True)
        recorded = "".join(span.to_json() for span in telemetry.spans)
        assert "hush" not in recorded
        assert not any(secret in recorded for secret in ("pw_test_", "11112222-3333"))


class TestMetrics:
    async def test_the_duration_is_that_of_each_attempt(self, connect, telemetry):
        async with Emulator(latency=2.0) as emulator:
            await read(connect(emulator, **telemetry.options))
            (point,) = telemetry.points("http.client.request.duration")
        assert telemetry.metric("http.client.request.duration").unit == "s"
        assert point.sum == pytest.approx(2, abs=0.5)
        assert dict(point.attributes) == {
            "http.request.method": "POST",
            "server.address": "127.0.0.1",
            "server.port": int(emulator.url.rpartition(":")[2]),
            "http.response.status_code": 200,
        }

    async def test_the_duration_has_the_buckets_of_the_conventions(self, connect, telemetry):
        async with FaultServer() as server:
            await read(connect(server, **telemetry.options))
        (point,) = telemetry.points("http.client.request.duration")
        advised = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
        assert point.explicit_bounds == advised

    async def test_the_duration_has_the_outcome(self, connect, telemetry):
        faults = (answer(503), CLOSE_UNANSWERED, GOOD)
        async with FaultServer(*faults) as server:
            await read(connect(server, retry=QUICK, **telemetry.options))
        points = telemetry.points("http.client.request.duration")
        kinds = sorted(str(point.attributes.get("error.type")) for point in points)
        assert kinds == ["503", "None", "paywint_async.TransportError"]
        assert [point.count for point in points] == [1, 1, 1]

    async def test_requests_in_flight_are_counted(self, connect, telemetry):
        async with Emulator(latency=5.0) as emulator:
            client = connect(emulator, **telemetry.options)
            calls = [asyncio.create_task(read(client)) for _ in range(3)]
            await pass_time(1)
            assert [p.value for p in telemetry.points("http.client.active_requests")] == [3]
            await asyncio.gather(*calls)
            assert [p.value for p in telemetry.points("http.client.active_requests")] == [0]

    async def test_failed_requests_are_no_longer_in_flight(self, connect, telemetry):
        async with FaultServer(SILENCE) as server:
            client = connect(server, retry=QUICK, request_timeout=1, **telemetry.options)
            with pytest.raises(RequestTimeoutError):
                await read(client)
        assert [p.value for p in telemetry.points("http.client.active_requests")] == [0]

    async def test_retries_and_cooldowns_are_counted(self, connect, telemetry):
        faults = (answer(503), answer(429, headers="Retry-After: 1\r\n"), GOOD)
        async with FaultServer(*faults) as server:
            await read(connect(server, retry=QUICK, **telemetry.options))
        for name, count in (("paywint.client.retries", 2), ("paywint.client.cooldowns", 1)):
            (point,) = telemetry.points(name)
            assert (point.value, dict(point.attributes)) == (
                count,
                {"paywint.operation": "received"},
            )


async def test_without_providers_nothing_is_recorded_and_calls_succeed(connect):
    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
    assert type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider"
    async with FaultServer() as server:
        await read(connect(server, **tracing()))
