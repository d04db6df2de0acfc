"""The ranges of a large account, in a directory beside its output, until they are merged into it.

The plan, which says where each range begins and ends, is written first and never changes. Each range is
a separate table with a checkpoint, so an interrupted range is continued like any export. When all
ranges are complete and adjacent, they are read in place of the API: a listing reads them page by page,
with the same checks as against the server, and its checkpoints are valid for the real history. So at any
moment the output is what a single read of the same snapshot would have written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from array import array
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import attrs
import msgspec

from paywint_async._accounts.job import Part
from paywint_async._accounts.places import staging_of
from paywint_async._errors import IncompleteHistoryError
from paywint_async._messages import Request, Response
from paywint_async._pagination.ranges import ListingRange
from paywint_async._payments import Payments
from paywint_async._tracking import Tracker
from paywint_async.export import CheckpointFile, ExportError, OutputInUseError, Table, make_table
from paywint_async.export._errors import translated
from paywint_async.export._files import (
    open_locked,
    put_in_place,
    replacement,
    temporary_path,
    write_all,
)

_PLAN = "plan.json"
_OWN_FILE = re.compile(r"(?:plan\.json|(?:sent|received)-\d{6,}\.jsonl)(?:\.[a-z.]+)?")
_BUCKETS = 256
_ROWS_AT_ONCE = 10_000  # between two turns of the event loop

Ranges = Mapping[str, list[ListingRange]]


@attrs.frozen(kw_only=True)
class _PlanFile:
    version: Literal[1] = 1
    ranges: dict[str, list[ListingRange]]


@attrs.frozen(kw_only=True)
class _PaymentId:
    payment_id: str


_identity = msgspec.json.Decoder(_PaymentId).decode
_read_plan = msgspec.json.Decoder(_PlanFile).decode


class Staging:
    """The ranges of one account. Every method reads the disk, since other workers write there, too.

    Args:
        output: the output of the account.
    """

    def __init__(self, output: str) -> None:
        self._folder = staging_of(output)

    @property
    def is_possible(self) -> bool:
        """Whether the output is a file, beside which a directory can be created."""
        return self._folder is not None

    @property
    def ranges(self) -> Ranges:
        """The planned ranges, by direction; empty where there is no plan."""
        if self._folder is None:
            return {}
        try:
            return _read_plan(Path(self._folder, _PLAN).read_bytes()).ranges
        except (FileNotFoundError, ValueError):  # no plan yet, or an incomplete one
            return {}

    @property
    def parts(self) -> tuple[Part, ...]:
        """The names of the planned ranges."""
        planned = self.ranges.items()
        return tuple(
            Part(direction=direction, number=number)
            for direction, ranges in planned
            for number in range(len(ranges))
        )

    @property
    def is_oldest_first(self) -> bool | None:
        """Whether the ranges were planned in the order of time; None where there is no plan."""
        planned = [each for ranges in self.ranges.values() for each in ranges]
        return planned[0].checkpoint.get("oldest_first", False) if planned else None

    def plan(self, ranges: Ranges) -> bool:
        """Writes the plan, unless another worker has written one, which then stays.

        Returns:
            Whether it was written.

        Raises:
            OutputInUseError: another worker is writing it.
        """
        assert self._folder is not None
        path = os.path.join(self._folder, _PLAN)
        text = json.dumps(attrs.asdict(_PlanFile(ranges=dict(ranges)))).encode()
        with translated(f"cannot write {path}"):
            os.makedirs(self._folder, exist_ok=True)
            lock = open_locked(path)
            try:
                if self.ranges:
                    return False
                self._clear(keep=_PLAN)  # files of an earlier plan whose removal was interrupted
                with replacement(path) as fd:
                    write_all(fd, text)
                    put_in_place(fd, temporary_path(path), path)
                os.close(fd)
            finally:
                os.close(lock)
        return True

    def table(self, part: Part) -> Table[Any]:
        """The table of a range."""
        return make_table(self._path(part), part.direction)

    async def is_intact(self) -> bool:
        """Whether each range can be read on: its table can be opened, or another worker writes it."""
        for part in self.parts:
            table = self.table(part)
            try:
                await table.open()
            except OutputInUseError:
                continue
            except ExportError:
                return False
            finally:
                await table.close(complete=False)
        return True

    async def is_whole(self) -> bool:
        """Whether every range is complete and adjacent to the next, and no payment is in two of them.

        Each range is exact by itself; a payment that moved from one into another is found only here.

        Raises:
            OutputInUseError: another worker is writing a range.
        """
        try:
            for part in self.parts:
                self._range(part).check(self._confirmed(part)[0])
            return all([await self._is_apart(direction) for direction in self.ranges])
        except OutputInUseError:
            raise
        except (ExportError, IncompleteHistoryError, OSError, ValueError):  # or it is damaged
            return False

    def payments(self) -> Payments:
        """A `Payments` whose pages are read from the ranges."""
        lists = {direction: _StagedList(self, direction) for direction in self.ranges}

        async def answer(request: Request) -> Response:
            asked: dict[str, int] = json.loads(request.body or b"")
            body = lists[request.operation].page(asked["page_no"], asked["rows_per_page"])
            return Response(status=200, body=body)

        return Payments(answer, 1, Tracker(answer, 1))

    def total(self, direction: str) -> int:
        """The number of payments in all ranges of a direction."""
        ranges = self.ranges[direction]
        return int(ranges[0].checkpoint["snapshot"]) if ranges else 0

    def is_from_end(self, direction: str) -> bool:
        """Whether the lines of a direction are in reverse to the server's order."""
        ranges = self.ranges[direction]
        return bool(ranges) and bool(ranges[0].checkpoint.get("from_end"))

    def lines(self, direction: str) -> Iterator[bytes]:
        """The payments of a direction in the order of the ranges, each as a line of JSON."""
        for part in self.parts:
            if part.direction == direction:
                left = self._confirmed(part)[1]
                with open(self._path(part), "rb") as file:
                    for line in file:
                        left -= len(line)
                        if left < 0:
                            break
                        yield line

    def remove(self) -> None:
        """Removes the ranges, the plan first, without which they are ignored. Idempotent.

        A directory in which there is anything else stays, with whatever that is.

        Raises:
            ExportError: the plan cannot be removed.
        """
        if self._folder is None or not os.path.isdir(self._folder):
            return
        plan = os.path.join(self._folder, _PLAN)
        with translated(f"cannot remove {plan}"), contextlib.suppress(FileNotFoundError):
            os.unlink(plan)
        with contextlib.suppress(OSError):
            self._clear()
            os.rmdir(self._folder)

    def _clear(self, *, keep: str = "") -> None:
        assert self._folder is not None
        for name in os.listdir(self._folder):
            if name != keep and _OWN_FILE.fullmatch(name):
                os.unlink(os.path.join(self._folder, name))

    def _range(self, part: Part) -> ListingRange:
        return self.ranges[part.direction][part.number]

    def _path(self, part: Part) -> str:
        assert self._folder is not None
        return os.path.join(self._folder, f"{part.direction}-{part.number:06}.jsonl")

    def _confirmed(self, part: Part) -> tuple[dict[str, Any] | None, int]:
        """Returns the committed state of a range: the listing's checkpoint, and the number of bytes.

        Raises:
            ExportError: another process is writing it, or it is damaged.
        """
        file = CheckpointFile(
            f"{self._path(part)}.checkpoint", format="jsonl", direction=part.direction
        )
        try:
            confirmed = file.open()
        finally:
            file.close()
        return (None, 0) if confirmed is None else (confirmed.listing, confirmed.size)

    async def _is_apart(self, direction: str) -> bool:
        # Ids are random, so half of each is enough: eight bytes for each payment, in buckets.
        buckets = [array("Q") for _ in range(_BUCKETS)]
        lines = self.lines(direction)
        while batch := list(islice(lines, _ROWS_AT_ONCE)):
            for line in batch:
                half = int(_identity(line).payment_id[-17:].replace("-", ""), 16)
                buckets[half % _BUCKETS].append(half)
            await asyncio.sleep(0)
        count = sum(map(len, buckets))
        return count == self.total(direction) == sum(len(set(bucket)) for bucket in buckets)


class _StagedList:
    """The pages of a direction's ranges, in the form of the API's answers, in the server's order.

    Fastest where they are requested in the order of the ranges.
    """

    def __init__(self, staging: Staging, direction: str) -> None:
        self._staging = staging
        self._direction = direction
        self._total = staging.total(direction)
        self._is_from_end = staging.is_from_end(direction)
        self._lines: Iterator[bytes] = iter(())
        self._next = self._total  # the offset of the next line; at the end, reading starts again

    def page(self, page_no: int, rows: int) -> bytes:
        """The body of the answer."""
        first = min((page_no - 1) * rows, self._total)
        end = min(first + rows, self._total)
        if self._is_from_end:
            first, end = self._total - end, self._total - first
        if first < self._next:
            self._lines, self._next = self._staging.lines(self._direction), 0
        records = [*islice(self._lines, first - self._next, end - self._next)]
        self._next = first + len(records)
        if self._is_from_end:
            records.reverse()
        body = b",".join(records)
        return b'{"success":true,"records":[%b],"totalRecords":%d}' % (body, self._total)
