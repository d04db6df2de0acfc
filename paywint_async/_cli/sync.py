"""``paywint sync``: keeps a destination up to date."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import attrs

from paywint_async import PaywintClient, PaywintError
from paywint_async._cli.account import open_account
from paywint_async._cli.moments import Moment, days_ago, read_span
from paywint_async._cli.options import (
    Count,
    DirectionChoice,
    FormatName,
    Number,
    RowsPerPage,
    Seconds,
    SyncedDestination,
    UsageError,
    checked_destination,
    chosen_format,
    find_kind,
)
from paywint_async._cli.progress import progress_bar
from paywint_async._cli.report import format_error, report_span, say
from paywint_async.export import Format, Refresh, display_name, make_table, reader, transfer
from paywint_async.export._sink import Checkpoint
from paywint_async.export._transfer import OnProgress

_VARIABLE = "PAYWINT_DESTINATION"


async def sync(
    destination: SyncedDestination = None,
    /,
    *,
    emulator: Number | None = None,
    emulator_latency: Seconds = 0.0,
    direction: DirectionChoice = "received",
    since: Moment | None = None,
    timezone: str = "UTC",
    oldest_first: bool = False,
    format: FormatName | None = None,
    spreadsheet: bool = False,
    watch: Seconds | None = None,
    recheck: Count | None = None,
    concurrency: Count = 8,
    rows_per_page: RowsPerPage = 100,
) -> None:
    """Bring a destination up to date: all payments the first time, later what is new or has changed.

    Payments that were not final when they were written (pending, processing, ...) are requested again,
    and their rows replaced where they have changed; final ones only with --recheck. It can be
    interrupted at any point, even by a power failure, and run again: nothing is lost or doubled.

    Parameters
    ----------
    emulator
        Use this many payments of an emulator in each direction: no account, no network.
    emulator_latency
        Seconds until the emulator answers.
    direction
        Which payments; with both, a column has the direction.
    since
        Only payments created from then on: a day such as 2026-10-01, or a time such as
        2026-10-01T09:30:00Z. The destination remembers it; it cannot be changed later.
    timezone
        Time zone of that day, such as Europe/Berlin.
    oldest_first
        Write new payments in the order of time, whatever the server's order. The destination remembers
        it; it cannot be changed later.
    format
        The format of a file; by default that of its ending.
    spreadsheet
        Write CSV for Excel: UTF-8 with a byte order mark, and an apostrophe before each text that
        would be a formula.
    watch
        Repeat after this many seconds, until interrupted.
    recheck
        Also read the payments of the last so many days again, final or not, and replace the rows of those
        that have changed, such as a payment that succeeded and was refunded.
    concurrency
        The largest number of requests in flight.
    rows_per_page
        Payments per request: 10, 20, 50 or 100.
    """
    output = _chosen(destination)
    file_format = chosen_format(output, format, spreadsheet)
    find_kind(output, file_format)
    if recheck is not None:
        days_ago("--recheck", recheck)
    job = _SyncJob(
        output=output,
        place=display_name(output),
        direction=direction,
        format=file_format,
        options={"max_concurrency": concurrency, "rows_per_page": rows_per_page},
        selection={**read_span(since, None, timezone), "oldest_first": oldest_first},
        recheck_days=recheck,
    )
    async with open_account(emulator, emulator_latency) as client:
        await (job.run(client) if watch is None else job.watch(client, watch))


def _chosen(destination: str | None) -> str:
    output = checked_destination(destination) if destination else os.environ.get(_VARIABLE)
    if not output:
        raise UsageError(f"name the destination, as an argument or in {_VARIABLE}")
    return output


@attrs.define(kw_only=True)
class _SyncJob:
    output: str
    place: str
    direction: DirectionChoice
    format: Format | None = None
    options: dict[str, int]
    selection: dict[str, Any] = attrs.field(factory=dict)
    recheck_days: int | None = None
    done: int = 0

    async def run(self, client: PaywintClient, *, is_repeated: bool = False) -> None:
        started = time.monotonic()
        table = make_table(self.output, self.direction, self.format)
        read = reader(client.payments, self.direction, **self.selection, **self.options)
        days = self.recheck_days
        since = None if days is None else days_ago("--recheck", days)
        refresh = Refresh(client.payments, self.direction, recheck_since=since, **self.options)

        async def before(checkpoint: Checkpoint | None) -> None:
            if "since" not in self.selection and not is_repeated:
                report_span(checkpoint, self.place)
            await refresh.run(table, checkpoint)

        try:
            with progress_bar(is_wanted=True) as show:
                new = await transfer(
                    read,
                    table,
                    on_progress=self._counting(show),
                    before=before,
                )
        except (asyncio.CancelledError, PaywintError) as error:
            if self.done:
                error.add_note("run the same command again to continue")
            raise
        if new or refresh.changed or not is_repeated:
            say(
                f"{new:,} new and {refresh.changed:,} changed payments in {self.place}, "
                f"in {time.monotonic() - started:.1f} s"
            )
        if refresh.missing and not is_repeated:
            say(f"{refresh.missing:,} payments that are not final are unknown to the API by now")

    def _counting(self, show: OnProgress) -> OnProgress:
        def on_progress(done: int, total: int | None) -> None:
            self.done = done
            show(done, total)

        return on_progress

    async def watch(self, client: PaywintClient, interval: float) -> None:
        is_repeated = False
        while True:
            try:
                await self.run(client, is_repeated=is_repeated)
            except PaywintError as error:
                if not error.is_transient:
                    raise
                say(f"{format_error(error)}; next look in {interval:g} s")
            is_repeated = True
            await asyncio.sleep(interval)
