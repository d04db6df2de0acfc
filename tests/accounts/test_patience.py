"""Retries of steps: transient errors are retried, and another writer is waited for."""

from __future__ import annotations

import asyncio

from paywint_async import ConfigurationError, ServerError
from paywint_async._accounts import steps
from paywint_async._accounts.job import Options
from paywint_async.export import OutputInUseError


class Failing:
    """A step that fails several times before it succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_a_transient_error_is_retried() -> None:
    error = ServerError(503, "busy")

    outcome = await steps.patiently(Failing(error, error), Options(attempts=3))

    assert (outcome.value, outcome.error, outcome.attempts) == ("done", None, 3)


async def test_the_last_of_repeated_errors_is_the_outcome() -> None:
    error = ServerError(503, "busy")

    outcome = await steps.patiently(Failing(error, error, error), Options(attempts=2))

    assert (outcome.error, outcome.attempts) == (error, 2)
    assert error.__traceback__ is None


async def test_a_permanent_error_is_not_retried() -> None:
    step = Failing(ConfigurationError("no such secret"), ConfigurationError("again"))

    outcome = await steps.patiently(step, Options(attempts=3))

    assert (str(outcome.error), outcome.attempts) == ("no such secret", 1)


async def test_the_wait_for_another_writer_is_limited() -> None:
    step = Failing(*[OutputInUseError("in use")] * 1000)
    started = asyncio.get_running_loop().time()

    outcome = await steps.patiently(step, Options(attempts=1))

    assert isinstance(outcome.error, OutputInUseError)
    assert 60 <= asyncio.get_running_loop().time() - started < 62
