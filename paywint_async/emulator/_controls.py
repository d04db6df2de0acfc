"""Controls of the emulated account for demos and tests: arrivals, deletions, changes of payments, time.

It is the part of `Emulator` that needs no socket.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation

from paywint_async.emulator._clock import Clock
from paywint_async.emulator._identity import DirectionName
from paywint_async.emulator._lifecycle import Lifecycle
from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._payment_book import PaymentBook
from paywint_async.emulator._transitions import PLANNABLE, SUCCESS, Change

_MOST_DOLLARS = 10**20


class Controls:
    """Handles on one account; each first lets in what is due by now.

    Args:
        book: The account.
        timetable_us: What becomes of a new link by itself, as `Lifecycle` takes it.
        refunded_status: The status of a payment that was refunded whole.
    """

    def __init__(
        self,
        book: PaymentBook,
        timetable_us: Sequence[tuple[int, str]],
        *,
        refunded_status: str = SUCCESS,
    ) -> None:
        self._book = book
        self._clock = Clock()
        self._lifecycle = Lifecycle(book, timetable_us, refunded_status=refunded_status)

    def arrive(self, direction: DirectionName, count: int = 1) -> None:
        """Let that many payments of a direction come now. For tests.

        Raises:
            ValueError: No such direction, a negative count, or more than the calendar has room for.
        """
        if count < 0:
            raise ValueError(f"count must not be negative: {count}")
        now_us = self._settle()
        self._book.check_growth(direction, count)
        self._book.arrive(direction, count, now_us)
        self._changed()

    def delete(self, direction: DirectionName, rank: int) -> None:
        """Take a payment out, which no API call can do. For tests of what clients make of it.

        Args:
            rank: Its number counted from the oldest payment ever, from 1; others keep theirs.

        Raises:
            ValueError: No such direction or rank.
        """
        self._settle()
        self._book.history(direction).delete(rank)
        self._changed()

    def history(self, direction: DirectionName) -> list[str]:
        """Every id of a direction, newest first whatever `order` is. For tests: takes O(N).

        Raises:
            ValueError: No such direction.
        """
        self._settle()
        return self._book.ids(direction)

    def payment(self, payment_id: object) -> EmulatedPayment:
        """A payment's facts as they are now.

        Raises:
            LookupError: No such payment.
        """
        self._settle()
        return self._book.payment(str(payment_id))

    def count(self, direction: DirectionName) -> int:
        """The number of payments that a direction has now."""
        self._settle()
        return self._book.history(direction).total

    def newest(
        self, direction: DirectionName, from_rank: int | None = None
    ) -> Iterator[tuple[int, EmulatedPayment]]:
        """Payments with their ranks, newest first, from a rank on."""
        history = self._book.history(direction)
        newest = history.newest_rank if from_rank is None else min(from_rank, history.newest_rank)
        for rank in range(newest, 0, -1):
            if history.holds(rank):
                yield rank, history.payment(rank)

    def now_us(self) -> int:
        """The emulator's time, in Unix microseconds."""
        return self._clock.now_us()

    async def move(self, payment_id: object, status: str) -> None:
        """The payment takes that status. Raises as `pay`."""
        self._change(payment_id, status)

    async def open(self, payment_id: object) -> None:
        """The payer looks at the link. Raises as `pay`."""
        self._change(payment_id, "opened")

    async def process(self, payment_id: object) -> None:
        """The payer has decided to pay; the money is on its way. Raises as `pay`."""
        self._change(payment_id, "processing")

    async def settle(self, payment_id: object) -> None:
        """The money has left the payer and has not arrived yet. Raises as `pay`."""
        self._change(payment_id, "settling")

    async def refund(self, payment_id: object, amount: Decimal | int | str | None = None) -> str:
        """Money of a payment that succeeded goes back, whole or in parts.

        Args:
            payment_id: Its id.
            amount: Dollars; None: all that was not refunded yet.

        Returns:
            The refund's `refund_transaction_id`.

        Raises:
            LookupError: No such payment.
            ValueError: It did not succeed, or the amount is no such part of it.
        """
        return self._refund(payment_id, None if amount is None else _in_cents(amount))

    async def refund_fee(self, payment_id: object, amount: Decimal | int | str = "0.30") -> str:
        """The fee of a payment that succeeded goes back. Returns and raises as `refund`."""
        return self._refund(payment_id, _in_cents(amount), is_fee=True)

    async def pay(self, payment_id: object) -> None:
        """The payment succeeds.

        Args:
            payment_id: Its id, as text or as a UUID.

        Raises:
            LookupError: No such payment.
            ValueError: Its status allows it no more.
        """
        self._change(payment_id, "success")

    async def fail(self, payment_id: object, reason: str | None = None) -> None:
        """The payment fails, for this reason. Raises as `pay`."""
        self._change(payment_id, "failed", reason)

    async def reject(self, payment_id: object, reason: str | None = None) -> None:
        """The payer declines. Raises as `pay`."""
        self._change(payment_id, "rejected", reason)

    async def expire(self, payment_id: object) -> None:
        """The link is not good any more. Raises as `pay`."""
        self._change(payment_id, "expired")

    async def retry(self, payment_id: object) -> str:
        """The payer tries once more what failed, expired or was rejected.

        Returns:
            The id of the new payment; the old one is `retried` now.

        Raises:
            as `pay`.
        """
        self._settle()
        new = self._lifecycle.retry(str(payment_id), self._clock.now_us())
        self._changed()
        return new.payment_id

    def schedule(self, payment_id: object, status: str, *, after: float) -> None:
        """Let a payment take that status so many seconds from now, if it still can then.

        Raises:
            LookupError: No such payment.
            ValueError: No such status, or a time out of range.
        """
        if status not in PLANNABLE:
            raise ValueError(f"status must be one of {', '.join(PLANNABLE)}, not {status!r}")
        if not 0 <= after <= 1e9:
            raise ValueError(f"after must be from 0 to 1e9 seconds: {after!r}")
        self._book.place(str(payment_id))
        at_us = self._clock.now_us() + round(after * 1_000_000)
        self._lifecycle.schedule(str(payment_id), status, at_us)
        self._changed()

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock ahead: links expire, the timetable goes on.

        Raises:
            ValueError: By less than nothing, more than thirty years, or further than the year 9000;
                then nothing is moved.
        """
        self.check_advance(seconds)
        self._clock.advance(seconds)
        self._settle()
        self._changed()

    def check_advance(self, seconds: float) -> None:
        """ValueError where `advance` would raise one."""
        self._clock.check_advance(seconds)
        self._book.check_settle(self._clock.now_us() / 1_000_000 + seconds)

    def subscribe(self, listener: Callable[[Change], object]) -> Callable[[], None]:
        """Hear of every change of a payment, in order, in the loop's next turn.

        Args:
            listener: What it raises goes to the event loop's exception handler.

        Returns:
            What ends it when called.
        """

        def tell(change: Change) -> None:
            # Not from here: a listener must not run, or fail, in the middle of a change.
            asyncio.get_running_loop().call_soon(listener, change)

        return self._lifecycle.subscribe(tell)

    def timeline(self, payment_id: object) -> list[tuple[str, int]]:
        """The statuses a payment has had here, oldest first, each with its Unix microseconds.

        Raises:
            LookupError: No such payment.
        """
        return [(change.payment.status, change.at_us) for change in self.changes(payment_id)]

    def changes(self, payment_id: object) -> list[Change]:
        """The changes of a payment, oldest first, each with the payment as it was then."""
        self._settle()
        self._book.place(str(payment_id))
        return self._lifecycle.timeline(str(payment_id))

    def _refund(self, payment_id: object, cents: int | None, *, is_fee: bool = False) -> str:
        now_us = self._settle()
        refund = self._lifecycle.refund(str(payment_id), cents, now_us, is_fee=is_fee)
        self._changed()
        return refund.refund_transaction_id

    def _change(
        self, payment_id: object, status: str, reason: str | None = None
    ) -> EmulatedPayment:
        self._settle()
        payment = self._lifecycle.change(
            str(payment_id), status, self._clock.now_us(), reason=reason
        )
        self._changed()
        return payment

    def _settle(self) -> int:
        now_us = self._clock.now_us()
        self._book.settle(now_us)
        self._lifecycle.settle(now_us)
        return now_us

    def _changed(self) -> None:
        """Called after each change, and when the timetable may have grown."""


def _in_cents(amount: Decimal | int | str) -> int:
    """Dollars as cents.

    Raises:
        ValueError: It is no number of dollars and cents.
    """
    if isinstance(amount, float | bool):
        raise ValueError(f"amount must be a Decimal, an int or text, not {amount!r}")
    try:
        dollars = Decimal(amount)
    except (InvalidOperation, TypeError):
        raise ValueError(f"amount must be a number of dollars, not {amount!r}") from None
    if not dollars.is_finite() or not 0 < dollars < _MOST_DOLLARS or dollars != round(dollars, 2):
        raise ValueError(f"amount must be positive, with at most two decimals, not {amount!r}")
    return int(dollars * 100)
