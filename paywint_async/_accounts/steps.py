"""The steps of a worker for an account: plan it, read a part of it, write it. Does not know Dask.

Each step can be interrupted at any point and repeated, even while a worker that was given up still runs
it: an output has one writer at a time, and the next writer continues from what is committed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from paywint_async._accounts.job import Job, OnCount, Options, Part, Plan, StepOutcome, Written
from paywint_async._accounts.places import folder_of
from paywint_async._accounts.staging import Staging
from paywint_async._errors import (
    IncompleteHistoryError,
    InvalidRequestError,
    PaywintError,
    ResponseDecodeError,
)
from paywint_async._models import Direction
from paywint_async._pagination.ranges import ListingRange
from paywint_async._payments import Payments
from paywint_async.export import (
    Checkpoint,
    ExportError,
    OutputInUseError,
    PaymentReading,
    Reading,
    Refresh,
    make_table,
    reader,
    transfer,
)
from paywint_async.export._errors import translated
from paywint_async.export._reading import delivered, exported_count, is_of_a_span

_IN_USE_FOR = 60  # seconds: a worker without its scheduler ends within this time


async def patiently(step: Callable[[], Awaitable[Any]], options: Options) -> StepOutcome:
    """Runs a step, and repeats it after errors that may pass.

    Waiting for another writer to end does not count as an attempt.
    """
    attempts, waited = 1, 0.0
    while True:
        try:
            return StepOutcome(value=await step(), attempts=attempts)
        except PaywintError as failure:
            error = failure
        if isinstance(error, OutputInUseError) and waited < _IN_USE_FOR:
            waited += 1
            await asyncio.sleep(1)
        elif (error.is_transient or isinstance(error, ExportError)) and attempts < options.attempts:
            await asyncio.sleep(options.pause * attempts)
            attempts += 1
        else:
            return StepOutcome(error=_bare(error), attempts=attempts)


async def plan(job: Job) -> Plan:
    """Plans the export of an account; a large one that is new, and of which all is read, is split.

    The account is requested first, so that one that cannot be read leaves no output.

    Raises:
        PaywintError: the account cannot be read, or its output cannot be opened.
    """
    staging = Staging(job.output)
    async with job.open_client() as client:
        sizes = {each: await _count(client.payments, each) for each in job.account.directions}
        total = sum(sizes.values())
        start = await _look_at_output(job)
        options = job.options
        is_of_span = bool(options.since or options.until) if start is None else is_of_a_span(start)
        if staging.parts and not await _can_read_on(job, staging, start, client.payments):
            staging.remove()
        is_split_now = False
        if start is None and not is_of_span and total > options.split_above and staging.is_possible:
            is_split_now = await _split(job, client.payments, sizes, staging)
    return Plan(
        exported_count=exported_count(start),
        total=total,
        is_of_span=is_of_span,
        parts=staging.parts,
        is_split_now=is_split_now,
    )


async def read_part(job: Job, part: Part, on_count: OnCount) -> None:
    """Reads one range of a large account into its own table.

    Raises:
        IncompleteHistoryError: it cannot be proved that it is adjacent to the next one.
        PaywintError: as a listing and a table raise.
    """
    staging = Staging(job.output)
    ranges = staging.ranges.get(part.direction, [])
    if part.number >= len(ranges):  # another worker has finished and removed them
        return
    planned, begun = ranges[part.number], 0
    async with job.open_client() as client:
        list_ = client.payments.sent if part.direction == "sent" else client.payments.received
        readings: list[PaymentReading] = []

        def read(start: Checkpoint | None) -> PaymentReading:
            nonlocal begun
            begun = 0 if start is None else planned.checkpoint["delivered"]
            place = planned.checkpoint if start is None else start
            readings.append(PaymentReading(list_(checkpoint=place), _left(planned, place)))
            return readings[0]

        def on_progress(done: int, _total: int | None) -> None:
            on_count(done - begun)

        await transfer(read, staging.table(part), on_progress=on_progress)
        planned.check(readings[0].checkpoint)


async def write(job: Job, on_count: OnCount, *, is_just_read: bool = False) -> Written:
    """Brings the output up to date, from the ranges where there are any, else from the account.

    Ranges that are incomplete, not adjacent or of another account are removed; the account is then read
    in one piece. After older ranges were merged, the output is brought up to date from the account.

    Args:
        job: the account and its output.
        on_count: called with the number of payments in the output.
        is_just_read: the ranges were planned and read in this call, so no payment in them is outdated.

    Raises:
        PaywintError: as a listing and a table raise.
    """
    staging, direction = Staging(job.output), job.account.direction
    last: list[Reading[Any]] = []
    earlier = 0  # in the output, from earlier snapshots
    async with job.open_client() as client:
        source = client.payments
        refresh = Refresh(client.payments, direction, max_concurrency=job.options.max_concurrency)

        def read(start: Checkpoint | None) -> Reading[Any]:
            last.append(reader(source, direction, **job.selection)(start))
            return last[-1]

        async def before(start: Checkpoint | None) -> None:
            nonlocal earlier, source
            earlier = exported_count(start) - delivered(start)
            if await _can_merge(job, staging, start, client.payments):
                source = staging.payments()
                return
            source = client.payments
            staging.remove()
            await refresh.run(table, start)

        def on_progress(done: int, _total: int | None) -> None:
            on_count(earlier + done)

        is_complete = False
        while not is_complete:
            table = make_table(job.output, direction)
            try:
                await transfer(read, table, before=before, on_progress=on_progress)
                is_complete = is_just_read or source is client.payments
            except (IncompleteHistoryError, ResponseDecodeError):
                if source is client.payments:
                    raise
            staging.remove()
    return Written(payments=exported_count(last[-1].checkpoint), changed=refresh.changed)


def _is_finished(checkpoint: Checkpoint) -> bool:
    if "finished" in checkpoint:
        return bool(checkpoint["finished"])
    sides = [checkpoint.get(direction) for direction in ("sent", "received")]
    return all(side and side["finished"] for side in sides)


def _bare(error: PaywintError) -> PaywintError:
    """The error without its traceback, whose frames it would keep alive until it is sent."""
    return error.with_traceback(None)


async def _can_read_on(
    job: Job, staging: Staging, start: Checkpoint | None, payments: Payments
) -> bool:
    """Whether the ranges that an earlier call planned can be read to their ends, and merged then."""
    fits = _fit(job, staging, start)
    return fits and await staging.is_intact() and await _belong_to(payments, staging)


async def _can_merge(
    job: Job, staging: Staging, start: Checkpoint | None, payments: Payments
) -> bool:
    """Whether an output at this checkpoint can be continued from the ranges."""
    fits = bool(staging.parts) and _fit(job, staging, start)
    return fits and await staging.is_whole() and await _belong_to(payments, staging)


def _fit(job: Job, staging: Staging, start: Checkpoint | None) -> bool:
    """Whether an output at this checkpoint is new, or an unfinished read of the ranges' snapshot."""
    options = job.options
    if {*staging.ranges} != {*job.account.directions}:
        return False
    if start is None:
        is_of_span = options.since or options.until
        return not is_of_span and staging.is_oldest_first is options.oldest_first
    if _is_finished(start) or is_of_a_span(start):
        return False
    sides = {each: start.get(each) if "sent" in start else start for each in staging.ranges}
    return all(
        side is None or side["snapshot"] == staging.total(direction)
        for direction, side in sides.items()
    )


