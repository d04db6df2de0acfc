"""Runs a step as a Dask task: on a thread of a worker, with a separate event loop.

The worker's own event loop must answer the scheduler, so no account is decoded on it. The worker runs
as many steps at a time as it has threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import distributed

from paywint_async._accounts import steps
from paywint_async._accounts.job import Job, OnCount, Part, StepOutcome
from paywint_async._log import fields, logger

Step = Literal["plan", "part", "merge", "write"]

_REPORT_INTERVAL = 0.2  # seconds
_CHECK_INTERVAL = 0.1  # seconds between two checks whether the step is still wanted


def run(job: Job, step: Step, part: Part | None, topic: str) -> StepOutcome:
    """Runs a step for an account; sends its progress under ``topic``.

    ``merge`` is a ``write`` whose ranges were all read in this call.

    Cancellation: once the task is cancelled, or the worker closes, the requests end and what was
    written is committed, within about a second.
    """
    worker = distributed.get_worker()
    task_key = str(worker.get_current_task())
    teller = _ProgressReporter(worker, topic, task_key)
    work = steps.patiently(_step(job, step, part, teller.count), job.options)
    try:
        return asyncio.run(_unless_cancelled(work, lambda: _is_wanted(worker, task_key)))
    except Exception as error:  # an error of this package: the caller gets its type only
        logger.exception(
            "the export of account %s failed",
            job.account.name,
            extra=fields(
                event="account_failed",
                account=job.account.name,
                step=step,
                error=type(error).__name__,
            ),
        )
        raise


def _step(
    job: Job, step: Step, part: Part | None, on_count: OnCount
) -> Callable[[], Awaitable[Any]]:
    if step == "plan":
        return lambda: steps.plan(job)
    if part is not None:
        return lambda: steps.read_part(job, part, on_count)
    return lambda: steps.write(job, on_count, is_just_read=step == "merge")


async def _unless_cancelled(
    work: Awaitable[StepOutcome], is_wanted: Callable[[], bool]
) -> StepOutcome:
    task = asyncio.ensure_future(work)
    while not task.done() and is_wanted():
        await asyncio.wait([task], timeout=_CHECK_INTERVAL)
    task.cancel()  # once: a second cancellation would interrupt the last commit
    return await task


def _is_wanted(worker: Any, key: str) -> bool:
    """Whether the task still belongs to this worker: Dask cannot stop a thread."""
    task = worker.state.tasks.get(key)
    is_closing = worker.status.name in ("closing", "closed", "failed")
    return task is not None and task.state in ("executing", "resumed") and not is_closing


class _ProgressReporter:
    """Reports that a step has begun, and from time to time how many payments it has read."""

    def __init__(self, worker: Any, topic: str, key: str) -> None:
        self._worker = worker
        self._topic = topic
        self._key = key
        self._next = time.monotonic() + _REPORT_INTERVAL
        self._report(None)

    def count(self, count: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _REPORT_INTERVAL
            self._report(count)

    def _report(self, count: int | None) -> None:
        self._worker.log_event(self._topic, {"key": self._key, "count": count})
