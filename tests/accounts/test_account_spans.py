"""Spans of time of many accounts: not split into ranges, kept by each output, counted exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from accounts.conftest import Serve
from accounts.test_fan_out import ACME, Cluster, run
from accounts.test_steps import MakeJob, export, ids_in

from paywint_async import AccountReport, InvalidRequestError, PaywintClient, export_accounts
from paywint_async._accounts import steps
from paywint_async._accounts.job import Plan, Written
from paywint_async._accounts.staging import Staging
from paywint_async.emulator import Emulator

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def created(emulator: Emulator, payment_id: str) -> datetime:
    keys = emulator.api_key, emulator.api_secret
    async with PaywintClient(*keys, base_url=emulator.url) as client:
        return (await client.payments.get(payment_id)).created_at


@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
async def test_an_output_begins_at_a_date_and_is_kept_up_to_date(
    serve: Serve, make_job: MakeJob, kind: str
) -> None:
    emulator = await serve(payments=700)
    since = await created(emulator, emulator.history("received")[250])
    job = make_job(emulator, kind, direction="received", since=since)

    first = await export(job)
    emulator.arrive("received", 40)
    second = await export(make_job(emulator, kind, direction="received"))

    assert first == (
        Plan(exported_count=0, total=700, is_of_span=True),
        Written(payments=251, changed=0),
    )
    assert second[0] == Plan(exported_count=251, total=740, is_of_span=True)
    assert second[1].payments == 291
    assert sorted(ids_in(job.output, "received")) == sorted(emulator.history("received")[:291])


async def test_a_span_between_two_dates_is_in_both_directions(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=700)
    since = await created(emulator, emulator.history("received")[600])
    until = await created(emulator, emulator.history("received")[100])
    job = make_job(emulator, since=since, until=until)

    _, written = await export(job)

    assert ids_in(job.output, "received") == emulator.history("received")[101:601]
    assert written.payments == len(ids_in(job.output, "received") + ids_in(job.output, "sent"))


async def test_a_span_that_differs_from_the_outputs_is_refused(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=50)
    await export(make_job(emulator))

    with pytest.raises(InvalidRequestError, match="span"):
        await export(make_job(emulator, since=NOW - timedelta(days=9000)))


async def test_ranges_of_the_whole_account_are_not_used_for_a_span(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=700)
    assert (await steps.plan(make_job(emulator, direction="received"))).parts
    since = await created(emulator, emulator.history("received")[30])

    plan, _ = await export(job := make_job(emulator, direction="received", since=since))

    assert plan.parts == ()
    assert not Staging(job.output).parts
    assert ids_in(job.output, "received") == emulator.history("received")[:31]


async def test_progress_counts_the_payments_of_the_span_in_the_output(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=500)
    since = await created(emulator, emulator.history("received")[249])
    job = make_job(emulator, direction="received", since=since)
    counts: list[int] = []

    await export(job)
    emulator.arrive("received", 150)
    await steps.write(job, counts.append)

    assert counts == [350, 400]


async def test_the_total_of_a_span_is_known_when_it_is_complete() -> None:
    cluster = Cluster(
        {
            ("acme", "plan"): Plan(exported_count=10, total=300, is_of_span=True),
            ("acme", "write"): Written(payments=31, changed=0),
        }
    )
    seen: list[AccountReport] = []

    (report,) = await run(cluster, on_progress=seen.append)

    assert [each.total for each in seen] == [None, None, 31]
    assert (report.payments, report.new) == (31, 21)


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"since": datetime(2026, 1, 1)}, "since"),
        ({"until": "2026-01-01"}, "until"),
        ({"since": NOW, "until": NOW - timedelta(1)}, "until"),
    ],
)
async def test_an_invalid_span_is_refused_before_anything_is_started(
    span: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await export_accounts([ACME], "exports", **span)
    assert caught.value.field == field
