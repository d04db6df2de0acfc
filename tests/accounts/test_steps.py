"""The steps of a worker: each payment exactly once, split or not, despite interruptions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from accounts.conftest import Serve
from effort import slow_but
from export_destinations import rows_in
from virtual_time import pass_time

from paywint_async import (
    AuthenticationError,
    IncompleteHistoryError,
    PaymentListing,
    PaywintClient,
)
from paywint_async._accounts import steps
from paywint_async._accounts.job import Job, Part, Plan, Written
from paywint_async._accounts.staging import Staging
from paywint_async.emulator import Emulator
from paywint_async.export import ExportError, make_table, reader, transfer

MakeJob = Callable[..., Job]
KINDS = ("jsonl", "csv.gz", "parquet", "sqlite")


def ignore_count(count: int) -> None:
    """Ignores the reported number of payments."""


async def read_parts(job: Job) -> Plan:
    """Run all steps except for writing."""
    plan = await steps.plan(job)
    for part in plan.parts:
        await steps.read_part(job, part, ignore_count)
    return plan


async def export(job: Job, arrive: Callable[[], None] = lambda: None) -> tuple[Plan, Written]:
    """Run all steps, one after the other."""
    plan = await steps.plan(job)
    for part in plan.parts:
        arrive()
        await steps.read_part(job, part, ignore_count)
    arrive()
    return plan, await steps.write(job, ignore_count, is_just_read=plan.is_split_now)


def ids_in(output: str, direction: str) -> list[str]:
    return [
        row["payment_id"] for row in rows_in(output) if row.get("direction", direction) == direction
    ]


def requested_pages(emulator: Emulator) -> int:
    return sum("/list/" in exchange.path for exchange in emulator.requests)


async def exported_at_once(emulator: Emulator, output: str, direction: str) -> None:
    keys = emulator.api_key, emulator.api_secret
    async with PaywintClient(*keys, base_url=emulator.url) as client:
        await transfer(reader(client.payments, direction), make_table(output, direction))


@pytest.mark.parametrize("kind", slow_but(KINDS, "csv.gz", "sqlite"))
async def test_an_account_is_exported_and_later_brought_up_to_date(
    serve: Serve, make_job: MakeJob, kind: str
) -> None:
    emulator = await serve(payments=121)
    job = make_job(emulator, kind)

    first = await export(job)
    emulator.arrive("sent", 5)
    second = await export(job)

    assert first[0] == Plan(exported_count=0, total=242)
    assert first[1].payments == 242
    assert second[0] == Plan(exported_count=242, total=247)
    assert second[1].payments == 247
    for direction in ("sent", "received"):
        assert sorted(ids_in(job.output, direction)) == sorted(emulator.history(direction))


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("direction", ["sent", "both"])
async def test_a_split_export_equals_an_unsplit_one_byte_for_byte(
    serve: Serve, make_job: MakeJob, tmp_path: Path, order: str, direction: str
) -> None:
    emulator = await serve(payments=700, order=order)
    job = make_job(emulator, direction=direction)
    await exported_at_once(emulator, f"{tmp_path}/expected.jsonl", direction)

    def arrive() -> None:
        emulator.arrive("sent", 37)
        emulator.arrive("received", 211)

    plan, written = await export(job, arrive)

    sides = 2 if direction == "both" else 1
    assert len(plan.parts) == 3 * sides
    assert Path(job.output).read_bytes() == (tmp_path / "expected.jsonl").read_bytes()
    assert written.payments == 700 * sides
    assert not Path(f"{job.output}.ranges").exists()

    assert (await export(job))[0].parts == ()
    for each in job.account.directions:
        assert sorted(ids_in(job.output, each)) == sorted(emulator.history(each))


# The first kind is compared byte for byte.
@pytest.mark.parametrize("kind", slow_but(KINDS[1:], "sqlite"))
async def test_a_large_account_can_be_exported_to_each_destination(
    serve: Serve, make_job: MakeJob, kind: str
) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, kind, direction="received")

    plan, _ = await export(job)

    assert len(plan.parts) == 3
    assert ids_in(job.output, "received") == emulator.history("received")


async def test_one_direction_may_be_empty(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=0)
    emulator.arrive("received", 750)
    job = make_job(emulator)

    plan, written = await export(job)

    assert [part.direction for part in plan.parts] == ["received"] * 3
    assert written.payments == 750
    assert ids_in(job.output, "received") == emulator.history("received")


async def test_an_interrupted_step_continues_where_it_stopped(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=2500, latency=0.01)
    job = make_job(emulator, direction="received", max_concurrency=1, split_above=1000)
    plan = await steps.plan(job)
    assert plan.is_split_now
    again = await steps.plan(job)
    assert (again.parts, again.is_split_now) == (plan.parts, False)

    for part in plan.parts:
        step = asyncio.create_task(steps.read_part(job, part, ignore_count))
        await pass_time(0.05)
        step.cancel()
        await asyncio.wait([step])
        asked = emulator.request_count
        await steps.read_part(job, part, ignore_count)
        assert emulator.request_count - asked < 10  # of about twelve for the range
        asked = emulator.request_count
        await steps.read_part(job, part, ignore_count)
        assert emulator.request_count == asked
    written = await steps.write(job, ignore_count)

    assert written.payments == 2500
    assert ids_in(job.output, "received") == emulator.history("received")


async def test_the_output_is_continued_from_the_ranges_or_without_them(
    serve: Serve, make_job: MakeJob
) -> None:
    for keeps_ranges in (True, False):
        emulator = await serve(payments=750, seed=int(keeps_ranges))
        job = make_job(emulator, f"{keeps_ranges}.jsonl", direction="received")
        await read_parts(job)

        def stop(count: int) -> None:
            if count >= 350:
                raise ExportError("stopped by the test")

        with pytest.raises(ExportError, match="stopped by the test"):
            await steps.write(job, stop)
        staging = Staging(job.output)
        if not keeps_ranges:
            staging.remove()
        emulator.arrive("received", 50)
        again = await steps.plan(job)
        assert 350 <= again.exported_count < 750
        assert bool(again.parts) == keeps_ranges
        asked = requested_pages(emulator)
        assert (await steps.write(job, ignore_count, is_just_read=True)).payments == 750
        # One page, or two after arrivals, prove that the ranges belong to the account.
        assert (requested_pages(emulator) - asked <= 2) == keeps_ranges
        assert ids_in(job.output, "received") == emulator.history("received")[50:]


async def test_ranges_with_gaps_are_read_again_unsplit(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    plan = await steps.plan(job)
    emulator.delete("received", 700)  # of the first range

    with pytest.raises(IncompleteHistoryError):
        await steps.read_part(job, plan.parts[0], ignore_count)
    for part in plan.parts[1:]:
        await steps.read_part(job, part, ignore_count)
    written = await steps.write(job, ignore_count)

    assert written.payments == 749
    assert ids_in(job.output, "received") == emulator.history("received")


async def test_a_payment_in_two_ranges_is_detected(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    await read_parts(job)
    staging = Staging(job.output)
    assert await staging.is_whole()

    first = Path(f"{job.output}.ranges/received-000000.jsonl")
    lines = first.read_bytes().splitlines(keepends=True)
    last = Path(f"{job.output}.ranges/received-000002.jsonl").read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines[:-20]) if len(line) == len(last[7]))
    first.write_bytes(b"".join([*lines[:at], last[7], *lines[at + 1 :]]))

    assert not await staging.is_whole()
    assert (await steps.write(job, ignore_count)).payments == 750
    assert ids_in(job.output, "received") == emulator.history("received")


async def test_an_account_that_cannot_be_read_leaves_no_output(
    serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = make_job(await serve(payments=10))
    monkeypatch.setenv("TEST_SECRET_0", "wrong")

    with pytest.raises(AuthenticationError):
        await steps.plan(job)

    assert list(tmp_path.iterdir()) == []


async def test_a_directory_that_cannot_be_made_is_reported(
    serve: Serve, make_job: MakeJob, tmp_path: Path
) -> None:
    job = make_job(await serve(payments=10))
    (tmp_path / "out").write_text("in the way")

    with pytest.raises(ExportError, match="cannot make"):
        await steps.plan(job)


async def test_a_range_that_was_removed_meanwhile_counts_as_done(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=10)
    job = make_job(emulator)

    await steps.read_part(job, Part(direction="sent", number=3), ignore_count)

    assert emulator.request_count == 0


def test_without_a_directory_for_ranges_an_account_is_not_split() -> None:
    assert not Staging("postgresql://host/acme").is_possible
    assert Staging("postgresql://host/acme").parts == ()
    Staging("postgresql://host/acme").remove()


async def test_two_small_directions_are_not_split(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=200)
    job = make_job(emulator)  # split_above=300

    plan, written = await export(job)

    assert plan == Plan(exported_count=0, total=400)
    assert written.payments == 400


async def test_a_list_that_cannot_be_split_is_read_unsplit(
    serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    monkeypatch.setattr(PaymentListing, "split", refuse)

    plan, written = await export(job)

    assert (plan.parts, written.payments) == ((), 750)


async def refuse(listing: PaymentListing, parts: int) -> None:
    raise IncompleteHistoryError("cannot be split")


async def test_the_first_plan_is_kept(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    await steps.plan(job)
    staging = Staging(job.output)
    first = staging.ranges

    staging.plan({"received": []})

    assert staging.ranges == first


async def test_files_of_an_earlier_plan_are_ignored(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    plan = await steps.plan(job)
    await steps.read_part(job, plan.parts[1], ignore_count)
    # As if the process was killed while removing the plan.
    os.unlink(f"{job.output}.ranges/plan.json")
    emulator.arrive("received", 100)

    plan, _ = await export(job)

    assert len(plan.parts) == 3
    assert ids_in(job.output, "received") == emulator.history("received")


@pytest.mark.parametrize("damage", [b"", b"{", b'{"ranges": {"\xff": []}}'])
async def test_a_plan_that_cannot_be_read_is_made_again(
    serve: Serve, make_job: MakeJob, damage: bytes
) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    await steps.plan(job)
    Path(f"{job.output}.ranges/plan.json").write_bytes(damage)

    plan, _ = await export(job)

    assert len(plan.parts) == 3
    assert ids_in(job.output, "received") == emulator.history("received")


async def test_a_range_in_use_is_waited_for(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    plan = await read_parts(job)
    asked = requested_pages(emulator)
    table = Staging(job.output).table(plan.parts[1])
    await table.open()

    writing = asyncio.create_task(
        steps.patiently(lambda: steps.write(job, ignore_count, is_just_read=True), job.options)
    )
    await pass_time(5)
    assert not writing.done()
    await table.close(complete=False)

    assert (await writing).value.payments == 750
    # The ranges were used; one page proved that they belong to the account.
    assert requested_pages(emulator) == asked + 1


async def test_bytes_beyond_the_last_commit_of_a_range_are_ignored(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    await read_parts(job)
    with open(f"{job.output}.ranges/received-000001.jsonl", "ab") as file:
        file.write(b'{"payment_id":"half a line')

    assert (await steps.write(job, ignore_count)).payments == 750
    assert ids_in(job.output, "received") == emulator.history("received")


async def test_one_writer_waits_for_the_other_and_continues_from_there(
    serve: Serve, make_job: MakeJob
) -> None:
    emulator = await serve(payments=500, latency=0.5)
    job = make_job(emulator, direction="received", max_concurrency=1)
    await steps.plan(job)

    outcomes = await asyncio.gather(
        *(steps.patiently(lambda: steps.write(job, ignore_count), job.options) for _ in range(3))
    )

    assert [outcome.error for outcome in outcomes] == [None, None, None]
    assert [outcome.attempts for outcome in outcomes] == [1, 1, 1]
    assert ids_in(job.output, "received") == emulator.history("received")


def test_the_number_of_payments_in_an_output_is_in_its_checkpoint() -> None:
    side = {"snapshot": 10, "remaining": 3, "finished": False}

    assert steps.exported_count(None) == 0
    assert steps.exported_count(side) == 7
    assert steps.exported_count({"sent": side, "received": None}) == 7


async def test_progress_counts_the_payments_in_the_output(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=250)
    job = make_job(emulator, direction="received")
    counts: list[int] = []

    await steps.write(await planned(job), counts.append)
    emulator.arrive("received", 150)
    await steps.write(job, counts.append)

    assert counts == [100, 200, 250, 350, 400]


async def planned(job: Job) -> Job:
    await steps.plan(job)
    return job
