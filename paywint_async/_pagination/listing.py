"""Listings, the objects that callers iterate: payments of one direction, each exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from weakref import WeakSet

import attrs

from paywint_async._errors import ClientClosedError, IncompleteHistoryError, InvalidRequestError
from paywint_async._models import Payment, PaymentPage
from paywint_async._pagination.checkpoint import from_json
from paywint_async._pagination.iterator import ListingIterator
from paywint_async._pagination.position import Order, Position, Selection, Span
from paywint_async._pagination.run import PageSource, Run

# Imported on first use, as few programs need it.
if TYPE_CHECKING:
    from paywint_async._arrow import RecordBatch
    from paywint_async._pagination.ranges import ListingRange

R = TypeVar("R")
S = TypeVar("S")
Register = Callable[[ListingIterator[Any]], object]


class Listing(Generic[R]):
    """Base class of the listings: `collect`, and a deterministic end with ``async with``."""

    def __init__(self, checkpoint: dict[str, Any] | None, register: Register) -> None:
        self._given_checkpoint = checkpoint
        self._register = register
        self._runs: Sequence[Run] = ()  # of the latest read
        self._is_collecting = False  # whether the latest read has handed over nothing yet
        self._iterators: WeakSet[ListingIterator[Any]] = WeakSet()  # those in use

    @property
    def total(self) -> int | None:
        """Number of payments that the latest read delivers in all; None before it is known."""
        raise NotImplementedError

    def __aiter__(self) -> ListingIterator[R]:
        """Starts a new read at the listing's starting point; yields records in the server's order.

        An ``await asyncio.wait_for(anext(iterator), 1)`` that times out loses nothing: the request
        continues, and the next ``anext`` returns the next record.
        """
        return self._iterate(None)

    async def collect(self, limit: int | None = None) -> list[R]:
        """The first ``limit`` records as a list (None: all), with no more requests than needed.

        Until it returns, `checkpoint` is the one that this listing was given.

        Raises:
            InvalidRequestError: ``limit`` is no whole number, or negative.
            and as when iterating; what was collected is lost. Also the ``checkpoint`` of an
            IncompleteHistoryError is then the one that this listing was given.

        Cancellation: what was collected is lost.
        """
        iterator = self._iterate(_check_limit(limit))
        runs, self._is_collecting = self._runs, True
        try:
            async with aclosing(iterator):
                records = [record async for record in iterator]
        except BaseException as error:
            if self._runs is runs:
                self._runs = ()
            if isinstance(error, IncompleteHistoryError):
                error.checkpoint = self._given_checkpoint
            raise
        if self._runs is runs:
            self._is_collecting = False
        return records

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancels every request of this listing, and returns when all have ended."""
        iterators = list(self._iterators)
        for iterator in iterators:
            iterator.close(ClientClosedError("this listing was closed"))
        for iterator in iterators:
            await iterator.aclose()

    def _iterate(self, limit: int | None) -> ListingIterator[R]:
        raise NotImplementedError

    def _progress(self, starts: Iterable[Position | None]) -> str:
        """Describes how far the latest read is; before the first one, where it will begin."""
        if self._runs:
            delivered = sum(run.delivered for run in self._runs)
            return f"{delivered} of {'?' if self.total is None else self.total} delivered"
        begun = [start for start in starts if start is not None]
        if not begun:
            return "not started"
        total = sum(start.expected for start in begun)
        return f"resumes after {sum(start.delivered for start in begun)} of {total}"

    def _begin(self, iterator: ListingIterator[S], runs: Sequence[Run]) -> ListingIterator[S]:
        # Ended reads are closed by their iterators; the latest one still answers `checkpoint`.
        self._runs, self._is_collecting = runs, False
        self._iterators.add(iterator)
        self._register(iterator)
        return iterator


class _PaymentIterator(ListingIterator[Payment]):
    def __init__(self, run: Run) -> None:
        super().__init__((run,))
        self._run = run

    async def _next_batch(self) -> Iterable[Payment] | None:
        # No reference to a page is kept while the next one is decoded: its memory is reused at once,
        # and the garbage collector never sees it, which saves a quarter of the time.
        records = await self._run.next_batch()
        if records is None:
            return None
        batch = iter(records)
        # The checkpoint asks the iterator how many are left, so counting costs nothing per record.
        self._run.unhanded = batch.__length_hint__  # type: ignore[attr-defined]
        return batch


class _Pages(ListingIterator[R]):
    """Pages, each converted to something else."""

    def __init__(self, run: Run, convert: Callable[[PaymentPage], R]) -> None:
        super().__init__((run,))
        self._run = run
        self._convert = convert

    async def _next_batch(self) -> Iterable[R] | None:
        records = await self._run.next_batch()
        if records is None:
            return None
        page = self._run.page
        assert page is not None
        if records is not page.records:
            page = attrs.evolve(page, records=tuple(records))
        pages = iter([self._convert(page)])  # a page that cannot be converted stays unhanded
        self._run.unhanded = int
        return pages


