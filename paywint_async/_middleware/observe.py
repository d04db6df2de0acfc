"""Reports each attempt to ``on_event`` and to the log. Innermost, to measure the network alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from paywint_async._events import OnEvent, RequestEvent, ignore
from paywint_async._log import fields, logger
from paywint_async._messages import Handler, Request, Response


class Observe:
    """A middleware: one `RequestEvent` and one log line (DEBUG) for each attempt, answered or not."""

    def __init__(self, on_event: OnEvent = ignore) -> None:
        self._on_event = on_event

    def __call__(self, request: Request, handler: Handler) -> Awaitable[Response]:
        """Passes the request on, and returns its answer unchanged."""
        if self._on_event is ignore and not logger.isEnabledFor(logging.DEBUG):
            return handler(request)
        return self._observed(request, handler)

    async def _observed(self, request: Request, handler: Handler) -> Response:
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            response = await handler(request)
        except BaseException as error:
            self._report(request, None, clock() - started, type(error).__name__)
            raise
        self._report(request, response, clock() - started, None)
        return response

    def _report(
        self, request: Request, response: Response | None, seconds: float, error: str | None
    ) -> None:
        event = RequestEvent(
            operation=request.operation,
            attempt=request.attempt,
            status=None if response is None else response.status,
            seconds=seconds,
            request_id=None if response is None else response.request_id,
            bytes_received=0 if response is None else len(response.body),
        )
        self._on_event(event)
        if logger.isEnabledFor(logging.DEBUG):
            _log(event, request, error)


def _log(event: RequestEvent, request: Request, error: str | None) -> None:
    path, _, _ = request.path.partition("?")  # a query may hold anything
    logger.debug(
        "%s: attempt %d: %s %s: %s in %.3f s%s",
        event.operation,
        event.attempt,
        request.method,
        path,
        event.status if error is None else error,
        event.seconds,
        "" if event.request_id is None else f" (request id {event.request_id})",
        extra=fields(
            event="attempt",
            operation=event.operation,
            attempt=event.attempt,
            method=request.method,
            path=path,
            status=event.status,
            seconds=event.seconds,
            bytes_received=event.bytes_received,
            request_id=event.request_id,
            error=error,
        ),
    )
