"""A limit shared by several limiters: even, fair, in order, by the clock of Redis only."""

from __future__ import annotations

import asyncio
import sys
from asyncio import sleep  # virtual: no test really sleeps

import pytest
from fake_redis import RedisServer
from hypothesis import given, settings
from hypothesis import strategies as st
from limiter_timing import departures, most_in_a_window, now, waiters
from virtual_time import VirtualTimeLoop

from paywint_async import RateLimit, RateLimitedError, SharedRateLimit


async def until_a_burst_is_saved(limiter: SharedRateLimit) -> None:
    """Creates the state, which starts without a burst, and waits until one is saved up."""
    await limiter.acquire()
    await sleep(1000)


class TestTheRate:
    async def test_is_even(self, share):
        left = await departures(share(RateLimit(4)), [0.0] * 5)
        assert left == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])

    async def test_can_be_used_completely_by_one_limiter(self, share):
        left = await departures(share(RateLimit(50)), [0.0] * 101)
        assert left[-1] == pytest.approx(2.0)

    async def test_can_be_used_completely_by_many_limiters_and_is_not_exceeded(self, share):
        limit = RateLimit(50)
        lefts = await asyncio.gather(*(departures(share(limit), [0.0] * 25) for _ in range(4)))
        times = sorted(time for left in lefts for time in left)
        assert times == pytest.approx([turn / 50 for turn in range(100)])

    async def test_allows_a_burst_at_once_after_a_pause(self, share):
        one, other = share(RateLimit(10, burst=4)), share(RateLimit(10, burst=4))
        await until_a_burst_is_saved(one)
        lefts = await asyncio.gather(departures(one, [0.0] * 3), departures(other, [0.0] * 3))
        assert sorted(lefts[0] + lefts[1]) == pytest.approx([0, 0, 0, 0, 0.1, 0.2])

    async def test_starts_without_a_burst_if_there_is_no_state(self, share):
        left = await departures(share(RateLimit(10, burst=3)), [0.0] * 3)
        assert left == pytest.approx([0, 0.1, 0.2])

    @pytest.mark.parametrize("limit", [RateLimit(1e-300), RateLimit(1e300, burst=10**18)])
    async def test_may_be_extreme(self, share, limit):
        limiter = share(limit)
        await limiter.acquire()
        assert await departures(limiter, []) == []

    @settings(max_examples=10)
    @given(
        burst=st.integers(1, 4),
        processes=st.lists(
            st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.03, 0.2, 3.0]), max_size=8),
            min_size=1,
            max_size=3,
        ),
        latency=st.sampled_from([0.0, 0.004, 0.03]),
    )
    def test_is_never_exceeded_in_any_window(self, burst, processes, latency):
        async def leave() -> list[float]:
            async with RedisServer() as server:
                server.latency = latency
                limiters = [
                    SharedRateLimit(RateLimit(10, burst=burst), server.url, key="k")
                    for _ in processes
                ]
                arrivals = [[sum(g[: i + 1]) for i in range(len(g))] for g in processes]
                pairs = zip(limiters, arrivals, strict=True)
                lefts = await asyncio.gather(*(departures(*pair) for pair in pairs))
                for limiter in limiters:
                    await limiter.aclose()
                return [time for left in lefts for time in left]

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            left = runner.run(leave())
        for seconds in (0.1, 0.5, 1.0, 3.0):
            assert most_in_a_window(left, seconds) <= burst + seconds * 10

    async def test_is_reached_despite_latency_to_redis(self, redis, share):
        redis.latency, limiter = 0.08, share(RateLimit(50))
        await limiter.acquire()
        await sleep(10)
        left = await departures(limiter, [0.0] * 101)
        assert left[-1] - left[0] == pytest.approx(2.0, abs=0.1)


class TestTheCost:
    async def test_is_one_call_per_turn_if_nobody_waits(self, redis, share):
        limiter = share(RateLimit(100))
        for _ in range(10):
            await limiter.acquire()
            await sleep(1)
        assert (len(redis.scripts_run), redis.connections) == (10, 1)

    async def test_is_shared_by_simultaneous_requests(self, redis, share):
        limiter = share(RateLimit(10, burst=50))
        await until_a_burst_is_saved(limiter)
        before = len(redis.scripts_run)
        assert await departures(limiter, [0.0] * 50) == [0.0] * 50
        assert len(redis.scripts_run) - before == 1

    async def test_is_one_call_per_turn_if_many_wait(self, redis, share):
        await departures(share(RateLimit(20)), [0.0] * 100)
        assert len(redis.scripts_run) <= 105


