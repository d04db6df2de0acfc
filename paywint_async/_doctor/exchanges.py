"""Records each request of the examination with its answer, and limits their number.

It is a middleware like a caller's, so it sees no credentials.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from decimal import Decimal
from functools import cached_property
from typing import Any

import attrs

from paywint_async import Handler, PaywintError, Request, Response

# The exchanges of the question that the running task is asking.
_current: ContextVar[list[Exchange] | None] = ContextVar("_current", default=None)


class RequestLimitError(PaywintError):
    """The examination has reached its limit of requests."""


@attrs.frozen(kw_only=True)
class Exchange:
    """One answered attempt. ``received_at`` is Unix time, ``seconds`` the time it took."""

    request: Request
    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx; the body may still report a failure."""
        return 200 <= self.status < 300

    @cached_property
    def json(self) -> Any:
        """The decoded body, numbers as int or `Decimal`; None if it is not JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError):
            return None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The decoded body if it is an object, else an empty one."""
        return self.json if isinstance(self.json, dict) else {}


class ExchangeRecorder:
    """A middleware around each attempt.

    Args:
        limit: requests at most, retries included.
        wall_clock: Unix seconds.

    Raises:
        RequestLimitError: in place of the request that would be one too many.
    """

    def __init__(self, limit: int, wall_clock: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._wall_clock = wall_clock
        self.request_count = 0
        self.exchanges: list[Exchange] = []

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """Passes the request on, and keeps the answer."""
        if self.request_count >= self._limit:
            raise RequestLimitError(f"not asked: the limit is {self._limit} requests")
        self.request_count += 1
        clock = asyncio.get_running_loop().time
        started = clock()
        response = await handler(request)
        exchange = Exchange(
            request=request,
            status=response.status,
            headers=response.headers,
            body=response.body,
            received_at=self._wall_clock(),
            seconds=clock() - started,
        )
        self.exchanges.append(exchange)
        if (current := _current.get()) is not None:
            current.append(exchange)
        return response


def collect_exchanges() -> list[Exchange]:
    """Returns a list to which the exchanges of the running task are appended from now on."""
    exchanges: list[Exchange] = []
    _current.set(exchanges)
    return exchanges
