"""Records each request of the examination and its answer, and bounds their number.

A middleware of the public chain, so it sees no credential.
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
    """The examination has sent as many requests as it may."""


@attrs.frozen(kw_only=True)
class Exchange:
    """One attempt that was answered. ``received_at`` is Unix time, ``seconds`` how long it took."""

    request: Request
    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    seconds: float

    @property
    def is_success(self) -> bool:
        """A status of 2xx; the body may still say otherwise."""
        return 200 <= self.status < 300

    @cached_property
    def json(self) -> Any:
        """The decoded body, numbers as int or `Decimal`; None where it is no JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError):
            return None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The decoded body where it is an object, else nothing."""
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
        """Passes the request on, and keeps what came back."""
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
    """A list to which the exchanges of the running task are appended from here on."""
    exchanges: list[Exchange] = []
    _current.set(exchanges)
    return exchanges
