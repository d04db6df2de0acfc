"""The client's own rate limit: even, fair, and unaffected by cancellation. All on virtual time."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from asyncio import sleep  # virtual: no test really sleeps
from collections.abc import Sequence
from itertools import combinations_with_replacement

import attrs
import pytest
from fault_server import FaultServer, answer, late
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualTimeLoop, pass_time

from paywint_async import (
    CooldownEvent,
    Handler,
    RateLimit,
    RateLimitedError,
    Request,
    Response,
    RetryPolicy,
)
from paywint_async._middleware import RateLimiter, Throttle
from paywint_async._transport.pools import MAX_CALLS

FAR_DATE = "Fri, 31 Dec 9999 23:59:59 GMT"
REQUEST = Request(operation="get", method="GET", path="/")


def now() -> float:
    return asyncio.get_running_loop().time()


async def departures(limiter: RateLimiter, arrivals: Sequence[float]) -> list[float]:
    """The time at which each of these arrivals gets its turn, in order of arrival."""
    start = now()

    async def one(arrival: float) -> float:
        await sleep(arrival)
        await limiter.acquire()
        return now() - start

    return await asyncio.gather(*map(one, arrivals))


def run(coroutine):
    """Runs with a new virtual clock, for Hypothesis, whose examples are not async."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)


async def waiters(limiter: RateLimiter, count: int) -> list[asyncio.Task[float]]:
    """Tasks in the wait queue, each of which returns the time of its turn."""

    async def one() -> float:
        await limiter.acquire()
        return now()

    tasks = []
    for _ in range(count):
        tasks.append(asyncio.ensure_future(one()))
        await asyncio.sleep(0)
    return tasks


class TestTheRate:
    @settings(max_examples=40)
    @given(
        requests=st.integers(1, 20),
        per_seconds=st.sampled_from([0.5, 1.0, 7.0, 60.0]),
        burst=st.integers(1, 5),
        gaps=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 2.0, 30.0]), max_size=20),
    )
    def test_is_never_exceeded_in_any_window(self, requests, per_seconds, burst, gaps):
        arrivals = [sum(gaps[: index + 1]) for index in range(len(gaps))]
        limiter = RateLimiter(RateLimit(requests, per_seconds, burst))
        left = sorted(run(departures(limiter, arrivals)))
        for first, last in combinations_with_replacement(range(len(left)), 2):
            window = left[last] - left[first]
            assert last - first + 1 <= burst + window * requests / per_seconds + 1e-6

    async def test_is_even_without_a_burst(self):
        left = await departures(RateLimiter(RateLimit(4, per_seconds=1.0)), [0.0] * 5)
        assert left == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])

    async def test_allows_a_burst_at_once(self):
        left = await departures(RateLimiter(RateLimit(1, burst=3)), [0.0] * 5)
        assert left == pytest.approx([0, 0, 0, 1, 2])

    async def test_is_used_up_completely(self):
        left = await departures(RateLimiter(RateLimit(10)), [0.0] * 101)
        assert left[-1] == pytest.approx(10.0)

    async def test_saves_up_no_more_than_a_burst(self):
        left = await departures(RateLimiter(RateLimit(1, burst=2)), [0.0] + [1000.0] * 4)
        assert sorted(left) == pytest.approx([0, 1000, 1000, 1001, 1002])

    async def test_is_unlimited_without_a_limit(self):
        assert await departures(RateLimiter(), [0.0] * 100) == [0.0] * 100