async def _belong_to(payments: Payments, staging: Staging) -> bool:
    """Whether the list still shows the payments before the second range where the plan has them.

    One request for each direction, after arrivals two. The first range does not prove it: nothing
    precedes its first payment.
    """
    for direction, ranges in staging.ranges.items():
        list_ = payments.sent if direction == "sent" else payments.received
        for second in ranges[1:2]:
            try:
                async with list_(checkpoint=second.checkpoint, max_concurrency=1) as listing:
                    if not await listing.collect(1):
                        return False
            except (IncompleteHistoryError, InvalidRequestError):
                return False
    return True


async def _count(payments: Payments, direction: str) -> int:
    return (await payments.page(direction, 1, 10)).total_records


async def _look_at_output(job: Job) -> Checkpoint | None:
    """The checkpoint of an output, which is created if missing."""
    folder = folder_of(job.output)
    with translated(f"cannot make {folder}"):
        os.makedirs(folder, exist_ok=True)
    table = make_table(job.output, job.account.direction)
    try:
        return await table.open()
    finally:
        await table.close(complete=False)


async def _split(
    job: Job, payments: Payments, sizes: dict[Direction, int], staging: Staging
) -> bool:
    """Plans the ranges, unless they are planned; returns whether it did."""
    if staging.parts:
        return False
    ranges = {}
    try:
        for direction, size in sizes.items():
            list_ = payments.sent if direction == "sent" else payments.received
            listing = list_(oldest_first=job.options.oldest_first)
            parts = max(1, -(-size // job.options.split_above))
            ranges[direction.value] = await listing.split(parts)
    except IncompleteHistoryError:  # a single read may heal this contradiction
        return False
    return any(len(each) > 1 for each in ranges.values()) and staging.plan(ranges)


def _left(part: ListingRange, place: Checkpoint) -> int | None:
    """A range ends where the next one begins, not where the list ends."""
    if place["finished"]:  # otherwise the listing would continue with what is new
        return 0
    if part.limit is None:
        return None
    return part.limit - (int(place["delivered"]) - int(part.checkpoint["delivered"]))
