"""OpenTelemetry spans: one for each operation, with a child for each attempt.

Needs the extra ``otel``, which is imported only when `tracing` is called.
"""

from __future__ import annotations

from typing import Any, TypedDict

from paywint_async._errors import ConfigurationError
from paywint_async._messages import Handler, Middleware, Request, Response


class Tracing(TypedDict):
    """The client's arguments that switch tracing on."""

    middlewares: list[Middleware]
    attempt_middlewares: list[Middleware]


def tracing(tracer_provider: Any = None) -> Tracing:
    """Arguments for a client that traces: ``PaywintClient.from_env(**tracing())``.

    Spans are named ``paywint.<operation>`` (kind client) and ``paywint.<operation> attempt``; their
    attributes are ``paywint.operation``, ``paywint.attempt``, ``http.request.method``, ``url.path``
    and ``http.response.status_code``. Neither bodies nor headers are recorded.

    Args:
        tracer_provider: of the OpenTelemetry API; None: the global one.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    try:
        from opentelemetry import trace
    except ImportError:
        raise ConfigurationError("tracing needs: pip install 'paywint-async[otel]'") from None
    tracer = trace.get_tracer("paywint_async", tracer_provider=tracer_provider)
    error_status = trace.Status(trace.StatusCode.ERROR)
    client_kind = trace.SpanKind.CLIENT

    async def traced(name: str, request: Request, handler: Handler) -> Response:
        attributes: dict[str, Any] = {
            "paywint.operation": request.operation,
            "paywint.attempt": request.attempt,
            "http.request.method": request.method,
            "url.path": request.path,
        }
        with tracer.start_as_current_span(name, kind=client_kind, attributes=attributes) as span:
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 400:
                span.set_status(error_status)
            return response

    async def operation(request: Request, handler: Handler) -> Response:
        return await traced(f"paywint.{request.operation}", request, handler)

    async def attempt(request: Request, handler: Handler) -> Response:
        return await traced(f"paywint.{request.operation} attempt", request, handler)

    return Tracing(middlewares=[operation], attempt_middlewares=[attempt])