class TestTheWaitQueue:
    async def test_is_served_in_order_of_arrival(self):
        limiter, order = RateLimiter(RateLimit(1)), []

        async def one(name: int) -> None:
            await limiter.acquire()
            order.append(name)

        await asyncio.gather(*map(one, range(20)))
        assert order == list(range(20))

    async def test_is_not_bypassed_by_an_arrival_when_a_turn_is_due(self):
        limiter = RateLimiter(RateLimit(1))
        left = await departures(limiter, [0.0, 0.0, 0.0, 1.0, 2.0])
        assert left == pytest.approx([0, 1, 2, 3, 4])

    @pytest.mark.parametrize("gone", [0, 1, 2, 3])
    async def test_moves_up_when_one_is_cancelled(self, gone):
        limiter = RateLimiter(RateLimit(1))
        start = now()
        await limiter.acquire()
        line = await waiters(limiter, 4)
        line.pop(gone).cancel()
        assert [await task - start for task in line] == pytest.approx([1, 2, 3])

    async def test_moves_up_when_the_first_is_cancelled_at_its_turn(self):
        limiter = RateLimiter(RateLimit(1))
        start = now()
        await limiter.acquire()
        line = await waiters(limiter, 3)
        await line[0]
        line.pop(1).cancel()
        assert [await task - start for task in line] == pytest.approx([1, 2])

    async def test_is_empty_when_all_are_cancelled(self):
        limiter = RateLimiter(RateLimit(1))
        await limiter.acquire()
        line = await waiters(limiter, 10)
        for task in line:
            task.cancel()
        await asyncio.gather(*line, return_exceptions=True)
        assert repr(limiter) == "<RateLimiter 1/s, 0 waiting>"

    def test_wakes_the_next_one_in_another_thread(self):
        limiter, is_in_queue = RateLimiter(RateLimit(1)), threading.Event()

        async def wait_here() -> None:
            waiting = await waiters(limiter, 1)
            is_in_queue.set()
            await asyncio.gather(*waiting)

        def run_elsewhere() -> None:
            # In debug mode the loop refuses what another thread does without its lock.
            with asyncio.Runner(loop_factory=VirtualTimeLoop, debug=True) as runner:
                runner.run(wait_here())

        async def leave_the_queue() -> None:
            waiting = await waiters(limiter, 2)  # the second one is now the first in the queue
            thread.start()
            is_in_queue.wait()
            await asyncio.gather(*waiting)

        thread = threading.Thread(target=run_elsewhere, daemon=True)
        run(leave_the_queue())
        thread.join()
        assert repr(limiter).endswith("0 waiting>")

    def test_passes_over_those_whose_event_loop_has_ended(self):
        limiter, ended = RateLimiter(RateLimit(1)), VirtualTimeLoop()
        lost = ended.run_until_complete(waiters(limiter, 3))
        ended.close()

        assert run(departures(limiter, [0.0, 0.0])) == pytest.approx([1, 2])
        assert [task.done() for task in lost] == [True, False, False]

    async def test_has_its_length_in_the_repr(self):
        limiter = RateLimiter(RateLimit(1, per_seconds=4.0))
        line = await waiters(limiter, 4)
        assert repr(limiter) == "<RateLimiter 0.25/s, 3 waiting>"
        await asyncio.gather(*line)

    def test_says_in_the_repr_that_there_is_no_limit(self):
        assert repr(RateLimiter()) == "<RateLimiter unlimited, 0 waiting>"


class TestADeadline:
    async def test_that_no_turn_can_meet_is_refused_at_once(self):
        limiter, start = RateLimiter(RateLimit(1, per_seconds=60)), now()
        await limiter.acquire()
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(deadline=start + 30)
        assert (now(), caught.value.retry_after) == (start, pytest.approx(60))

    async def test_that_the_limit_cannot_meet_is_an_error_with_its_cause(self):
        limiter, start = RateLimiter(RateLimit(1, per_seconds=60)), now()
        await limiter.acquire()
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(deadline=start + 30)
        assert (caught.value.status, caught.value.is_local) == (429, True)
        assert caught.value.message == (
            "the client's own limit leaves no turn before its deadline, the next one is in 60 s"
        )

    async def test_at_the_time_of_the_turn_is_refused_at_once(self):
        limiter, start = RateLimiter(RateLimit(1, per_seconds=60)), now()
        await limiter.acquire()
        with pytest.raises(RateLimitedError):
            await limiter.acquire(deadline=start + 60)
        assert now() == start

    async def test_that_is_missed_by_less_than_a_second_has_an_exact_retry_after(self):
        limiter, start = RateLimiter(RateLimit(4, per_seconds=1.0)), now()
        await limiter.acquire()
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(deadline=start + 0.125)
        assert caught.value.retry_after == pytest.approx(0.25)

    async def test_that_has_passed_already_takes_no_turn(self):
        limiter, start = RateLimiter(RateLimit(1, per_seconds=60)), now()
        await limiter.acquire()
        with pytest.raises(RateLimitedError):
            await limiter.acquire(deadline=start - 1)
        assert await departures(limiter, [0.0]) == pytest.approx([60])

    async def test_ends_a_wait_in_the_middle_of_the_queue(self):
        limiter, start = RateLimiter(RateLimit(1)), now()
        await limiter.acquire()
        line = await waiters(limiter, 5)
        with pytest.raises(RateLimitedError):
            await limiter.acquire(deadline=start + 3.5)
        assert now() == pytest.approx(start + 3.5)
        assert [await task - start for task in line] == pytest.approx([1, 2, 3, 4, 5])

    async def test_that_can_be_met_is_met(self):
        limiter, start = RateLimiter(RateLimit(1)), now()
        await limiter.acquire()
        await limiter.acquire(deadline=start + 1.5)
        assert now() == pytest.approx(start + 1)