class PaymentListing(Listing[Payment]):
    """The payments of one direction, typed, in the server's order, each exactly once.

    ``async for payment in listing`` reads the snapshot that exists when the first page is answered,
    however many payments arrive meanwhile. Each iteration is a read of its own. Pages are fetched
    ahead, at most ``max_concurrency`` at a time, and at most that many wait.

    Raises:
        IncompleteHistoryError: the list changed during the read, and it cannot be proved that nothing
            is missing; everything delivered before is correct.
        APIError, TransportError: a page could not be read; everything before it was delivered.

    Cancellation: ``break``, an exception or cancellation ends the requests under way; with
    ``async with listing`` they have ended when the block is left.
    """

    def __init__(
        self,
        source: PageSource,
        max_concurrency: int,
        checkpoint: dict[str, Any] | None,
        register: Register,
        selection: Selection,
    ) -> None:
        super().__init__(checkpoint, register)
        self._source = source
        self._max_concurrency = max_concurrency
        self._start = read_start(checkpoint, source.direction, selection)
        self._selection = selection if self._start is None else self._start.selection

    def __repr__(self) -> str:
        source, progress = self._source, self._progress([self._start])
        what = f"{source.direction}{self._selection}"
        return f"<PaymentListing {what}, {progress}, pages of {source.rows_per_page}>"

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """The position of the latest read, right after the payment delivered last, as JSON values.

        A new listing that is given it resumes there, with any page size. The checkpoint of a completed
        read makes a new listing yield only what has arrived since. None before the first payment of a
        read without a checkpoint.
        """
        if not self._runs or self._is_collecting:
            return self._given_checkpoint
        return self._runs[0].checkpoint

    @property
    def order(self) -> Order:
        """The server's order, as far as the latest read knows it."""
        return self._runs[0].order if self._runs else Order.UNKNOWN

    @property
    def total(self) -> int | None:
        """Number of payments in the latest read's snapshot, including those before its starting point.

        None before the first answer.
        """
        return self._runs[0].total if self._runs else None

    async def split(self, parts: int) -> list[ListingRange]:
        """Divides the payments that exist now into ranges that can be read concurrently or elsewhere.

        Read in their order, the ranges deliver what a single read started now would deliver::

            for each in await client.payments.received().split(4):
                listing = client.payments.received(checkpoint=each.checkpoint)
                async for page in listing.pages(each.limit): ...
                each.check(listing.checkpoint)

        Payments that arrive later are in none of the ranges. Each range is checked by itself: where
        payments can also move within the list, check that no id occurs in two ranges.

        Args:
            parts: number of ranges, at least 1; fewer are returned where a range would be shorter than
                a page, and one where the times on the first page do not show the order of the list.

        Raises:
            InvalidRequestError: ``parts`` is below 1, or this listing has a checkpoint.
            IncompleteHistoryError: the answers contradict each other.
            APIError, TransportError: a page could not be read.

        Cancellation: ends its request; nothing is left.
        """
        if type(parts) is not int or parts < 1:
            raise InvalidRequestError("parts", f"must be a whole number, at least 1, not {parts!r}")
        if self._start is not None:
            raise InvalidRequestError("checkpoint", "a listing that continues another is not split")
        from paywint_async._pagination.splitting import split

        return await split(self._source, parts, self._selection)

    def pages(self, limit: int | None = None) -> ListingIterator[PaymentPage]:
        """Iterates over pages; each holds at least one payment, and none that was delivered before.

        Args:
            limit: of the payments on all pages together; None: all.

        Raises:
            InvalidRequestError: ``limit`` is no whole number, or negative.
            and, while iterating, as the listing itself.
        """
        return self._pages(_check_limit(limit), _unchanged)

    def arrow_batches(self) -> ListingIterator[RecordBatch]:
        """Iterates over Arrow batches, one a page; amounts are ``decimal128(38, 10)``.

        The columns are those of `payments_to_arrow`. Needs ``pip install 'paywint-async[parquet]'``.

        Raises:
            ConfigurationError: the extra is not installed; nothing was sent.
            PrecisionError: while iterating: an amount does not fit exactly.
            and, while iterating, as the listing itself.
        """
        from paywint_async._arrow import payments_to_arrow

        payments_to_arrow([])  # a missing extra is reported before anything is requested
        return self._pages(None, lambda page: payments_to_arrow(page.records))

    def _pages(self, limit: int | None, convert: Callable[[PaymentPage], S]) -> ListingIterator[S]:
        run = self._open(limit)
        return self._begin(_Pages(run, convert), (run,))

    def _iterate(self, limit: int | None) -> ListingIterator[Payment]:
        run = self._open(limit)
        return self._begin(_PaymentIterator(run), (run,))

    def _open(self, limit: int | None) -> Run:
        selection = self._selection
        return Run(self._source, self._max_concurrency, self._start, selection, limit=limit)


def _unchanged(page: PaymentPage) -> PaymentPage:
    return page


def read_start(checkpoint: object, direction: str, selection: Selection) -> Position | None:
    """Parses a caller's checkpoint; raises InvalidRequestError where it is not one."""
    return None if checkpoint is None else from_json(checkpoint, direction, selection)


def read_selection(since: object, until: object, oldest_first: object) -> Selection:
    """Checks a caller's arguments that select payments and their order.

    Raises:
        InvalidRequestError: ``since`` or ``until`` is no datetime with a time zone, ``until`` is before
            ``since``, or ``oldest_first`` is not a bool.
    """
    begin, end = _check_moment("since", since), _check_moment("until", until)
    if begin and end and end < begin:
        raise InvalidRequestError("until", f"must not be before since, {begin.isoformat()}")
    if not isinstance(oldest_first, bool):
        raise InvalidRequestError("oldest_first", f"must be True or False, not {oldest_first!r}")
    span = Span(since=begin, until=end) if begin or end else None
    return Selection(span=span, is_oldest_first=oldest_first)


def _check_moment(name: str, value: object) -> datetime | None:
    if value is None or (isinstance(value, datetime) and value.utcoffset() is not None):
        return value
    raise InvalidRequestError(name, f"must be a datetime with a time zone, not {value!r}")


def _check_limit(limit: object) -> int | None:
    if limit is None or (type(limit) is int and limit >= 0):
        return limit
    raise InvalidRequestError("limit", f"must be a whole number, at least 0, not {limit!r}")
