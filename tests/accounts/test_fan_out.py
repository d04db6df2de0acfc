"""The schedule of steps and the reports, with a cluster of one coroutine."""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

import pytest
from distributed import KilledWorker
from distributed.client import FutureCancelledError
from virtual_time import pass_time

from paywint_async import (
    Account,
    AccountReport,
    AccountStatus,
    ConfigurationError,
    ExportSummary,
    IncompleteHistoryError,
    SecretRef,
    ServerError,
    export_accounts,
)
from paywint_async._accounts.fan_out import _FanOut
from paywint_async._accounts.job import Job, Options, Part, Plan, StepOutcome, Written

REF = SecretRef.env("ACME_KEY")
ACME = Account("acme", api_key=REF, api_secret=REF)


class Future:
    """The result of a submitted step."""

    def __init__(self, work: Awaitable[StepOutcome]) -> None:
        self._task = asyncio.ensure_future(work)
        self.is_released = False

    def __await__(self) -> Generator[Any, None, StepOutcome]:
        return self._task.__await__()

    def release(self) -> None:
        self.is_released = True
        self._task.cancel()


class Cluster:
    """The part of a Dask client that is used, with scripted outcomes.

    Args:
        script: the outcome by names of account and step: a value, an error, a StepOutcome, or
            a callable.
    """

    def __init__(self, script: dict[tuple[str, str], Any]) -> None:
        self.script = script
        self.submitted: list[tuple[str, str, int]] = []
        self.futures: list[Future] = []
        self.hear: Any = None

    def subscribe_topic(self, topic: str, handler: Any) -> None:
        self.hear = handler

    def unsubscribe_topic(self, topic: str) -> None:
        self.hear = None

    def submit(
        self, run: Any, job: Job, step: str, part: Part | None, topic: str, **options: Any
    ) -> Future:
        assert options["pure"] is False
        pickle.dumps((run, job, step, part, topic))
        self.submitted.append((job.account.name, step, options["priority"]))
        self.futures.append(Future(self._do(job.account.name, step, options["key"])))
        return self.futures[-1]

    async def _do(self, name: str, step: str, key: str) -> StepOutcome:
        await self.hear((0.0, {"key": key, "count": None}))
        result = self.script[name, step]
        if callable(result):
            result = await result(key)
        if isinstance(result, BaseException):
            raise result
        return result if isinstance(result, StepOutcome) else StepOutcome(value=result)


def job(name: str = "acme") -> Job:
    account = Account(name, api_key=REF, api_secret=REF)
    return Job(account=account, output=f"{name}.jsonl", options=Options())


async def run(
    cluster: Any, *names: str, on_progress: Callable[[AccountReport], object] | None = None
) -> tuple[AccountReport, ...]:
    jobs = [job(name) for name in names or ("acme",)]
    return await _FanOut(cluster, jobs, on_progress).run()


def parts(count: int) -> tuple[Part, ...]:
    return tuple(Part(direction="sent", number=number) for number in range(count))


async def test_an_account_is_planned_and_written() -> None:
    cluster = Cluster(
        {
            ("acme", "plan"): Plan(exported_count=10, total=30),
            ("acme", "write"): Written(payments=31, changed=2),
        }
    )
    seen: list[AccountReport] = []

    (report,) = await run(cluster, on_progress=seen.append)

    assert (report.account, report.status, report.payments) == ("acme", "complete", 31)
    assert (report.new, report.changed, report.attempts) == (21, 2, 1)
    assert [each.status for each in seen] == ["running", "running", "complete"]
    assert all(future.is_released for future in cluster.futures)


async def test_all_accounts_are_planned_first_and_the_largest_are_written_first() -> None:
    sizes = {"a": 10, "b": 1000, "c": 100}
    script: dict[tuple[str, str], Any] = {}
    for name, size in sizes.items():
        script[name, "plan"] = Plan(exported_count=0, total=size)
        script[name, "write"] = Written(payments=size, changed=0)
    cluster = Cluster(script)

    reports = await run(cluster, *sizes)

    assert [report.payments for report in reports] == [10, 1000, 100]
    priority = {(name, step): number for name, step, number in cluster.submitted}
    assert priority["b", "write"] > priority["c", "write"] > priority["a", "write"]
    assert min(priority[name, "plan"] for name in sizes) > priority["b", "write"]


# A merge of ranges that were planned in this call requests none of their payments again.
@pytest.mark.parametrize(("is_split_now", "last"), [(True, "merge"), (False, "write")])
async def test_the_ranges_of_a_large_account_are_read_before_it_is_written(
    is_split_now: bool, last: str
) -> None:
    plan = Plan(exported_count=0, total=30, parts=parts(3), is_split_now=is_split_now)
    cluster = Cluster(
        {
            ("acme", "plan"): plan,
            ("acme", "part"): None,
            ("acme", last): Written(payments=30, changed=0),
        }
    )

    await run(cluster)

    assert [step for _, step, _ in cluster.submitted] == ["plan", "part", "part", "part", last]


async def test_a_range_that_cannot_be_proved_complete_is_left_to_the_writer() -> None:
    doubt = StepOutcome(error=IncompleteHistoryError("in doubt"))
    cluster = Cluster(
        {
            ("acme", "plan"): Plan(exported_count=0, total=30, parts=parts(2)),
            ("acme", "part"): doubt,
            ("acme", "write"): Written(payments=30, changed=0),
        }
    )

    (report,) = await run(cluster)

    assert report.status == "complete"