class TestACooldown:
    async def test_holds_back_every_caller(self):
        limiter = RateLimiter()
        limiter.cool_down(10)
        assert await departures(limiter, [0.0, 3.0, 12.0]) == pytest.approx([10, 10, 12])

    async def test_holds_back_those_who_already_wait(self):
        limiter, start = RateLimiter(RateLimit(1)), now()
        await limiter.acquire()
        line = await waiters(limiter, 2)
        limiter.cool_down(10)
        assert [await task - start for task in line] == pytest.approx([10, 11])

    async def test_is_not_shortened_by_a_shorter_one(self):
        limiter = RateLimiter()
        limiter.cool_down(10)
        limiter.cool_down(1)
        assert await departures(limiter, [0.0]) == pytest.approx([10])

    async def test_beyond_the_deadline_is_refused_at_once(self):
        limiter, start = RateLimiter(), now()
        limiter.cool_down(10)
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(deadline=start + 5)
        assert (now(), caught.value.retry_after) == (start, pytest.approx(10))
        assert caught.value.message == (
            "the cooldown after an earlier 429 leaves no turn before its deadline,"
            " the next one is in 10 s"
        )

    async def test_that_ends_before_a_turn_of_the_limit_is_not_its_cause(self):
        limiter, start = RateLimiter(RateLimit(1, per_seconds=60)), now()
        await limiter.acquire()
        limiter.cool_down(10)
        with pytest.raises(RateLimitedError, match="the client's own limit"):
            await limiter.acquire(deadline=start + 30)

    async def test_is_the_cause_if_a_burst_would_have_allowed_the_turn(self):
        limiter, start = RateLimiter(RateLimit(1, per_seconds=60, burst=3)), now()
        await limiter.acquire()
        limiter.cool_down(10)
        with pytest.raises(RateLimitedError, match="the cooldown"):
            await limiter.acquire(deadline=start + 5)

    @pytest.mark.parametrize("asked", ["86401", "1" + "0" * 18, "9" * 400, FAR_DATE])
    async def test_longer_than_a_day_is_a_day_whatever_the_api_asks_for(self, connect, asked):
        faults = answer(429, headers=f"Retry-After: {asked}\r\n"), answer()
        loop = asyncio.get_running_loop()
        async with FaultServer(*faults) as server:
            client = connect(server)
            with pytest.raises(RateLimitedError) as caught:
                await client.payments.page("sent", 1)
            assert (caught.value.is_local, caught.value.retry_after > 86_400) == (False, True)
            loop.advance(86_100)
            with pytest.raises(RateLimitedError) as caught:
                await client.payments.page("sent", 1)
            assert (caught.value.is_local, caught.value.attempts) == (True, 0)
            assert caught.value.retry_after == pytest.approx(300, abs=1)
            loop.advance(300)
            await client.payments.page("sent", 1)
        assert len(server.requests) == 2

    async def test_says_in_whole_seconds_how_long_it_lasts(self):
        limiter, start = RateLimiter(), now()
        limiter.cool_down(86_400)
        with pytest.raises(RateLimitedError, match=r"the next one is in 86400 s$"):
            await limiter.acquire(deadline=start + 5)

    async def test_longer_than_a_day_ends_even_a_call_with_more_time(self, connect):
        faults = answer(429, headers=f"Retry-After: {'9' * 400}\r\n"), answer()
        async with FaultServer(*faults) as server:
            client, start = connect(server, retry=RetryPolicy(max_elapsed=1e9)), now()
            with pytest.raises(RateLimitedError) as caught:
                await client.payments.page("sent", 1)
            assert caught.value.retry_after == sys.float_info.max
        assert now() - start < 1


