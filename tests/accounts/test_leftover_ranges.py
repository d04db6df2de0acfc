"""Ranges that an interrupted call left behind: of another account, outdated, unfit or damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from accounts.conftest import Serve
from accounts.test_steps import export, exported_at_once, ids_in, ignore_count, read_parts
from export_destinations import rows_in

from paywint_async import PaywintClient
from paywint_async._accounts import steps
from paywint_async._accounts.job import Job
from paywint_async._accounts.staging import Staging
from paywint_async.emulator import Emulator
from paywint_async.export import ExportError, make_table, reader, transfer

MakeJob = Callable[..., Job]


def statuses_in(output: str) -> dict[str, str]:
    return {row["payment_id"]: row["status"] for row in rows_in(output)}


def is_complete(emulator: Emulator, job: Job) -> bool:
    """Whether the output has each payment of the account once, and no other."""
    return sorted(ids_in(job.output, "received")) == sorted(emulator.history("received"))


async def expire_open(emulator: Emulator, ids: Iterable[str], output: str) -> list[str]:
    """Expires the pending payments among these; returns their ids."""
    states = statuses_in(output)
    expired = [each for each in ids if states[each] == "pending"]
    for each in expired:
        await emulator.expire(each)
    return expired


@pytest.mark.parametrize(
    ("order", "size", "replans"),
    [
        ("newest", 900, True),
        ("newest", 900, False),
        ("newest", 100, False),
        ("newest", 0, True),
        ("oldest", 900, False),
    ],
)
async def test_ranges_of_another_account_are_never_merged(
    serve: Serve, make_job: MakeJob, order: str, size: int, replans: bool
) -> None:
    first = await serve(payments=750, seed=1, order=order)
    await read_parts(make_job(first, direction="received"))

    second = await serve(payments=size, seed=2, order=order)
    job = make_job(second, direction="received")
    if replans:
        await export(job)
    else:
        await steps.write(job, ignore_count, is_just_read=True)

    assert is_complete(second, job)
    assert not Path(f"{job.output}.ranges").exists()


async def test_ranges_that_another_account_has_begun_to_write_are_an_error(
    serve: Serve, make_job: MakeJob
) -> None:
    first = await serve(payments=750, seed=1)
    job = make_job(first, direction="received")
    await read_parts(job)
    await write_until(job, 350)
    before = Path(job.output).read_bytes()

    second = make_job(await serve(payments=900, seed=2), direction="received")
    outcome = await steps.patiently(lambda: export(second), second.options)

    assert type(outcome.error).__name__ == "IncompleteHistoryError"
    assert Path(job.output).read_bytes() == before


async def write_until(job: Job, count: int) -> None:
    """Writes the output until it has so many payments."""

    def stop(done: int) -> None:
        if done >= count:
            raise ExportError("stopped by the test")

    with pytest.raises(ExportError, match="stopped by the test"):
        await steps.write(job, stop)


async def test_ranges_left_behind_a_finished_output_do_not_hide_changes(
    serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    await read_parts(job)
    with monkeypatch.context() as killed:  # between the last commit and the removal
        killed.setattr(Staging, "remove", stop_here)
        with pytest.raises(KeyboardInterrupt):
            await steps.write(job, ignore_count, is_just_read=True)
    expired = await expire_open(emulator, emulator.history("received"), job.output)
    assert expired

    plan, written = await export(job)

    assert plan.parts == ()
    assert written.changed == len(expired)
    assert {statuses_in(job.output)[each] for each in expired} == {"expired"}


def stop_here(staging: Staging) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("written", [0, 350])
async def test_what_changed_and_arrived_since_the_ranges_were_read_is_exported(
    serve: Serve, make_job: MakeJob, tmp_path: Path, written: int
) -> None:
    emulator = await serve(payments=750)
    await exported_at_once(emulator, f"{tmp_path}/before.jsonl", "received")
    job = make_job(emulator, direction="received")
    await read_parts(job)
    if written:
        await write_until(job, written)
    history = emulator.history("received")
    expired = await expire_open(emulator, history, f"{tmp_path}/before.jsonl")
    assert expired
    emulator.arrive("received", 300)

    plan, result = await export(job)

    assert len(plan.parts) == 3
    assert result.payments == 1050
    assert is_complete(emulator, job)
    assert {statuses_in(job.output)[each] for each in expired} == {"expired"}


async def test_ranges_of_other_directions_are_not_used(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=350)
    job = make_job(emulator, direction="received")
    await read_parts(job)
    for path in (job.output, f"{job.output}.checkpoint"):
        os.unlink(path)

    job = make_job(emulator, direction="both")
    await export(job)

    for each in job.account.directions:
        assert sorted(ids_in(job.output, each)) == sorted(emulator.history(each))


@pytest.mark.parametrize("direction", ["received", "both"])
async def test_an_output_of_another_snapshot_is_continued_without_the_ranges(
    serve: Serve, make_job: MakeJob, direction: str
) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction=direction)
    await read_parts(job)
    for path in (job.output, f"{job.output}.checkpoint"):
        os.unlink(path)
    emulator.arrive("received", 300)
    await sync_until(job, 100)

    plan, written = await export(job)

    assert plan.parts == ()
    assert written.payments == 300 + 750 * len(job.account.directions)
    assert is_complete(emulator, job)


async def sync_until(job: Job, count: int) -> None:
    """Reads the account into the output as `paywint sync` does, until it has so many payments."""

    def stop(done: int, total: int | None) -> None:
        if done >= count:
            raise ExportError("stopped by the test")

    client: PaywintClient
    async with job.open_client() as client:
        read = reader(client.payments, job.account.direction)
        with pytest.raises(ExportError, match="stopped by the test"):
            await transfer(read, make_table(job.output, job.account.direction), on_progress=stop)


def blank(path: Path) -> None:
    """Overwrites a part of the first line."""
    path.write_bytes(path.read_bytes()[:100] + bytes(20) + path.read_bytes()[120:])


def rename_status(path: Path) -> None:
    """Makes the first record unreadable; it stays JSON, with the same id and length."""
    path.write_bytes(path.read_bytes().replace(b'"status"', b'"statuz"', 1))


def remove_checkpoint(path: Path) -> None:
    os.unlink(f"{path}.checkpoint")


def cut(path: Path) -> None:
    os.truncate(path, 1000)


DAMAGES = [blank, rename_status, os.unlink, remove_checkpoint, cut]


@pytest.mark.parametrize(
    ("damage", "replans"),
    [*((each, True) for each in DAMAGES), *((each, False) for each in DAMAGES[:3])],
)
async def test_a_damaged_range_is_read_again(
    serve: Serve, make_job: MakeJob, damage: Callable[[Path], Any], replans: bool
) -> None:
    emulator = await serve(payments=750)
    job = make_job(emulator, direction="received")
    await read_parts(job)
    damage(Path(f"{job.output}.ranges/received-000001.jsonl"))

    if replans:
        await export(job)
    else:
        await steps.write(job, ignore_count, is_just_read=True)

    assert is_complete(emulator, job)
    assert not Path(f"{job.output}.ranges").exists()


async def test_only_files_of_ranges_are_removed(serve: Serve, make_job: MakeJob) -> None:
    job = make_job(await serve(payments=750), direction="received")
    await read_parts(job)
    folder = Path(f"{job.output}.ranges")
    (folder / "part-000000.parquet").write_text("of someone else")
    (folder / "sent").mkdir()

    await export(job)
    await export(job)

    assert sorted(each.name for each in folder.iterdir()) == ["part-000000.parquet", "sent"]


async def test_a_directory_of_someone_else_stays(serve: Serve, make_job: MakeJob) -> None:
    job = make_job(await serve(payments=10))
    folder = Path(f"{job.output}.ranges")
    (folder / "empty").mkdir(parents=True)

    await export(job)

    assert [each.name for each in folder.iterdir()] == ["empty"]
