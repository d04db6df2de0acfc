"""The slow start: few requests at first, more with each success; hanging ones free their slots."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fault_server import GOOD, SILENCE, FaultServer
from virtual_time import pass_time

from paywint_async import (
    ConfigurationError,
    Handler,
    InvalidRequestError,
    PaywintClient,
    Request,
    RequestTimeoutError,
    Response,
    RetryPolicy,
)
from paywint_async._middleware.budget import RetryBudget
from paywint_async._middleware.slow_start import FIRST_IN_FLIGHT, SlowStart
from paywint_async.emulator import Emulator


def client_of(emulator: Emulator, **settings: Any) -> PaywintClient:
    return PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url, **settings)


async def test_few_requests_start_at_once_and_more_with_each_success() -> None:
    async with Emulator(latency=0.1) as emulator, client_of(emulator) as client:
        await asyncio.gather(*(client.payments.page("sent", 1) for _ in range(16)))
        assert emulator.peak_in_flight == 16
        await asyncio.gather(*(client.payments.page("sent", 1) for _ in range(100)))
        assert 16 < emulator.peak_in_flight <= 16 + 116 // 2


@pytest.mark.slow
async def test_a_listing_has_its_own_bound_and_is_not_held_back() -> None:
    async with (
        Emulator(hostile=True, payments=10_000, latency=0.1) as emulator,
        client_of(emulator) as client,
    ):
        await client.payments.sent(max_concurrency=60).collect(limit=7000)
        assert emulator.peak_in_flight == 60


async def test_hanging_requests_free_their_slots() -> None:
    async with (
        FaultServer(*[SILENCE] * 16, GOOD) as server,
        PaywintClient("key", "secret", base_url=server.url) as client,
    ):
        hanging = [asyncio.create_task(client.payments.create_link(5)) for _ in range(16)]
        await asyncio.sleep(0)
        started = asyncio.get_running_loop().time()
        await client.payments.page("sent", 1)
        assert asyncio.get_running_loop().time() - started < 2
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_call_without_a_slot_in_time_is_a_timeout_that_sent_nothing() -> None:
    async with (
        FaultServer(SILENCE) as server,
        PaywintClient(
            "key", "secret", base_url=server.url, retry=RetryPolicy(max_elapsed=0.5)
        ) as client,
    ):
        calls = [client.payments.create_link(5) for _ in range(20)]
        started = asyncio.get_running_loop().time()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        waited = [error for error in outcomes if isinstance(error, RequestTimeoutError)]
        assert len(waited) == 4
        assert not any(error.sent or error.attempts for error in waited)
        assert asyncio.get_running_loop().time() - started < 0.6
        assert len(server.requests) == 16


REQUEST = Request(operation="get", method="GET", path="/")


class Crowd:
    """Requests that hang; ``sent`` counts those that the slow start gave a slot."""

    def __init__(self, slow_start: SlowStart) -> None:
        self.slow_start, self.sent = slow_start, 0
        self.tasks: list[asyncio.Task[Response]] = []

    async def add(self, number: int) -> None:
        for _ in range(number):
            self.tasks.append(asyncio.ensure_future(self.slow_start(REQUEST, self._hang)))
        await asyncio.sleep(0)

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()

    async def _hang(self, request: Request) -> Response:
        self.sent += 1
        await asyncio.Event().wait()
        raise AssertionError


async def answer_some(slow_start: SlowStart, *statuses: int) -> None:
    for status in statuses:

        async def answered(request: Request, status: int = status) -> Response:
            return Response(status=status)

        await slow_start(REQUEST, answered)


@pytest.mark.parametrize(
    ("statuses", "slots"),
    [((), 16), ((200,), 16), ((200, 204), 17), ((200,) * 7, 19), ((400, 400, 429, 503), 16)],
)
async def test_only_every_second_success_allows_one_more(
    statuses: tuple[int, ...], slots: int
) -> None:
    slow_start = SlowStart()
    await answer_some(slow_start, *statuses)
    crowd = Crowd(slow_start)
    await crowd.add(40)
    assert crowd.sent == slots
    await crowd.leave()


async def test_the_number_of_slots_is_unchanged_by_requests_that_end_or_are_cancelled() -> None:
    slow_start = SlowStart()
    for _ in range(3):
        crowd = Crowd(slow_start)
        await crowd.add(40)
        assert crowd.sent == 16
        for waiting in crowd.tasks[16:]:
            waiting.cancel()
        await asyncio.sleep(0)
        await crowd.leave()


def test_the_number_of_slots_is_kept_in_the_next_event_loop() -> None:
    slow_start = SlowStart()
    asyncio.run(answer_some(slow_start, *[200] * 8))

    async def crowd_in() -> int:
        crowd = Crowd(slow_start)
        await crowd.add(40)
        await crowd.leave()
        return crowd.sent

    assert asyncio.run(crowd_in()) == 20


async def test_each_request_frees_its_slot_a_second_after_its_start() -> None:
    crowd = Crowd(SlowStart())
    await crowd.add(14)
    await pass_time(0.5)
    await crowd.add(1)
    await pass_time(0.4)
    await crowd.add(30)
    sent = [crowd.sent]
    for _ in range(3):
        await pass_time(0.2)  # 1.1, 1.3 and 1.5 s after the first
        sent.append(crowd.sent)
    assert sent == [16, 30, 30, 31]
    await crowd.leave()


async def test_a_single_hanging_request_frees_its_slot() -> None:
    crowd = Crowd(SlowStart())
    await crowd.add(1)
    await pass_time(1.1)
    await crowd.add(40)
    assert crowd.sent == 1 + 16
    await crowd.leave()


async def test_a_request_frees_its_slot_only_once() -> None:
    slow_start = SlowStart()
    slow, crowd = Crowd(slow_start), Crowd(slow_start)
    await slow.add(16)
    await pass_time(1.1)
    await slow.leave()
    await crowd.add(40)
    assert crowd.sent == 16
    await crowd.leave()


async def test_a_waiter_cancelled_at_its_turn_passes_it_on() -> None:
    async def hang(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def succeed(request: Request) -> Response:
        return Response(status=200)

    def start(handler: Handler) -> asyncio.Task[Response]:
        return asyncio.ensure_future(slow_start(request, handler))

    slow_start, request = SlowStart(), Request(operation="get", method="GET", path="/")
    hanging = [start(hang) for _ in range(FIRST_IN_FLIGHT)]
    waiting = [start(succeed) for _ in range(2)]
    await asyncio.sleep(0)
    hanging[0].cancel()
    await asyncio.sleep(0)  # until it is the first waiter's turn
    waiting[0].cancel()
    started = asyncio.get_running_loop().time()

    assert (await waiting[1]).status == 200

    assert asyncio.get_running_loop().time() - started < 0.5
    assert waiting[0].cancelled()
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_middleware_cannot_inject_a_header() -> None:
    import attrs

    async def smuggle(request: Any, handler: Any) -> Any:
        return await handler(attrs.evolve(request, headers={"X": "a\r\nX-Api-Key: b"}))

    async with Emulator() as emulator, client_of(emulator, middlewares=[smuggle]) as client:
        with pytest.raises(InvalidRequestError, match="headers"):
            await client.payments.page("sent", 1)
        assert emulator.request_count == 0


@pytest.mark.parametrize("argument", ["middlewares", "attempt_middlewares"])
def test_a_middleware_must_be_callable(argument: str) -> None:
    with pytest.raises(ConfigurationError, match=argument):
        PaywintClient("key", "secret", **{argument: [5]})


def test_a_limiter_without_cool_down_is_refused() -> None:
    class IncompleteLimiter:
        async def acquire(self, deadline: float | None = None) -> None:
            raise NotImplementedError

    with pytest.raises(ConfigurationError, match="rate_limit"):
        PaywintClient("key", "secret", rate_limit=IncompleteLimiter())  # type: ignore[arg-type]


def test_a_budget_shows_what_is_left() -> None:
    budget = RetryBudget(2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.refill()
    assert repr(budget) == "<RetryBudget 1/2>"
