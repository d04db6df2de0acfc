"""Tells the owner of each attempt. Innermost, so that it measures the network alone."""

from __future__ import annotations

import asyncio

from paywint_async._events import OnEvent, RequestEvent
from paywint_async._messages import Handler, Request, Response


class Observe:
    """A middleware: one `RequestEvent` for each attempt, answered or not."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """The answer, unchanged."""
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            response = await handler(request)
        except BaseException:
            self._tell(request, None, clock() - started)
            raise
        self._tell(request, response, clock() - started)
        return response

    def _tell(self, request: Request, response: Response | None, seconds: float) -> None:
        event = RequestEvent(
            operation=request.operation,
            attempt=request.attempt,
            status=None if response is None else response.status,
            seconds=seconds,
            request_id=None if response is None else response.request_id,
            bytes_received=0 if response is None else len(response.body),
        )
        self._on_event(event)
