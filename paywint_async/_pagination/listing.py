"""What a caller iterates: payments of one direction, in the server's order, exactly once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from weakref import WeakSet

import attrs

from paywint_async._errors import InvalidRequestError
from paywint_async._models import Payment, PaymentPage
from paywint_async._pagination.checkpoint import from_json
from paywint_async._pagination.position import Order, Position
from paywint_async._pagination.run import PageSource, Run

# What few programs need is imported by those that ask for it.
if TYPE_CHECKING:
    from paywint_async._arrow import RecordBatch
    from paywint_async._pagination.ranges import ListingRange

R = TypeVar("R")


class Listing(Generic[R]):
    """What the listings share: collecting, and a deterministic end with ``async with``."""

    def __init__(self, checkpoint: dict[str, Any] | None) -> None:
        self._given_checkpoint = checkpoint
        self._runs: list[Run] = []  # of the latest read
        self._begun: WeakSet[Run] = WeakSet()  # those of others, too, until nobody holds them

    def __aiter__(self) -> AsyncIterator[R]:
        """A new read, from the listing's starting point; the records in the server's order."""
        return self._iterate(None)

    async def collect(self, limit: int | None = None) -> list[R]:
        """The first ``limit`` records as a list (None: all), with no more requests than needed.

        Raises:
            InvalidRequestError: ``limit`` is no whole number, or negative.
            IncompleteHistoryError: as when iterating; what was collected is lost.
        """
        return [record async for record in self._iterate(_check_limit(limit))]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends every request of this listing, and returns when they have ended."""
        for run in list(self._begun):
            await run.aclose()

    def _iterate(self, limit: int | None) -> AsyncIterator[R]:
        raise NotImplementedError

    def _new_runs(self, *runs: Run) -> None:
        # Ended reads are closed by their iterators; the latest one still answers `checkpoint`.
        self._runs[:] = runs
        self._begun.update(runs)


class PaymentListing(Listing[Payment]):
    """The payments of one direction, typed, in the server's order, exactly once.

    ``async for payment in listing`` reads the snapshot that exists when the first page is answered,
    however many payments arrive meanwhile. Each iteration is a read of its own. Pages are fetched
    ahead, at most ``max_concurrency`` at a time, and at most that many wait.

    Raises (while iterating):
        IncompleteHistoryError: the list changed in a way that leaves doubt; all that was delivered
            before is right.
        APIError, TransportError: a page could not be read; everything before it was delivered.

    Cancellation: ``break``, an exception or cancellation ends the requests under way; with
    ``async with listing`` they have ended when the block is left.
    """

    def __init__(
        self, source: PageSource, max_concurrency: int, checkpoint: dict[str, Any] | None
    ) -> None:
        super().__init__(checkpoint)
        self._source = source
        self._max_concurrency = max_concurrency
        self._start = read_start(checkpoint, source.direction)

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """Where the latest read stands, right behind the payment handed over last, as JSON values.

        Given to a new listing it resumes there, with any page size; at the end of a read, it makes a
        new listing yield just what has arrived since. None before the first payment of a fresh read.
        """
        return self._runs[0].checkpoint if self._runs else self._given_checkpoint

    @property
    def order(self) -> Order:
        """The server's order, as far as the latest read knows it."""
        return self._runs[0].order if self._runs else Order.UNKNOWN

    @property
    def total(self) -> int | None:
        """How many payments the latest read has to deliver in all, those before its starting point
        included; None before the first answer."""
        return self._runs[0].total if self._runs else None

    async def split(self, parts: int) -> list[ListingRange]:
        """The payments that exist now, as ranges to be read each by itself, at once or elsewhere.

        Together, in their order, they are what one read of this moment would deliver::

            for each in await client.payments.received().split(4):
                listing = client.payments.received(checkpoint=each.checkpoint)
                async for page in listing.pages(each.limit): ...
                each.check(listing.checkpoint)

        What arrives meanwhile is in none of them. Where payments can also be moved, see to it that
        no id is in two ranges: each range is proved by itself.

        Args:
            parts: how many; there are fewer where a range would be shorter than a page, and one
                where the times on the first page do not tell the order of the list.

        Raises:
            InvalidRequestError: ``parts`` is below 1, or this listing has a checkpoint.
            IncompleteHistoryError: the answers contradict each other.
            APIError, TransportError: a page could not be read.
        """
        if type(parts) is not int or parts < 1:
            raise InvalidRequestError("parts", f"must be a whole number, at least 1, not {parts!r}")
        if self._start is not None:
            raise InvalidRequestError("checkpoint", "a listing that continues another is not split")
        from paywint_async._pagination.splitting import split

        return await split(self._source, parts)

    async def pages(self, limit: int | None = None) -> AsyncGenerator[PaymentPage, None]:
        """The same payments page by page; a page holds only records that are due, at least one.

        Args:
            limit: of the payments on all pages together; None: all.

        Raises:
            InvalidRequestError: ``limit`` is no whole number, or negative.
            and as when iterating.
        """
        run = self._open(_check_limit(limit))
        try:
            while (records := await run.next_batch()) is not None:
                page = run.page
                assert page is not None
                if records is not page.records:
                    page = attrs.evolve(page, records=tuple(records))
                del records  # as in `_iterate`: nothing holds on to a page
                yield page
                del page
        finally:
            await run.aclose()

    async def arrow_batches(self) -> AsyncGenerator[RecordBatch, None]:
        """The same payments as Arrow batches, one a page; amounts are ``decimal128(38, 10)``.

        `payments_to_arrow` tells the columns. Needs ``pip install 'paywint-async[parquet]'``.

        Raises:
            PrecisionError: an amount does not fit exactly.
            ConfigurationError: the extra is not installed; nothing was sent.
            and as when iterating.
        """
        from paywint_async._arrow import payments_to_arrow

        payments_to_arrow([])  # whatever is missing is told before anything is asked for
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                yield payments_to_arrow(page.records)

    async def _iterate(self, limit: int | None) -> AsyncIterator[Payment]:
        # One generator and a plain loop: a payment that is already here costs no turn of the event
        # loop, and the checkpoint reads the position from the list iterator, so it costs nothing.
        run = self._open(limit)
        try:
            # Nothing holds on to a page while the next one is decoded: its memory is used again at
            # once, and the garbage collector never sees it. That is worth a quarter of the time.
            while (records := await run.next_batch()) is not None:
                rest = iter(records)
                del records
                run.unhanded = rest.__length_hint__  # type: ignore[attr-defined]
                for payment in rest:
                    yield payment
                    del payment
        finally:
            await run.aclose()

    def _open(self, limit: int | None) -> Run:
        run = Run(self._source, self._max_concurrency, self._start, limit=limit)
        self._new_runs(run)
        return run


def read_start(checkpoint: object, direction: str) -> Position | None:
    """The position that a caller's checkpoint holds; InvalidRequestError where it is not one."""
    return None if checkpoint is None else from_json(checkpoint, direction)


def _check_limit(limit: object) -> int | None:
    if limit is None or (type(limit) is int and limit >= 0):
        return limit
    raise InvalidRequestError("limit", f"must be a whole number, at least 0, not {limit!r}")
