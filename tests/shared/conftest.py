"""Fixtures: a Redis server, and limiters that share it like separate processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fake_redis import RedisServer
from virtual_time import pass_time

from paywint_async import RateLimit, SharedRateLimit

Share = Callable[..., SharedRateLimit]
PASSWORD = "s3cret-of-the-redis"


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    """An empty Redis server with a password."""
    async with RedisServer(PASSWORD) as server:
        yield server
        await pass_time(0.01)  # until the server has noticed the closed connections
        assert server.open_connections == 0


@pytest.fixture
async def share(redis: RedisServer) -> AsyncIterator[Share]:
    """`share(limit, **options)`: another limiter on the same Redis, closed when the test ends."""
    limiters: list[SharedRateLimit] = []

    def new_limiter(limit: RateLimit, **options: Any) -> SharedRateLimit:
        limiters.append(
            SharedRateLimit(limit, redis.url, **{"key": "the account", "timeout": 0.5, **options})
        )
        return limiters[-1]

    yield new_limiter
    for limiter in limiters:
        await limiter.aclose()