class TestTheWaitQueue:
    async def test_is_served_in_order_of_arrival(self, share):
        limiter, order = share(RateLimit(100, burst=3)), []

        async def one(name: int) -> None:
            await limiter.acquire()
            order.append(name)

        await asyncio.gather(*map(one, range(50)))
        assert order == list(range(50))

    async def test_of_one_process_does_not_delay_another(self, share):
        busy, start = share(RateLimit(20)), now()
        line = await waiters(busy, 200)
        await sleep(1)
        await share(RateLimit(20)).acquire()
        assert now() - start <= 1.2
        for task in line:
            task.cancel()

    async def test_gives_each_process_its_part(self, share):
        limit = RateLimit(20)
        lines = [await waiters(share(limit), count) for count in (300, 100, 50)]
        await sleep(6)
        parts = [sum(task.done() for task in line) for line in lines]
        for task in (task for line in lines for task in line):
            task.cancel()
        assert min(parts) >= 0.9 * sum(parts) / 3

    @pytest.mark.parametrize("gone", range(4))
    async def test_loses_at_most_one_turn_when_one_is_cancelled(self, share, gone):
        limiter, start = share(RateLimit(1)), now()
        await limiter.acquire()
        line = await waiters(limiter, 4)
        await sleep(0.5)
        line.pop(gone).cancel()
        times = [await task - start for task in line]
        assert times == pytest.approx([2, 3, 4] if gone == 0 else [1, 2, 3])

    async def test_continues_when_all_waiters_of_a_call_are_cancelled(self, redis, share):
        limiter = share(RateLimit(100))
        await limiter.acquire()
        redis.latency, start = 0.1, now()
        line = await waiters(limiter, 5)
        await sleep(0.05)
        for task in line:
            task.cancel()
        await limiter.acquire()
        assert (now() - start, redis.connections) == (pytest.approx(0.25, abs=0.1), 1)


class TestADeadline:
    async def test_that_no_turn_can_meet_is_refused_at_once(self, share):
        limiter, start = share(RateLimit(1, per_seconds=60)), now()
        await limiter.acquire()
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(deadline=start + 30)
        assert (now(), caught.value.retry_after) == (start, pytest.approx(60))

    async def test_takes_no_turn_if_it_cannot_be_met(self, share):
        limiter, start = share(RateLimit(1, per_seconds=60)), now()
        await limiter.acquire()
        for _ in range(5):
            with pytest.raises(RateLimitedError):
                await share(RateLimit(1, per_seconds=60)).acquire(deadline=start + 30)
        await limiter.acquire()
        assert now() - start == pytest.approx(60)

    async def test_ends_a_wait_in_the_middle_of_the_queue(self, share):
        limiter, start = share(RateLimit(1)), now()
        await limiter.acquire()
        line = await waiters(limiter, 5)
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(deadline=start + 3.5)
        assert now() == pytest.approx(start + 3.5)
        assert caught.value.retry_after == pytest.approx(0.5)
        assert [await task - start for task in line] == pytest.approx([1, 2, 3, 4, 5])

    async def test_that_can_be_met_is_met(self, share):
        limiter, start = share(RateLimit(1)), now()
        await limiter.acquire()
        await limiter.acquire(deadline=start + 1.5)
        assert now() == pytest.approx(start + 1)


