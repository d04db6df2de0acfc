"""Layer 2: tells the owner of each attempt. Innermost, so that it measures the network alone."""

from __future__ import annotations

import asyncio

from paywint_async.events import OnEvent, RequestEvent
from paywint_async.messages import Handler, Request, Response


class Observe:
    """A middleware: one `RequestEvent` for each attempt, answered or not."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """The answer, unchanged."""
        clock = asyncio.get_running_loop().time
        started = clock()
        response: Response | None = None
        try:
            response = await handler(request)
        finally:
            self._on_event(
                RequestEvent(
                    operation=request.operation,
                    attempt=request.attempt,
                    status=None if response is None else response.status,
                    seconds=clock() - started,
                    bytes_received=0 if response is None else len(response.body),
                )
            )
        return response