class TestTheThrottle:
    @staticmethod
    def answers(status: int, retry_after: str | None):
        headers = {} if retry_after is None else {"retry-after": retry_after}

        async def handler(_request: Request) -> Response:
            return Response(status=status, headers=headers)

        return handler

    @pytest.mark.parametrize(
        ("status", "retry_after", "seconds"),
        [
            (429, "7", 7),
            (429, None, 3),
            (429, "-1", 3),
            (429, "0", 3),
            (503, "7", 0),
            (200, "7", 0),
        ],
    )
    async def test_cools_down_after_a_429_for_its_retry_after(self, status, retry_after, seconds):
        limiter = RateLimiter()
        throttle = Throttle(limiter, default_cooldown=3)
        await throttle(REQUEST, self.answers(status, retry_after))
        assert await departures(limiter, [0.0]) == pytest.approx([seconds])

    async def test_reports_how_long_it_cools_down(self):
        events: list[CooldownEvent] = []
        throttle = Throttle(RateLimiter(), on_event=events.append)
        await throttle(REQUEST, self.answers(429, "7"))
        await throttle(REQUEST, self.answers(429, None))
        assert events == [
            CooldownEvent(operation="get", seconds=7.0),
            CooldownEvent(operation="get", seconds=0.5),
        ]

    async def test_logs_how_long_it_cools_down(self, caplog):
        caplog.set_level(logging.INFO, logger="paywint_async")
        await Throttle(RateLimiter())(REQUEST, self.answers(429, "7.25"))
        (record,) = caplog.records
        assert record.getMessage() == "get: the API answered 429, no request leaves for 7.25 s"
        logged = (record.paywint_event, record.paywint_operation, record.paywint_seconds)
        assert logged == ("cooldown", "get", 7.25)

    async def test_logs_a_retry_after_longer_than_a_day(self, caplog):
        caplog.set_level(logging.INFO, logger="paywint_async")
        await Throttle(RateLimiter())(REQUEST, self.answers(429, "9" * 400))
        (record,) = caplog.records
        assert record.getMessage() == (
            "get: the API answered 429, no request leaves for 86400 s (it asked for 1.8e+308 s)"
        )
        logged = record.paywint_seconds, record.paywint_retry_after
        assert logged == (86_400, sys.float_info.max)

    async def test_does_not_count_an_attempt_without_a_turn(self):
        limiter, attempt = RateLimiter(), attrs.evolve(REQUEST, attempt=3, deadline=now() + 5)
        limiter.cool_down(10)
        with pytest.raises(RateLimitedError) as caught:
            await Throttle(limiter)(attempt, self.answers(200, None))
        assert caught.value.attempts == 2

    async def test_takes_one_turn_for_each_attempt(self, connect):
        async with FaultServer(answer(503), answer(503), answer()) as server:
            client = connect(
                server, rate_limit=RateLimit(1, per_seconds=10), retry=RetryPolicy(base_delay=0)
            )
            start = now()
            await client.payments.page("sent", 1)
        assert now() - start == pytest.approx(20, abs=0.1)

    async def test_shares_one_cooldown_among_all_tasks_of_a_client(self, connect):
        async with FaultServer(answer(429, headers="Retry-After: 10\r\n"), answer()) as server:
            client, start = connect(server), now()
            refused = asyncio.ensure_future(client.payments.page("sent", 1))
            await sleep(1)
            await client.payments.page("received", 1)
            assert now() - start >= 10
            await refused

    async def test_holds_back_the_calls_that_waited_for_a_connection_when_it_began(self, connect):
        async with FaultServer(answer(429, headers="Retry-After: 60\r\n"), late(10)) as server:
            client = connect(server, rate_limit=RateLimit(1000, burst=1000))
            pages = (client.payments.page("sent", 1) for _ in range(3 * MAX_CALLS))
            calls = [asyncio.ensure_future(page) for page in pages]
            await pass_time(50)
            sent = len(server.requests)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert sent == MAX_CALLS

    async def test_needs_no_second_place_for_a_middleware_that_calls_the_api_itself(self, connect):
        async def refresh(request: Request, handler: Handler) -> Response:
            if request.path != "/token":
                await sleep(0)  # until all calls have their turns
                await client.request("GET", "/token")
            return await handler(request)

        async with FaultServer() as server:
            options = {
                "rate_limit": RateLimit(10_000, burst=10_000),
                "attempt_middlewares": [refresh],
            }
            client = connect(server, **options)
            calls = (client.request("GET", "/one") for _ in range(2 * MAX_CALLS))
            await asyncio.wait_for(asyncio.gather(*calls), 60)
        assert len(server.requests) == 4 * MAX_CALLS

    async def test_uses_a_custom_limiter(self, connect):
        class Noting:
            def __init__(self) -> None:
                self.calls: list[object] = []

            async def acquire(self, deadline: float | None = None) -> None:
                self.calls.append("turn")

            def cool_down(self, seconds: float) -> None:
                self.calls.append(seconds)

        limiter = Noting()
        async with FaultServer(answer(429, headers="Retry-After: 7\r\n"), answer()) as server:
            await connect(server, rate_limit=limiter).payments.page("sent", 1)
        assert limiter.calls == ["turn", 7, "turn"]
