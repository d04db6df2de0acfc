"""`export_accounts`: schedules the steps of every account and reports their progress."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import attrs

from paywint_async._accounts.account import Account
from paywint_async._accounts.job import Job, Options, Part, Plan, StepOutcome, Written
from paywint_async._accounts.places import places
from paywint_async._accounts.report import AccountReport, AccountStatus, ExportSummary, OnReport
from paywint_async._config import RateLimit, RetryPolicy, check_count
from paywint_async._errors import ConfigurationError, IncompleteHistoryError, PaywintError
from paywint_async._log import fields, logger
from paywint_async._pagination.listing import read_selection

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

_FIRST = (
    2**40
)  # the priority of planning: the largest account can go first only when all sizes are known

_PROBLEMS = {"KilledWorker": "every worker that ran it has died"}


async def export_accounts(
    accounts: Iterable[Account],
    destination: str | os.PathLike[str],
    *,
    cluster: object = None,
    on_progress: OnReport | None = None,
    max_concurrency: int = 8,
    retry: RetryPolicy | None = None,
    rate_limit: RateLimit | None = None,
    split_above: int = 100_000,
    attempts: int = 3,
    since: datetime | None = None,
    until: datetime | None = None,
    oldest_first: bool = False,
) -> ExportSummary:
    """Brings an output for each account up to date, on the workers of a Dask cluster.

    The first call exports all payments, a later one what is new and what has changed, as ``paywint
    sync`` does for one account. It can be interrupted at any point and called again. The failure of
    one account stops no other.
    Needs ``pip install 'paywint-async[dask]'``, here and on the workers.

    Args:
        accounts: with references to their secrets, which the workers resolve.
        destination: as for ``paywint sync``, with ``{account}`` in it; or a directory, which stands for
            ``DIRECTORY/{account}.jsonl``. All workers must have access to it.
        cluster: a scheduler's address, or a `distributed.Cluster` or `distributed.Client`, which stay
            open; a number of worker processes, for a cluster on this machine that ends with the call;
            None: one process for each processor. A worker handles as many accounts at once as it has
            threads.
        on_progress: called in this event loop with the report of an account whenever it changes.
        max_concurrency: requests in flight of each account, or of each range of a large one.
        retry: of each request.
        rate_limit: of each account, or of each range.
        split_above: an account with more payments is read concurrently in ranges of about this size.
        attempts: for each account, where the network, the API or the disk fails.
        since: payments created then or later; with a time zone. An output remembers its span, which
            cannot be changed later. A span is read in one piece, whatever its size.
        until: payments created before then; with a time zone.
        oldest_first: write each output in the order of time, and keep it so; else in the server's order.
            An output remembers its order, which cannot be changed later.

    Returns:
        A report of each account; of those that failed, with the error.

    Raises:
        InvalidRequestError: ``since`` or ``until`` is not a datetime with a time zone, ``until`` is not
            after ``since``, or ``oldest_first`` is not a bool; nothing was started.
        ConfigurationError: an argument cannot be used, the extra is missing, or no worker starts;
            nothing was started.
        TransportError: the scheduler cannot be reached.

    Cancellation: the tasks are cancelled; they commit what they have. A cluster that this call
    started is closed.
    """
    options = Options(
        max_concurrency=check_count("max_concurrency", max_concurrency),
        retry=_checked("retry", retry, RetryPolicy) or RetryPolicy(),
        rate_limit=_checked("rate_limit", rate_limit, RateLimit),
        split_above=check_count("split_above", split_above),
        attempts=check_count("attempts", attempts),
        since=since,
        until=until,
        oldest_first=oldest_first,
    )
    read_selection(since, until, oldest_first=oldest_first)
    jobs = _jobs(accounts, destination, options)
    try:
        from paywint_async._accounts.cluster import opened
    except ModuleNotFoundError:
        raise ConfigurationError(
            "export_accounts needs an extra: pip install 'paywint-async[dask]'"
        ) from None
    started = time.monotonic()
    reports: tuple[AccountReport, ...] = ()
    if jobs:
        async with opened(cluster, most=len(jobs)) as client:
            reports = await _FanOut(client, jobs, on_progress).run()
    return ExportSummary(reports=reports, seconds=time.monotonic() - started)


def _checked(name: str, value: object, kind: type[T]) -> T | None:
    if value is None or isinstance(value, kind):
        return value
    raise ConfigurationError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")


def _jobs(accounts: Iterable[object], destination: object, options: Options) -> list[Job]:
    given = list(accounts)
    checked = [each for each in given if isinstance(each, Account)]
    if len(checked) < len(given):
        raise ConfigurationError(
            "accounts must be Account values, with references to their secrets"
        )
    outputs = places(destination, [each.name for each in checked])
    return [Job(account=each, output=outputs[each.name], options=options) for each in checked]


@attrs.define(kw_only=True)
class _AccountProgress:
    """The progress of one account."""

    job: Job
    plan: Plan = attrs.field(factory=lambda: Plan(exported_count=0, total=0))
    started: float | None = None
    starts: dict[str, int] = attrs.field(factory=dict)
    attempts: int = 0
    read: dict[str, int] = attrs.field(factory=dict)  # of each range
    written: int = 0

    def note(self, key: str, count: int | None) -> None:
        """Records that a step has begun (None), or how many payments it has read."""
        if count is None:
            self.started = self.started or time.monotonic()
            self.starts[key] = self.starts.get(key, 0) + 1
        elif key in self.read:
            self.read[key] = count
        else:
            self.written = count

    def report(self, status: AccountStatus, **known: Any) -> AccountReport:
        done = max(self.plan.exported_count + sum(self.read.values()), self.written)
        payments = known.pop("payments", min(done, self.plan.total))
        total = self.plan.total or None
        if self.plan.is_of_span:
            total = payments if status is AccountStatus.COMPLETE else None
        return AccountReport(
            account=self.job.account.name,
            status=status,
            payments=payments,
            total=total,
            new=max(0, payments - self.plan.exported_count),
            seconds=0.0 if self.started is None else time.monotonic() - self.started,
            attempts=self.attempts,
            **known,
        )


class _FanOut:
    """The tasks of one call. The steps of an account run one after another, the accounts concurrently.

    Args:
        client: the asynchronous client of the cluster.
        jobs: one for each account.
        on_progress: see `export_accounts`.
    """

    def __init__(self, client: Client, jobs: list[Job], on_progress: OnReport | None) -> None:
        self._client = client
        self._accounts = [_AccountProgress(job=job) for job in jobs]
        self._on_progress = on_progress
        self._topic = f"paywint-{uuid4().hex}"
        self._running: dict[str, _AccountProgress] = {}  # by the key of a task

    async def run(self) -> tuple[AccountReport, ...]:
        """Exports all accounts; returns their reports in the order of the jobs."""
        self._client.subscribe_topic(self._topic, self._receive)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._export(progress)) for progress in self._accounts]
        finally:
            self._client.unsubscribe_topic(self._topic)
        return tuple(task.result() for task in tasks)

    async def _export(self, progress: _AccountProgress) -> AccountReport:
        try:
            written = await self._write(progress)
            report = progress.report(
                AccountStatus.COMPLETE, payments=written.payments, changed=written.changed
            )
        except PaywintError as error:
            report = progress.report(AccountStatus.FAILED, error=error.with_traceback(None))
        self._report(report)
        return report

    async def _write(self, progress: _AccountProgress) -> Written:
        plan: Plan = await self._do(progress, "plan", priority=_FIRST)
        progress.plan, size = plan, plan.total - plan.exported_count
        parts = [self._read(progress, part, size) for part in plan.parts]
        for error in [each for each in await asyncio.gather(*parts) if each is not None]:
            if not isinstance(
                error, IncompleteHistoryError
            ):  # then the account is read in one piece
                raise error
        step = "merge" if plan.is_split_now else "write"
        written: Written = await self._do(progress, step, priority=size)
        return written

    async def _read(self, progress: _AccountProgress, part: Part, size: int) -> PaywintError | None:
        """Reads a range; returns its error instead of raising it, so that the other ranges go on."""
        try:
            await self._do(progress, "part", part, priority=size)
        except PaywintError as error:
            return error
        return None

    async def _do(
        self, progress: _AccountProgress, step: str, part: Part | None = None, *, priority: int
    ) -> Any:
        from paywint_async._accounts.task import run

        key = "-".join([self._topic, progress.job.account.name, step, *_name(part)])
        self._running[key] = progress
        if part is not None:
            progress.read[key] = 0
        future = self._client.submit(
            run, progress.job, step, part, self._topic, key=key, pure=False, priority=priority
        )
        try:
            outcome = await _outcome(future, progress.job.account.name)
        finally:
            # Also on cancellation: the worker then notices that its step is not wanted any more.
            future.release()
            del self._running[key]
        progress.attempts = max(
            progress.attempts, progress.starts.get(key, 1) - 1 + outcome.attempts
        )
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    async def _receive(self, event: tuple[float, dict[str, Any]]) -> None:
        _, news = event
        if progress := self._running.get(news["key"]):
            progress.note(news["key"], news["count"])
            self._report(progress.report(AccountStatus.RUNNING))

    def _report(self, report: AccountReport) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(report)
        except Exception as error:  # an error in the callback must not stop the export
            logger.exception(
                "on_progress raised on the report of %s",
                report.account,
                extra=fields(
                    event="on_progress_raised",
                    account=report.account,
                    error=type(error).__name__,
                ),
            )


def _name(part: Part | None) -> list[str]:
    return [] if part is None else [part.direction, str(part.number)]


async def _outcome(future: Any, account: str) -> StepOutcome:
    """The result of the task; raises an error if it has none.

    Raises:
        asyncio.CancelledError: the calling task is cancelled, not only the future.
    """
    from paywint_async.export import ExportError

    try:
        outcome: StepOutcome = await future
    except (asyncio.CancelledError, concurrent.futures.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        problem = "the connection to the scheduler is lost, or the scheduler has lost the task"
    except Exception as error:
        name = type(error).__name__
        problem = _PROBLEMS.get(
            name, f"{name} on the cluster; the logs of the workers have the details"
        )
    else:
        return outcome
    raise ExportError(f"the export of account {account} failed: {problem}")
