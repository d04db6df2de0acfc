"""Updates payments in a table that were not final when they were written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from itertools import islice
from uuid import UUID

from paywint_async import Direction, InvalidRequestError, NotFoundError, Payment, Payments
from paywint_async.export._sink import Checkpoint, Table

_LOOKED_UP_AT_ONCE = 200
_FEW = 100  # looking these up takes hardly more requests than counting the pages
_MOST_UNCOMMITTED = 20_000  # changed rows, which a table may hold in memory


class Refresh:
    """Requests every payment of a table that is not final there, and updates its row.

    Each payment is requested by its id, at most ``max_concurrency`` at a time. If the lists have fewer
    pages than there are such payments, the lists are read instead, until all have been found.

    With ``recheck_since``, the payments created from then on are listed first, final or not, so that
    refunds and retries of payments already written are recorded, too.

    Args:
        payments: of the client.
        direction: ``sent``, ``received`` or ``both``, as of the table.
        max_concurrency: the most requests in flight.
        rows_per_page: for reading the lists.
        recheck_since: an aware datetime; None: final payments are not requested again.

    Raises:
        InvalidRequestError: ``recheck_since`` has no time zone.
    """

    def __init__(
        self,
        payments: Payments,
        direction: str,
        *,
        max_concurrency: int = 8,
        rows_per_page: int = 100,
        recheck_since: datetime | None = None,
    ) -> None:
        self._payments = payments
        self._directions = [each for each in Direction if direction in (each, "both")]
        self._max_concurrency = max_concurrency
        self._rows_per_page = rows_per_page
        if recheck_since is not None and recheck_since.utcoffset() is None:
            raise InvalidRequestError("recheck_since", "must be a datetime with a time zone")
        self._recheck_since = recheck_since
        self.changed = 0
        self.missing = 0

    async def run(self, table: Table[object], checkpoint: Checkpoint | None) -> None:
        """Refreshes an open table and commits it; ``changed`` and ``missing`` count.

        A payment that the API no longer knows stays in the table as it was.

        Args:
            table: an open table.
            checkpoint: of the table, which stays the same.

        Raises:
            ExportError: the table cannot be read or written.
            APIError, TransportError, ResponseDecodeError, IncompleteHistoryError: a payment or list
                cannot be read; what was committed before remains valid.

        Cancellation: the requests end; rows that are not committed keep their former states.
        """
        # A set, since a payment to oneself is in both directions; integers take half the memory.
        wanted = {each.int async for ids in self._pending(table) for each in ids}
        uncommitted = 0
        async with aclosing(self._answers(wanted)) as batches:
            async for batch in batches:
                changed = await table.refresh(batch)
                self.changed += changed
                uncommitted += changed
                if uncommitted >= _MOST_UNCOMMITTED:
                    await table.commit(checkpoint)
                    uncommitted = 0
        if uncommitted:
            await table.commit(checkpoint)

    def _pending(self, table: Table[object]) -> AsyncGenerator[Sequence[UUID], None]:
        if self._recheck_since is None:
            return table.pending()
        return table.pending(recheck_since=self._recheck_since)

    async def _answers(self, wanted: set[int]) -> AsyncGenerator[Sequence[Payment], None]:
        """Yields the payments to recheck, then those of the ids that were not among them."""
        if self._recheck_since is not None:
            async with aclosing(self._list(since=self._recheck_since)) as pages:
                async for payments in pages:
                    wanted.difference_update(each.payment_id.int for each in payments)
                    yield payments
        async with aclosing(await self._ask_again(wanted)) as batches:
            async for batch in batches:
                yield batch

    async def _ask_again(self, wanted: set[int]) -> AsyncGenerator[Sequence[Payment], None]:
        if len(wanted) > _FEW and len(wanted) > await self._count_pages():
            return self._read_again(wanted)
        return self._look_up(wanted)

    async def _count_pages(self) -> int:
        pages = [await self._payments.page(each, 1, 10) for each in self._directions]
        return sum(page.total_records for page in pages) // self._rows_per_page

    async def _look_up(self, wanted: set[int]) -> AsyncGenerator[Sequence[Payment], None]:
        rest = iter(wanted)
        while ids := list(islice(rest, _LOOKED_UP_AT_ONCE)):
            yield await self._get_all([UUID(int=each) for each in ids])

    async def _get_all(self, ids: Collection[UUID]) -> list[Payment]:
        found: list[Payment] = []
        rest = iter(ids)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._max_concurrency, len(ids))):
                    workers.create_task(self._get_each(rest, found))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # callers expect an error, not a group of them
        return found

    async def _get_each(self, ids: Iterator[UUID], found: list[Payment]) -> None:
        for each in ids:
            try:
                found.append(await self._payments.get(each))
            except NotFoundError:
                self.missing += 1

    async def _read_again(self, wanted: set[int]) -> AsyncGenerator[Sequence[Payment], None]:
        async with aclosing(self._list()) as pages:
            async for payments in pages:
                found = [each for each in payments if each.payment_id.int in wanted]
                wanted.difference_update(each.payment_id.int for each in found)
                yield found
                if not wanted:
                    break
        self.missing += len(wanted)

    async def _list(self, since: datetime | None = None) -> AsyncGenerator[Sequence[Payment], None]:
        """Yields the pages of each direction, one after the other."""
        for direction in self._directions:
            list_ = self._payments.sent if direction == "sent" else self._payments.received
            listing = list_(
                since=since,
                max_concurrency=self._max_concurrency,
                rows_per_page=self._rows_per_page,
            )
            async with listing, aclosing(listing.pages()) as pages:
                async for page in pages:
                    yield page.records
