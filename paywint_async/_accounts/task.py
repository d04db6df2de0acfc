"""A step as a Dask task: on a thread of a worker, with an event loop of its own.

A worker's own loop must answer the scheduler, so no account is decoded on it. The worker runs as many
steps at a time as it has threads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import distributed

from paywint_async._accounts import steps
from paywint_async._accounts.job import Job, OnCount, Part, StepOutcome

logger = logging.getLogger("paywint_async")

Step = Literal["plan", "part", "write"]

_TOLD_EVERY = 0.2  # seconds: progress is for people
_LOOKED_EVERY = 0.1  # seconds: whether anybody still waits for the step


def run(job: Job, step: Step, part: Part | None, topic: str) -> StepOutcome:
    """Does a step for an account; the scheduler's client is told under ``topic`` how it goes.

    Cancellation: once the task is cancelled, or the worker closes, the requests end and what was
    written is committed, within about a second.
    """
    worker = distributed.get_worker()
    task_key = str(worker.get_current_task())
    teller = _Teller(worker, topic, task_key)
    work = steps.patiently(_step(job, step, part, teller.count), job.options)
    try:
        return asyncio.run(_unless_cancelled(work, lambda: _is_wanted(worker, task_key)))
    except Exception:  # a mistake of ours: the caller is told its type only
        logger.exception("the export of account %s broke off", job.account.name)
        raise


def _step(
    job: Job, step: Step, part: Part | None, on_count: OnCount
) -> Callable[[], Awaitable[Any]]:
    if step == "plan":
        return lambda: steps.plan(job)
    if part is not None:
        return lambda: steps.read_part(job, part, on_count)
    return lambda: steps.write(job, on_count)


async def _unless_cancelled(
    work: Awaitable[StepOutcome], is_wanted: Callable[[], bool]
) -> StepOutcome:
    task = asyncio.ensure_future(work)
    while not task.done() and is_wanted():
        await asyncio.wait([task], timeout=_LOOKED_EVERY)
    task.cancel()  # once: a second time would break off the last commit
    return await task


def _is_wanted(worker: Any, key: str) -> bool:
    """Whether the task still belongs to this worker: Dask itself cannot stop what is on a thread."""
    task = worker.state.tasks.get(key)
    is_closing = worker.status.name in ("closing", "closed", "failed")
    return task is not None and task.state in ("executing", "resumed") and not is_closing


class _Teller:
    """Tells that a step has begun, and now and then how many payments it has."""

    def __init__(self, worker: Any, topic: str, key: str) -> None:
        self._worker = worker
        self._topic = topic
        self._key = key
        self._next = time.monotonic() + _TOLD_EVERY
        self._tell(None)

    def count(self, count: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _TOLD_EVERY
            self._tell(count)

    def _tell(self, count: int | None) -> None:
        self._worker.log_event(self._topic, {"key": self._key, "count": count})
