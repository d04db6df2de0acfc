"""Oldest-first outputs of many accounts: split or not, continued, interrupted, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from accounts.conftest import Serve
from accounts.test_fan_out import ACME
from accounts.test_steps import MakeJob, export, ids_in, read_parts

from paywint_async import (
    InvalidRequestError,
    PaywintClient,
    export_accounts,
)
from paywint_async._accounts import steps
from paywint_async._accounts.staging import Staging
from paywint_async.emulator import Emulator
from paywint_async.export import ExportError, make_table, reader, transfer

ORDERS = pytest.mark.parametrize("order", ["newest", "oldest"])


def oldest_first(emulator: Emulator) -> list[str]:
    return emulator.history("received")[::-1]


async def exported_at_once(emulator: Emulator, output: Path, direction: str) -> bytes:
    keys = emulator.api_key, emulator.api_secret
    async with PaywintClient(*keys, base_url=emulator.url) as client:
        read = reader(client.payments, direction, oldest_first=True)
        await transfer(read, make_table(str(output), direction))
    return output.read_bytes()


@ORDERS
@pytest.mark.parametrize("direction", ["received", "both"])
async def test_a_split_export_equals_an_unsplit_one_byte_for_byte(
    serve: Serve, make_job: MakeJob, tmp_path: Path, order: str, direction: str
) -> None:
    emulator = await serve(payments=700, order=order)
    job = make_job(emulator, direction=direction, oldest_first=True)
    expected = await exported_at_once(emulator, tmp_path / "expected.jsonl", direction)

    def arrive() -> None:
        emulator.arrive("sent", 37)
        emulator.arrive("received", 211)

    plan, _ = await export(job, arrive)

    assert len(plan.parts) == 3 * len(job.account.directions)
    assert Path(job.output).read_bytes() == expected


@ORDERS
async def test_an_output_that_is_continued_repeatedly_stays_oldest_first(
    serve: Serve, make_job: MakeJob, order: str
) -> None:
    emulator = await serve(payments=700, order=order)
    await export(make_job(emulator, direction="received", oldest_first=True))

    for is_given in (True, False):
        emulator.arrive("received", 130)
        job = make_job(emulator, direction="received", oldest_first=is_given)
        await export(job)
        assert ids_in(job.output, "received") == oldest_first(emulator)


@ORDERS
@pytest.mark.parametrize("keeps_ranges", [True, False])
async def test_an_interrupted_output_is_continued_from_the_ranges_or_without_them(
    serve: Serve, make_job: MakeJob, order: str, keeps_ranges: bool
) -> None:
    emulator = await serve(payments=750, order=order)
    expected = oldest_first(emulator)
    job = make_job(emulator, direction="received", oldest_first=True)
    await read_parts(job)

    def stop(count: int) -> None:
        if count >= 350:
            raise ExportError("stopped by the test")

    with pytest.raises(ExportError, match="stopped by the test"):
        await steps.write(job, stop)
    if not keeps_ranges:
        Staging(job.output).remove()
    emulator.arrive("received", 50)
    again = make_job(emulator, direction="received")
    assert bool((await steps.plan(again)).parts) == keeps_ranges
    await steps.write(again, lambda count: None, is_just_read=True)

    assert ids_in(job.output, "received") == expected


async def test_ranges_in_another_order_are_planned_again(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=700)
    await read_parts(make_job(emulator, direction="received"))

    job = make_job(emulator, direction="received", oldest_first=True)
    plan, _ = await export(job)

    assert len(plan.parts) == 3
    assert ids_in(job.output, "received") == oldest_first(emulator)


async def test_an_output_in_another_order_is_refused(serve: Serve, make_job: MakeJob) -> None:
    emulator = await serve(payments=50)
    job = make_job(emulator)
    await export(job)
    written = Path(job.output).read_bytes()

    with pytest.raises(InvalidRequestError, match="oldest_first"):
        await export(make_job(emulator, oldest_first=True))
    assert Path(job.output).read_bytes() == written


@pytest.mark.parametrize("value", [None, 1, "yes"])
async def test_anything_but_true_or_false_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="oldest_first"):
        await export_accounts([ACME], "exports", oldest_first=value)