class TestACooldown:
    async def test_is_respected_by_all_processes(self, share):
        one, other = share(RateLimit(100)), share(RateLimit(100))
        await other.acquire()
        one.cool_down(10)
        await sleep(0.1)
        left = await departures(other, [0.0, 3.0, 12.0])
        assert left == pytest.approx([9.9, 9.91, 12])

    async def test_holds_back_those_who_already_have_a_turn(self, share):
        one, other, start = share(RateLimit(20)), share(RateLimit(20)), now()
        line = await waiters(other, 5)
        await sleep(0.06)
        one.cool_down(10)
        times = [await task - start for task in line]
        assert times == pytest.approx([0, 0.05, 10.06, 10.11, 10.16])

    async def test_holds_back_those_who_are_about_to_get_a_turn(self, redis, share):
        limiter = share(RateLimit(100))
        await limiter.acquire()
        redis.latency, start = 0.1, now()
        (waiter,) = await waiters(limiter, 1)
        await sleep(0.05)
        limiter.cool_down(10)
        assert await waiter - start == pytest.approx(10.15, abs=0.11)

    async def test_is_not_shortened_by_a_shorter_one(self, share):
        one, other = share(RateLimit(100)), share(RateLimit(100))
        one.cool_down(10)
        await sleep(0.1)
        other.cool_down(1)
        one.cool_down(1)
        assert await departures(other, [0.0]) == pytest.approx([9.9])

    async def test_beyond_the_deadline_is_refused_at_once(self, share):
        limiter, start = share(RateLimit(100)), now()
        limiter.cool_down(10)
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(deadline=start + 5)
        assert (now(), caught.value.retry_after) == (start, pytest.approx(10))

    @pytest.mark.parametrize("seconds", [1e9, 1e18, sys.float_info.max])
    async def test_of_any_length_is_respected_by_all_processes(self, share, seconds):
        one, other = share(RateLimit(100)), share(RateLimit(100))
        await other.acquire()
        one.cool_down(seconds)
        await sleep(0.1)
        for limiter in (one, other):
            with pytest.raises(RateLimitedError) as caught:
                await limiter.acquire(deadline=now() + 1e8)
            assert caught.value.retry_after >= 1e9 - 1

    async def test_does_not_allow_a_second_burst(self, share):
        one, other = share(RateLimit(10, burst=5)), share(RateLimit(10, burst=5))
        await until_a_burst_is_saved(one)
        line = [*await waiters(one, 5), *await waiters(other, 20)]
        await sleep(0.3)
        one.cool_down(0.2)
        assert most_in_a_window([await task for task in line], 1) <= 15


class TestTheServer:
    async def test_may_lose_its_state_without_a_second_burst(self, redis, share):
        one, other = share(RateLimit(10, burst=5)), share(RateLimit(10, burst=5))
        await until_a_burst_is_saved(one)
        lines = [*await waiters(one, 10), *await waiters(other, 10)]
        await sleep(0.3)
        redis.lose_everything()
        assert most_in_a_window([await task for task in lines], 1) <= 15

    async def test_may_lose_its_scripts(self, redis, share):
        limiter = share(RateLimit(10))
        await limiter.acquire()
        redis.scripts.clear()
        assert await departures(limiter, [0.0] * 2) == pytest.approx([0.1, 0.2])

    @pytest.mark.parametrize("seconds", [0.3, 3600])
    async def test_may_have_its_clock_set_back(self, redis, share, seconds):
        limiter = share(RateLimit(10))
        await departures(limiter, [0.0] * 3)
        redis.clock_is_off = -seconds
        left = await departures(limiter, [0.0] * 10)
        assert left[-1] == pytest.approx(1.0, abs=0.5)
        assert most_in_a_window(left, 1) <= 11

    async def test_may_have_its_clock_set_ahead(self, redis, share):
        limiter = share(RateLimit(10))
        line = await waiters(limiter, 5)
        await sleep(0.05)
        redis.clock_is_off = 3600
        times = [await task for task in line]
        assert most_in_a_window(times, 1) == 5

    async def test_has_one_key_without_account_data_that_expires(self, redis, share):
        await share(RateLimit(10), key="d4211545-the-api-key").acquire()
        (key,) = redis.hashes
        assert "d4211545" not in key
        assert redis.expire_at[key] - redis.now() == pytest.approx(86400, abs=1)

    async def test_keeps_accounts_apart(self, redis, share):
        one, other, start = share(RateLimit(1), key="one"), share(RateLimit(1), key="other"), now()
        await one.acquire()
        await other.acquire()
        assert (now(), len(redis.hashes)) == (start, 2)

    async def test_replaces_an_invalid_state(self, redis, share):
        limiter = share(RateLimit(10))
        await limiter.acquire()
        (state,) = redis.hashes.values()
        state["whole"] = "garbage"
        assert await departures(limiter, [0.0] * 2) == pytest.approx([0, 0.1])


async def test_a_process_with_a_slow_event_loop_still_gets_turns(share):
    limiter, loop = share(RateLimit(100)), asyncio.get_running_loop()
    line = await waiters(limiter, 20)
    start = now()
    while not all(task.done() for task in line):
        await sleep(0.001)
        loop.advance(0.05)  # as if the event loop had been busy
    assert now() - start < 5
