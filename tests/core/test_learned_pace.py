"""The pace that a client learns from 429s. Times are seconds on no real clock."""

from __future__ import annotations

import pytest

from paywint_async import RateLimit, Request, Response
from paywint_async._middleware.rate_limit import Learner, RateLimiter, Throttle


class NotedPaces(RateLimiter):
    """A limiter that records the paces that were set."""

    def __init__(self) -> None:
        super().__init__()
        self.paces: list[float | None] = []

    def pace(self, per_second: float | None) -> None:
        self.paces.append(per_second)


@pytest.fixture
def limiter() -> NotedPaces:
    return NotedPaces()


@pytest.fixture
def learner(limiter: NotedPaces) -> Learner:
    return Learner(limiter)


def answer(learner: Learner, count: int, now: float) -> None:
    for _ in range(count):
        learner.succeed(now)


class TestTheFirstRefusal:
    def test_sets_nine_tenths_of_the_last_second(self, learner, limiter):
        answer(learner, 100, 10.0)
        learner.refused(10.0, 10.5)
        assert limiter.paces == [pytest.approx(90)]

    def test_does_not_count_an_answer_that_is_a_second_old(self, learner, limiter):
        answer(learner, 50, 9.5)
        answer(learner, 10, 10.0)
        learner.refused(10.0, 10.5)
        assert limiter.paces == [pytest.approx(9)]

    def test_counts_only_answers_of_the_last_second(self, learner, limiter):
        answer(learner, 50, 9.0)
        answer(learner, 10, 10.0)
        learner.refused(10.0, 10.0)
        assert limiter.paces == [pytest.approx(9)]

    def test_without_an_answer_allows_one_a_second(self, learner, limiter):
        learner.refused(10.0, 10.5)
        assert limiter.paces == [1.0]

    def test_before_it_no_pace_is_set(self, learner, limiter):
        answer(learner, 10, 10.0)
        assert limiter.paces == []


class TestALaterRefusal:
    def test_lowers_the_pace_by_a_fifth(self, learner, limiter):
        answer(learner, 100, 10.0)
        learner.refused(10.0, 10.0)
        learner.refused(10.1, 11.0)
        assert limiter.paces == [pytest.approx(90), pytest.approx(72)]

    @pytest.mark.parametrize("sent_at", [9.0, 10.0])
    def test_of_a_request_sent_before_the_previous_refusal_changes_nothing(
        self, learner, limiter, sent_at
    ):
        learner.refused(9.0, 10.0)
        learner.refused(sent_at, 10.2)
        assert limiter.paces == [1.0]

    def test_never_sets_less_than_one_request_in_two_seconds(self, learner, limiter):
        for second in range(20):
            learner.refused(second + 0.5, second + 1.0)
        assert limiter.paces[-1] == 0.5


class TestASuccess:
    def test_adds_a_twentieth_a_second_to_a_high_pace(self, learner, limiter):
        answer(learner, 100, 10.0)
        learner.refused(10.0, 10.0)
        learner.succeed(11.0)
        assert limiter.paces[-1] == pytest.approx(90.05)

    def test_adds_one_a_second_to_a_low_pace(self, learner, limiter):
        answer(learner, 10, 10.0)
        learner.refused(10.0, 10.0)
        learner.succeed(11.0)
        assert limiter.paces[-1] == pytest.approx(9 + 1 / 9)

    def test_keeps_the_pace_for_a_minute_after_a_refusal(self, learner, limiter):
        learner.refused(9.0, 10.0)
        learner.succeed(70.0)
        assert limiter.paces[-1] == pytest.approx(2.0)

    def test_forgets_the_pace_after_that(self, learner, limiter):
        learner.refused(9.0, 10.0)
        learner.succeed(70.1)
        assert limiter.paces[-1] is None

    def test_after_a_forgotten_pace_a_refusal_is_a_first_one_again(self, learner, limiter):
        learner.refused(9.0, 10.0)
        answer(learner, 100, 80.0)
        learner.refused(80.0, 80.5)
        assert limiter.paces[-1] == pytest.approx(90)


class TestThePaceOfALimiter:
    def test_applies_without_a_limit(self):
        limiter = RateLimiter()
        limiter.pace(4)
        assert repr(limiter) == "<RateLimiter 4/s, 0 waiting>"

    def test_never_exceeds_the_limit(self):
        limiter = RateLimiter(RateLimit(2, per_seconds=1.0))
        limiter.pace(100)
        assert repr(limiter) == "<RateLimiter 2/s, 0 waiting>"

    def test_may_be_below_the_limit(self):
        limiter = RateLimiter(RateLimit(2, per_seconds=1.0))
        limiter.pace(1)
        assert repr(limiter) == "<RateLimiter 1/s, 0 waiting>"

    def test_can_be_removed(self):
        limiter = RateLimiter()
        limiter.pace(4)
        limiter.pace(None)
        assert repr(limiter) == "<RateLimiter unlimited, 0 waiting>"


async def send(throttle: Throttle, status: int) -> None:
    async def handler(_request: Request) -> Response:
        return Response(status=status)

    await throttle(Request(operation="get", method="GET", path="/"), handler)


async def test_a_throttle_learns_from_refusals_and_successes() -> None:
    limiter = NotedPaces()
    throttle = Throttle(limiter, default_cooldown=0.1)
    for status in (200, 200, 429, 200):
        await send(throttle, status)
    assert limiter.paces == [pytest.approx(1.8), pytest.approx(1.8 + 1 / 1.8)]


async def test_a_throttle_without_a_429_sets_no_pace() -> None:
    limiter = NotedPaces()
    throttle = Throttle(limiter)
    for status in (200, 503, 404):
        await send(throttle, status)
    assert limiter.paces == []
