"""``paywint export``: writes a history into a file, a table, a pipe or the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import attrs

from paywint_async import PaywintClient, PaywintError
from paywint_async._cli.account import open_account
from paywint_async._cli.moments import Moment, read_span
from paywint_async._cli.options import (
    Count,
    DirectionChoice,
    FormatName,
    Number,
    Output,
    RowsPerPage,
    Seconds,
    UsageError,
    checked_destination,
    chosen_format,
    find_kind,
)
from paywint_async._cli.progress import progress_bar
from paywint_async._cli.report import report_span, say
from paywint_async.export import (
    Destination,
    ExportError,
    Format,
    OutputClosedError,
    display_name,
    find_destination,
    make_export_sink,
    partial_path,
    reader,
    transfer,
)
from paywint_async.export._files import temporary_path
from paywint_async.export._sink import Checkpoint
from paywint_async.export._transfer import OnProgress


async def export(
    *,
    emulator: Number | None = None,
    emulator_latency: Seconds = 0.0,
    direction: DirectionChoice = "received",
    since: Moment | None = None,
    until: Moment | None = None,
    timezone: str = "UTC",
    oldest_first: bool = False,
    format: FormatName | None = None,
    spreadsheet: bool = False,
    output: Output = "-",
    checkpoint: str | None = None,
    concurrency: Count = 8,
    rows_per_page: RowsPerPage = 100,
) -> None:
    """Export all payments, each exactly once, even while new ones arrive.

    With --checkpoint it can be interrupted at any point, even by a power failure, and run again: it
    continues the same file, and once that is complete, appends what is new. (It commits once a second;
    into stdout or a pipe, what was written after the last commit is written again.)
    Without it, the file appears when it is complete; an interrupted export leaves FILE.part.

    Parameters
    ----------
    emulator
        Export this many payments of an emulator in each direction: no account, no network.
    emulator_latency
        Seconds until the emulator answers.
    direction
        Which payments; with both, a column has the direction.
    since
        Only payments created from then on: a day such as 2026-10-01, or a time such as
        2026-10-01T09:30:00Z.
    until
        Only payments created up to the end of that day, or before that time.
    timezone
        Time zone of the days, such as Europe/Berlin.
    oldest_first
        Write the payments in the order of time, whatever the server's order, so that what is appended
        later keeps the file sorted.
    format
        The format of a file; by default that of its ending, or jsonl if it has none.
    spreadsheet
        Write CSV for Excel: UTF-8 with a byte order mark, and an apostrophe before each text that
        would be a formula.
    checkpoint
        A file for the progress of the export. Parquet and databases keep their own.
    concurrency
        The largest number of requests in flight.
    rows_per_page
        Payments per request: 10, 20, 50 or 100.
    """
    job = _ExportJob(
        direction=direction,
        format=chosen_format(output, format, spreadsheet),
        output=checked_destination(output),
        checkpoint=checkpoint,
        options={
            **read_span(since, until, timezone),
            "oldest_first": oldest_first,
            "max_concurrency": concurrency,
            "rows_per_page": rows_per_page,
        },
    )
    job.check()
    async with open_account(emulator, emulator_latency) as client:
        await job.run(client)


@attrs.define(kw_only=True)
class _ExportJob:
    direction: DirectionChoice
    format: Format | None
    output: str
    checkpoint: str | None
    options: dict[str, Any]
    done: int = 0

    def check(self) -> None:
        output = os.path.realpath(self.output)
        if self.checkpoint and os.path.realpath(self.checkpoint) in (
            output,
            temporary_path(output),
        ):
            raise UsageError("--output and --checkpoint must be different files, also FILE.tmp")
        for option, name in (("--output", self.output), ("--checkpoint", self.checkpoint)):
            if name == "":
                raise UsageError(f"{option} must be the name of a file")
        find_kind(self.output, self.format, self.checkpoint)

    async def run(self, client: PaywintClient) -> None:
        started = time.monotonic()
        try:
            with progress_bar(is_wanted=self.output != "-" or not _is_terminal()) as show:
                count = await self._transfer(client, self._counting(show))
        except (asyncio.CancelledError, PaywintError) as error:
            for note in self._what_is_left(error):
                error.add_note(note)
            raise
        seconds = time.monotonic() - started
        say(
            f"exported {count:,} {self._kind} to {self._place} in {seconds:.1f} s "
            f"({count / max(seconds, 1e-3):,.0f}/s)"
        )

    def _counting(self, show: OnProgress) -> OnProgress:
        def on_progress(done: int, total: int | None) -> None:
            self.done = done
            show(done, total)

        return on_progress

    async def _transfer(self, client: PaywintClient, on_progress: OnProgress) -> int:
        read = reader(client.payments, self.direction, **self.options)
        sink = make_export_sink(
            self.output, self.direction, format=self.format, checkpoint=self.checkpoint
        )
        return await transfer(read, sink, on_progress=on_progress, before=self._report_span)

    async def _report_span(self, checkpoint: Checkpoint | None) -> None:
        """Reports a span of time that is only in the checkpoint; options may only repeat it."""
        if not {"since", "until"} & self.options.keys():
            report_span(checkpoint, self.checkpoint or self._place)

    def _what_is_left(self, error: BaseException) -> Iterator[str]:
        """Say what an export that stopped has committed, and how to continue it."""
        if not self.done or isinstance(error, OutputClosedError):
            return
        if not isinstance(error, ExportError):
            yield f"{self.done:,} payments are done"
        if self.checkpoint or self._destination.has_own_checkpoint:
            yield "run the same command again to continue"
            return
        if self.output != "-" and os.path.exists(part := partial_path(self.output)):
            what = "what was written is" if isinstance(error, ExportError) else "they are"
            yield f"{what} in {part}"
        yield "with --checkpoint it could be continued"

    @property
    def _destination(self) -> Destination:
        return find_destination(self.output, self.format)

    @property
    def _kind(self) -> str:
        return "payments" if self.direction == "both" else f"{self.direction} payments"

    @property
    def _place(self) -> str:
        return "stdout" if self.output == "-" else display_name(self.output)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
