"""Composes the middleware chain, once for each client."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from paywint_async._messages import Handler, Middleware, Request, Response


def compose(middlewares: Iterable[Middleware], handler: Handler) -> Handler:
    """Returns a handler that passes each request through the middlewares, the first one outermost."""
    for middleware in reversed(tuple(middlewares)):
        handler = _wrap(middleware, handler)
    return handler


def _wrap(middleware: Middleware, inner: Handler) -> Handler:
    def outer(request: Request) -> Awaitable[Response]:
        return middleware(request, inner)

    return outer
