"""OpenTelemetry: spans and metrics by the semantic conventions for HTTP clients.

Needs the extra ``otel``, which is imported only when `tracing` is called. Source of names, attributes
and bucket boundaries: OpenTelemetry's semantic conventions, "HTTP spans" and "HTTP metrics", stable since
1.23 except for ``url.template`` and ``http.client.active_requests``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

from paywint_async._errors import ConfigurationError, PaywintError
from paywint_async._messages import Handler, Middleware, Request, Response
from paywint_async._strict_json import UUID_PATTERN

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer

_SCOPE = "paywint_async"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_UUID = re.compile(UUID_PATTERN)
_QUERY_VALUE = re.compile(r"=[^&;]*")
_TOO_MANY_REQUESTS = 429
# A span's name must have few values, and a caller's own path may contain anything.
_OF_ANY_PATH = "request"


class Tracing(TypedDict):
    """The client's arguments that switch tracing and metrics on."""

    middlewares: list[Middleware]
    attempt_middlewares: list[Middleware]


def tracing(tracer_provider: Any = None, *, meter_provider: Any = None) -> Tracing:
    """Arguments for a client that traces and measures: ``PaywintClient.from_env(**tracing())``.

    Each operation is a span ``paywint.<operation>`` (kind internal) with ``paywint.operation``. Each of
    its attempts is a child of kind client, named ``<method> <url.template>``, with
    ``http.request.method``, ``server.address``, ``server.port``, ``url.full`` (values of a query left
    out), ``url.template``, ``http.response.status_code``, ``http.request.resend_count`` and
    ``error.type``. Bodies and headers are not recorded.

    Metrics, where a meter provider is set up: ``http.client.request.duration`` (histogram of attempts,
    in seconds), ``http.client.active_requests`` (in flight), ``paywint.client.retries`` and
    ``paywint.client.cooldowns`` (counters).

    Args:
        tracer_provider: of the OpenTelemetry API; None: the global one.
        meter_provider: of the OpenTelemetry API; None: the global one.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    try:
        from opentelemetry import metrics, trace
    except ImportError:
        raise ConfigurationError("tracing needs: pip install 'paywint-async[otel]'") from None
    spans = _Spans(trace.get_tracer(_SCOPE, tracer_provider=tracer_provider))
    measures = _Metrics(metrics.get_meter(_SCOPE, meter_provider=meter_provider))

    async def operation(request: Request, handler: Handler) -> Response:
        with spans.of_operation(request) as span:
            return _note_status(span, await handler(request))

    async def attempt(request: Request, handler: Handler) -> Response:
        with spans.of_attempt(request) as span, measures.of_attempt(request) as outcome:
            response = await handler(request)
            outcome.update(_outcome(response))
            return _note_status(span, response)

    return Tracing(middlewares=[operation], attempt_middlewares=[attempt])


class _Spans:
    def __init__(self, tracer: Tracer) -> None:
        from opentelemetry.trace import SpanKind

        self._tracer = tracer
        self._kinds = SpanKind

    @contextmanager
    def of_operation(self, request: Request) -> Iterator[Span]:
        attributes = {"paywint.operation": request.operation}
        with self._started(
            f"paywint.{request.operation}", self._kinds.INTERNAL, attributes
        ) as span:
            yield span

    @contextmanager
    def of_attempt(self, request: Request) -> Iterator[Span]:
        attributes = {
            "paywint.operation": request.operation,
            "url.full": request.base_url + _QUERY_VALUE.sub("=REDACTED", request.path),
            **_target(request),
        }
        if request.attempt > 1:
            attributes["http.request.resend_count"] = request.attempt - 1
        template = _template(request)
        name = request.method
        if template is not None:
            attributes["url.template"] = template
            name = f"{request.method} {template}"
        with self._started(name, self._kinds.CLIENT, attributes) as span:
            yield span

    @contextmanager
    def _started(self, name: str, kind: Any, attributes: dict[str, Any]) -> Iterator[Span]:
        with self._tracer.start_as_current_span(name, kind=kind, attributes=attributes) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", _error_type(error))
                raise


class _Metrics:
    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._active = meter.create_up_down_counter(
            "http.client.active_requests",
            unit="{request}",
            description="Number of active HTTP requests.",
        )
        self._retries = meter.create_counter(
            "paywint.client.retries", unit="{request}", description="Requests that were sent again."
        )
        self._cooldowns = meter.create_counter(
            "paywint.client.cooldowns",
            unit="{cooldown}",
            description="Answers of status 429, after which no request of the client leaves for a while.",
        )

    @contextmanager
    def of_attempt(self, request: Request) -> Iterator[dict[str, Any]]:
        """Measures the time of the block, which adds the attributes of the outcome to the dict."""
        clock = asyncio.get_running_loop().time
        started, target = clock(), _target(request)
        operation = {"paywint.operation": request.operation}
        outcome: dict[str, Any] = {}
        if request.attempt > 1:
            self._retries.add(1, operation)
        self._active.add(1, target)
        try:
            yield outcome
        except BaseException as error:
            outcome["error.type"] = _error_type(error)
            raise
        finally:
            self._active.add(-1, target)
            self._duration.record(clock() - started, {**target, **outcome})
            if outcome.get("http.response.status_code") == _TOO_MANY_REQUESTS:
                self._cooldowns.add(1, operation)


def _note_status(span: Span, response: Response) -> Response:
    from opentelemetry.trace import Status, StatusCode

    span.set_attributes(_outcome(response))
    if response.status >= 400:
        span.set_status(Status(StatusCode.ERROR))
    return response


def _outcome(response: Response) -> dict[str, Any]:
    outcome: dict[str, Any] = {"http.response.status_code": response.status}
    if response.status >= 400:
        outcome["error.type"] = str(response.status)
    return outcome


def _error_type(error: BaseException) -> str:
    kind = type(error)
    module = _SCOPE if isinstance(error, PaywintError) else kind.__module__
    return f"{module}.{kind.__qualname__}"


def _target(request: Request) -> dict[str, Any]:
    return {"http.request.method": request.method, **_server(request.base_url)}


@lru_cache(maxsize=64)
def _server(base_url: str) -> dict[str, Any]:
    parts = urlsplit(base_url)
    default = 443 if parts.scheme == "https" else 80
    return {"server.address": parts.hostname or "", "server.port": parts.port or default}


def _template(request: Request) -> str | None:
    if request.operation == _OF_ANY_PATH:
        return None
    return _UUID.sub("{payment_id}", request.path)
