"""One read of one list: carries out the planner's decisions through a window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from paywint_async._errors import ClientClosedError, IncompleteHistoryError
from paywint_async._events import CheckpointEvent, DisorderEvent, OnEvent, PageEvent, ignore
from paywint_async._messages import Response
from paywint_async._models import Direction, Payment, PaymentPage
from paywint_async._pagination.checkpoint import to_json
from paywint_async._pagination.decision import ContinuityError, PageAnswer
from paywint_async._pagination.planner import Planner
from paywint_async._pagination.position import Order, Position, Selection
from paywint_async._pagination.window import Window

Fetched: TypeAlias = tuple[int, Response]


class _Times(Sequence[datetime]):
    """The times of creation, read on demand: usually of two payments of a page."""

    __slots__ = ("_payments",)

    def __init__(self, payments: Sequence[Payment]) -> None:
        self._payments = payments

    def __len__(self) -> int:
        return len(self._payments)

    def __getitem__(self, index: Any) -> Any:
        return self._payments[index].created_at


class PageSource(msgspec.Struct, frozen=True):
    """The source of one list's pages.

    ``fetch`` returns the raw answer for a page number, ``read`` decodes it into records or raises the
    error it stands for. These are two steps because pages are fetched ahead, and decoded in order.
    """

    direction: Direction
    rows_per_page: int
    fetch: Callable[[int], Coroutine[Any, Any, Fetched]]
    read: Callable[[int, Response], PaymentPage]
    tell: OnEvent = ignore


class Run:
    """A read in progress. The iterator that created it owns it, and must `aclose` it.

    Args:
        source: the source of the pages.
        size: how many pages may wait or be under way.
        start: where an earlier read stopped.
        selection: the records to read; ignored in favour of that of ``start`` where there is one.
        limit: payments wanted at most.
        slots: shared with other runs, to bound their requests in flight together.
    """

    def __init__(
        self,
        source: PageSource,
        size: int,
        start: Position | None,
        selection: Selection,
        *,
        limit: int | None = None,
        slots: asyncio.Semaphore | None = None,
    ) -> None:
        self._source = source
        selection = start.selection if start else selection
        self._planner = _plan(source.rows_per_page, selection, start, limit)
        self._is_disorder_reported = False
        self._ask_first = self._planner.first_page
        self._window: Window[Fetched | PageAnswer] = Window(source.fetch, size, slots)
        self._is_closed = False
        self._taken: Fetched | None = None  # an answer that is not decoded yet
        self.page: PaymentPage | None = None
        # How many of the last batch the caller was not given yet. All of it, until the iterator, which
        # gives them to the caller, replaces this: whatever fails before then loses none.
        self.unhanded: Callable[[], int] = int

    @property
    def total(self) -> int | None:
        """Number of payments that this read delivers in all; None before the first answer."""
        return self._planner.total

    @property
    def delivered(self) -> int:
        """Number of payments delivered so far, including those before the starting point."""
        position = self._planner.position(self.unhanded())
        return 0 if position is None else position.delivered

    @property
    def order(self) -> Order:
        """The server's order, as far as it is known."""
        return self._planner.progress.at.order

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """The position of the read, as JSON; None before anything is known."""
        position = self._planner.position(self.unhanded())
        if position is None:
            return None
        self._source.tell(
            CheckpointEvent(
                direction=self._source.direction.value,
                delivered=position.delivered,
                total=position.expected,
            )
        )
        return to_json(position, self._source.direction)

    def widen(self, size: int) -> None:
        """Allows more pages to wait or be under way."""
        self._window.size = size

    def prefetch(self) -> None:
        """Requests as many pages as the window has room for, without waiting for any."""
        page_no, self._ask_first = self._ask_first, None
        if page_no is not None:
            self._window.ask_first(page_no)
        self._ask(is_busy=self._taken is not None)

    def _ask(self, *, is_busy: bool) -> None:
        planner, window = self._planner, self._window
        while window.has_room:
            page_no = planner.take_next_page(is_idle=not (is_busy or window))
            if page_no is None:
                return
            window.ask(page_no)

    async def next_batch(self) -> Sequence[Payment] | None:
        """The next payments in order, at least one and at most a page; None at the end.

        Raises:
            ClientClosedError: the last batch was not handed over, as the program was interrupted.
            IncompleteHistoryError: the list changed in a way that leaves doubt.
            PaywintError: whatever the requests raise, once everything before it was delivered.

        Cancellation: loses nothing; the requests go on, and the next call returns what this one
        would have.
        """
        if self.unhanded():  # a KeyboardInterrupt, say
            raise ClientClosedError("this listing was interrupted: continue from its checkpoint")
        self.unhanded = int
        self.page = None
        try:
            while not self._planner.is_complete:
                if records := await self._next_records():
                    return records
            self._planner.conclude()
        except ContinuityError as error:
            failure = error
        else:
            return None
        raise self._incomplete(failure)

    def close(self) -> None:
        """Cancels every request under way. Idempotent, and from any thread."""
        self._is_closed = True
        self._window.close()

    async def aclose(self) -> None:
        """Cancels every request under way, and returns when all have ended. Idempotent."""
        self._is_closed = True
        await self._window.aclose()

    def pause(self) -> None:
        """Cancels every request under way; the next call of `next_batch` starts them again."""
        self._window.pause()

    async def _next_records(self) -> Sequence[Payment]:
        if self._is_closed:
            raise ClientClosedError("this listing was closed")
        self.prefetch()
        answer = await self._take()
        decision = self._planner.accept(answer)
        self.unhanded = decision.records.__len__
        if decision.records:
            self.page = answer.page
        if decision.drop_window:
            self._window.drop()
        if decision.offer is not None:
            self._window.put_back(decision.offer)
        self._ask_first = decision.ask_first
        if self._planner.progress.is_disordered and not self._is_disorder_reported:
            self._is_disorder_reported = True
            self._source.tell(DisorderEvent(direction=self._source.direction.value))
        if self._source.tell is not ignore:
            self._tell(answer, len(decision.records))
        return decision.records

    def _tell(self, answer: PageAnswer, records: int) -> None:
        event = PageEvent(
            direction=self._source.direction.value,
            page_no=answer.page_no,
            records=records,
            total_records=answer.total,
        )
        self._source.tell(event)

    async def _take(self) -> PageAnswer:
        # No answer stays in a local variable across an await: a cancellation would lose it.
        if self._taken is None:
            taken = await self._window.take()
            if isinstance(taken, PageAnswer):
                return taken
            self._taken = taken
            self._ask(is_busy=True)
        await self._window.turn()
        answer = await read_answer(self._source, self._taken)
        self._taken = None
        return answer

    def _incomplete(self, error: ContinuityError) -> IncompleteHistoryError:
        progress, checkpoint = self._planner.progress, self.checkpoint
        highest, lowest = ranks = progress.doubtful_ranks
        advice = error.advice
        if checkpoint and checkpoint["finished"]:
            advice = (
                "the checkpoint continues with newer payments alone; what may be missing among the "
                f"ranks {highest} to {lowest} comes only where the list is read again without it"
            )
        return IncompleteHistoryError(
            f"the list of {self._source.direction} payments cannot be proved complete: {error}; {advice}",
            delivered=progress.handed,
            missing=progress.undelivered or None,
            ranks=ranks,
            checkpoint=checkpoint,
        )


def _plan(rows: int, selection: Selection, start: Position | None, limit: int | None) -> Planner:
    if selection == Selection():
        return Planner(rows, start, limit)
    # Few programs read a span, or oldest first; the others need not import it.
    from paywint_async._pagination.oldest_first import make_planner

    return make_planner(rows, selection, start, limit)


async def read_answer(source: PageSource, fetched: Fetched) -> PageAnswer:
    """Decodes a fetched answer into the planner's form."""
    if fetched[1].is_large:  # decoded in a thread; real pages are far smaller
        page = await asyncio.to_thread(source.read, *fetched)
    else:
        page = source.read(*fetched)
    records = page.records
    keys = tuple([payment.payment_id.int for payment in records])  # twice as fast as `map`
    return PageAnswer(page.page_no, page.total_records, records, keys, _Times(records), page)
