"""A client must not make a server's rate limiting or an outage worse."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from virtual_time import pass_time

from paywint_async import PaywintClient, RateLimit, RateLimitedError, RetryPolicy, ServerError

PAGE = '{"success":true,"records":[],"totalRecords":0}'


class LimitedServer:
    """Answers at most ``limit`` requests in any second (None: always 503), and counts all."""

    def __init__(
        self, limit: int | None, retry_after: str | None = "1", latency: float = 0.0
    ) -> None:
        self.limit = limit
        self.latency = latency
        self.headers = {"Retry-After": retry_after} if retry_after else {}
        self.seen: list[float] = []
        self.first_refusal: float | None = None
        self._answered: deque[float] = deque()

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        now = asyncio.get_running_loop().time()
        self.seen.append(now)
        await pass_time(self.latency)
        if self.limit is None:
            return web.Response(status=503)
        while self._answered and self._answered[0] <= now - 1:
            self._answered.popleft()
        if len(self._answered) >= self.limit:
            self.first_refusal = self.first_refusal or now
            return web.Response(status=429, headers=self.headers)
        self._answered.append(now)
        return web.Response(text=PAGE, content_type="application/json")

    def most_in_a_second(self) -> int:
        """The most requests in any second after the first refusal."""
        if self.first_refusal is None:
            return 0
        after = [time for time in self.seen if time > self.first_refusal]
        return max(sum(1 for t in after if start <= t < start + 1) for start in after)


@asynccontextmanager
async def client_of(server: LimitedServer, **settings: object) -> AsyncIterator[PaywintClient]:
    app = web.Application()
    app.router.add_post("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        url = f"http://127.0.0.1:{port}"
        async with PaywintClient("key", "secret", base_url=url, **settings) as client:  # type: ignore[arg-type]
            yield client
    finally:
        await runner.cleanup()


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "latency"), [(25, 0.2), (50, 0.0), (100, 0.1), (300, 0.02)])
async def test_a_thousand_tasks_complete_within_an_unpublished_limit(
    limit: int, latency: float
) -> None:
    server = LimitedServer(limit, latency=latency)
    async with client_of(server) as client:
        tasks = [client.payments.page("sent", 1) for _ in range(1000)]
        pages = await asyncio.gather(*tasks)
    assert len(pages) == 1000
    assert server.first_refusal is not None
    assert server.most_in_a_second() <= 1.2 * limit


async def test_a_429_without_retry_after_causes_a_cooldown() -> None:
    server = LimitedServer(50, retry_after=None)
    async with client_of(server) as client:
        await asyncio.gather(*(client.payments.page("sent", 1) for _ in range(300)))
    assert server.most_in_a_second() <= 1.2 * 50


async def test_a_client_with_a_rate_limit_gets_no_429() -> None:
    server = LimitedServer(50)
    async with client_of(server, rate_limit=RateLimit(49, 1.0, burst=1)) as client:
        await asyncio.gather(*(client.payments.page("sent", 1) for _ in range(300)))
    assert server.first_refusal is None


async def test_an_outage_is_not_multiplied_by_every_task() -> None:
    server = LimitedServer(None)
    async with client_of(server) as client:
        outcomes = await asyncio.gather(
            *(client.payments.page("sent", 1) for _ in range(500)), return_exceptions=True
        )
    assert {type(outcome) for outcome in outcomes} == {ServerError}
    assert len(server.seen) == 500 + 100


async def test_a_wait_beyond_max_elapsed_is_reported_at_once() -> None:
    server = LimitedServer(0, retry_after="3600")
    async with client_of(server) as client:
        started = asyncio.get_running_loop().time()
        with pytest.raises(RateLimitedError) as caught:
            await client.payments.page("sent", 1)
        assert caught.value.retry_after == 3600
        with pytest.raises(RateLimitedError) as during_cooldown:
            await client.payments.page("sent", 1)
        assert during_cooldown.value.retry_after == pytest.approx(3600, abs=1)
        assert asyncio.get_running_loop().time() - started < 1
    assert len(server.seen) == 1


async def test_listings_are_slowed_down_and_complete() -> None:
    server = LimitedServer(20)
    async with client_of(server, retry=RetryPolicy(max_elapsed=600)) as client:
        await asyncio.gather(*(client.payments.sent().collect() for _ in range(100)))
    assert server.most_in_a_second() <= 100