async def test_an_error_in_a_range_fails_the_account_after_the_other_ranges() -> None:
    failure = StepOutcome(error=ServerError(503, "busy"), attempts=3)
    cluster = Cluster(
        {
            ("acme", "plan"): Plan(exported_count=0, total=30, parts=parts(3)),
            ("acme", "part"): failure,
        }
    )

    (report,) = await run(cluster)

    assert (report.status, report.attempts) == ("failed", 3)
    assert isinstance(report.error, ServerError)
    assert [step for _, step, _ in cluster.submitted] == ["plan", "part", "part", "part"]


async def test_one_bad_account_does_not_stop_the_rest() -> None:
    cluster = Cluster(
        {
            ("bad", "plan"): RuntimeError("a bug, with a secret"),
            ("good", "plan"): Plan(exported_count=0, total=1),
            ("good", "write"): Written(payments=1, changed=0),
        }
    )

    bad, good = await run(cluster, "bad", "good")

    assert (bad.status, good.status) == ("failed", "complete")
    assert str(bad.error) == (
        "the export of account bad failed: RuntimeError on the cluster; "
        "the logs of the workers have the details"
    )
    assert pickle.loads(pickle.dumps(bad)).account == "bad"


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (
            asyncio.CancelledError(),
            "the connection to the scheduler is lost, or the scheduler has lost the task",
        ),
        (
            FutureCancelledError("key", "lost"),
            "the connection to the scheduler is lost, or the scheduler has lost the task",
        ),
        (KilledWorker("key", None, 3), "every worker that ran it has died"),
    ],
    ids=repr,
)
async def test_an_error_of_the_cluster_is_an_error_of_the_account(
    failure: BaseException, problem: str
) -> None:
    cluster = Cluster({("acme", "plan"): failure})

    (report,) = await run(cluster)

    assert str(report.error) == f"the export of account acme failed: {problem}"


async def test_a_cancellation_releases_every_task() -> None:
    async def never(key: str) -> None:
        await asyncio.get_running_loop().create_future()

    cluster = Cluster({("a", "plan"): never, ("b", "plan"): never})
    task = asyncio.create_task(run(cluster, "a", "b"))
    await pass_time(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [future.is_released for future in cluster.futures] == [True, True]
    assert cluster.hear is None


async def test_a_repeat_on_another_worker_counts_as_an_attempt_and_its_progress_is_reported() -> (
    None
):
    async def twice(key: str) -> Written:
        await cluster.hear((0.0, {"key": key, "count": 12}))
        await cluster.hear((0.0, {"key": key, "count": None}))
        await cluster.hear((0.0, {"key": key, "count": 15}))
        await cluster.hear((0.0, {"key": "somebody else's", "count": 99}))
        return Written(payments=20, changed=0)

    cluster = Cluster(
        {("acme", "plan"): Plan(exported_count=5, total=20), ("acme", "write"): twice}
    )
    seen: list[AccountReport] = []

    (report,) = await run(cluster, on_progress=seen.append)

    assert report.attempts == 2
    assert [each.payments for each in seen] == [0, 5, 12, 12, 15, 20]
    assert [each.new for each in seen] == [0, 0, 7, 7, 10, 15]


async def test_the_counts_of_ranges_add_up() -> None:
    async def half(key: str) -> None:
        await cluster.hear((0.0, {"key": key, "count": 4}))

    cluster = Cluster(
        {
            ("acme", "plan"): Plan(exported_count=0, total=20, parts=parts(2)),
            ("acme", "part"): half,
            ("acme", "write"): Written(payments=20, changed=0),
        }
    )
    seen: list[AccountReport] = []

    await run(cluster, on_progress=seen.append)

    assert max(each.payments for each in seen if each.status == "running") == 8


async def test_an_exception_of_on_progress_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(report: AccountReport) -> None:
        raise ValueError("mine")

    cluster = Cluster({("acme", "plan"): ServerError(500, "busy")})
    with caplog.at_level(logging.ERROR, "paywint_async"):
        (report,) = await run(cluster, on_progress=fail)

    assert report.status == "failed"
    assert "on_progress raised on the report of acme" in caplog.text


def test_a_summary_names_failed_accounts() -> None:
    reports = (
        AccountReport(account="a", status=AccountStatus.COMPLETE, payments=1200, new=200),
        AccountReport(
            account="b", status=AccountStatus.FAILED, payments=3, error=ServerError(500, "no")
        ),
    )
    summary = ExportSummary(reports=reports, seconds=1.25)

    assert (summary.payments, summary.new, summary.is_complete) == (1203, 200, False)
    assert list(summary) == list(reports)
    assert str(summary).splitlines()[0].startswith("1 of 2 accounts complete, 1,203 payments")


@pytest.mark.parametrize(
    ("accounts", "options", "problem"),
    [
        (["acme"], {}, "accounts must be Account values"),
        ([ACME], {"split_above": 0}, "split_above must be"),
        ([ACME], {"attempts": 0}, "attempts must be"),
        ([ACME], {"max_concurrency": "many"}, "max_concurrency must be"),
        ([ACME], {"retry": 3}, "retry must be"),
        ([ACME], {"rate_limit": 3}, "rate_limit must be"),
        ([ACME, ACME], {}, "would share"),
        ([ACME], {"cluster": 0}, "at least one worker"),
        ([ACME], {"cluster": True}, "cluster must be"),
        ([ACME], {"cluster": 2.5}, "cluster must be"),
    ],
    ids=str,
)
async def test_an_invalid_argument_is_refused(
    accounts: Sequence[Any], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        await export_accounts(accounts, "exports", **options)


async def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "paywint_async._accounts.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'paywint-async\[dask\]'"):
        await export_accounts([ACME], "exports")


async def test_no_accounts_need_no_cluster() -> None:
    summary = await export_accounts([], "exports")

    assert (summary.reports, summary.is_complete) == ((), True)
