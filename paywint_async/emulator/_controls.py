"""Controls of the emulated account for demos and tests: arrivals, deletions, changes of payments, time.

It is the part of `Emulator` that needs no socket.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from paywint_async.emulator._clock import Clock
from paywint_async.emulator._identity import DirectionName
from paywint_async.emulator._lifecycle import Lifecycle
from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._payment_book import PaymentBook
from paywint_async.emulator._transitions import PLANNABLE, SUCCESS, Change

_LEAST_DOLLARS, _MOST_DOLLARS = Decimal("0.01"), 10**20


class Controls:
    """Controls of one account; each method first applies the changes that are due.

    Args:
        book: The account.
        timetable_us: The scheduled changes of a new link, as for `Lifecycle`.
        refunded_status: The status of a payment that was refunded completely.
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
        """Add this many payments of a direction now. For tests.

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
        """Remove a payment, which no API call can do. For tests of clients.

        Args:
            rank: Its number counted from the oldest payment ever, from 1; other ranks do not change.

        Raises:
            ValueError: No such direction or rank.
        """
        self._settle()
        self._book.history(direction).delete(rank)
        self._changed()

    def history(self, direction: DirectionName) -> list[str]:
        """All ids of a direction, newest first independent of `order`. For tests: takes O(N).

        Raises:
            ValueError: No such direction.
        """
        self._settle()
        return self._book.ids(direction)

    def payment(self, payment_id: object) -> EmulatedPayment:
        """The current state of a payment.

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
        """Payments with their ranks, newest first, beginning at a rank."""
        history = self._book.history(direction)
        newest = history.newest_rank if from_rank is None else min(from_rank, history.newest_rank)
        for rank in range(newest, 0, -1):
            if history.holds(rank):
                yield rank, history.payment(rank)

    def now_us(self) -> int:
        """The emulator's time, in Unix microseconds."""
        return self._clock.now_us()

    async def move(self, payment_id: object, status: str) -> None:
        """Set the status of a payment. Raises as `pay`."""
        self._change(payment_id, status)

    async def open(self, payment_id: object) -> None:
        """The payer opens the link. Raises as `pay`."""
        self._change(payment_id, "opened")

    async def process(self, payment_id: object) -> None:
        """The payer has confirmed, and the payment is being processed. Raises as `pay`."""
        self._change(payment_id, "processing")

    async def settle(self, payment_id: object) -> None:
        """The money has left the payer and has not arrived yet. Raises as `pay`."""
        self._change(payment_id, "settling")

    async def refund(self, payment_id: object, amount: Decimal | int | str | None = None) -> str:
        """Refund a payment that succeeded, completely or in part.

        Args:
            payment_id: Its id.
            amount: Dollars; None: everything that is not refunded yet.

        Returns:
            The refund's `refund_transaction_id`.

        Raises:
            LookupError: No such payment.
            ValueError: It did not succeed, or the amount is more than can be refunded.
        """
        return self._refund(payment_id, None if amount is None else _in_cents(amount))

    async def refund_fee(self, payment_id: object, amount: Decimal | int | str = "0.30") -> str:
        """Refund the fee of a payment that succeeded. Returns and raises as `refund`."""
        return self._refund(payment_id, _in_cents(amount), is_fee=True)

    async def pay(self, payment_id: object) -> None:
        """The payment succeeds.

        Args:
            payment_id: Its id, as text or as a UUID.

        Raises:
            LookupError: No such payment.
            ValueError: Its status does not allow this any more.
        """
        self._change(payment_id, "success")

    async def fail(self, payment_id: object, reason: str | None = None) -> None:
        """The payment fails for this reason. Raises as `pay`."""
        self._change(payment_id, "failed", reason)

    async def reject(self, payment_id: object, reason: str | None = None) -> None:
        """The payer declines. Raises as `pay`."""
        self._change(payment_id, "rejected", reason)

    async def expire(self, payment_id: object) -> None:
        """The link expires. Raises as `pay`."""
        self._change(payment_id, "expired")

    async def retry(self, payment_id: object) -> str:
        """The payer retries a payment that failed, expired or was rejected.

        Returns:
            The id of the new payment; the old one is `retried` now.

        Raises:
            LookupError, ValueError: As `pay`.
        """
        self._settle()
        new = self._lifecycle.retry(str(payment_id), self._clock.now_us())
        self._changed()
        return new.payment_id

    def schedule(self, payment_id: object, status: str, *, after: float) -> None:
        """Set the status of a payment in so many seconds, if the change is still possible then.

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
        """Advance the emulator's clock: links expire, and scheduled changes happen.

        Raises:
            ValueError: The seconds are negative, more than 1e9, or lead into the year 9000; then
                the clock is unchanged.
        """
        self.check_advance(seconds)
        self._clock.advance(seconds)
        self._settle()
        self._changed()

    def check_advance(self, seconds: float) -> None:
        """Raise ValueError if `advance` would."""
        self._clock.check_advance(seconds)
        self._book.check_settle(self._clock.now_us() / 1_000_000 + seconds)

    def subscribe(self, listener: Callable[[Change], object]) -> Callable[[], None]:
        """Call a function with every change of a payment, in order, in the loop's next iteration.

        Args:
            listener: Its exceptions go to the event loop's exception handler.

        Returns:
            A function that ends the subscription.
        """

        def tell(change: Change) -> None:
            # Not called directly: a listener must not run, or fail, in the middle of a change.
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
        """Called after each change, and after a change was scheduled."""


def _in_cents(amount: Decimal | int | str) -> int:
    """Convert dollars to cents.

    Raises:
        ValueError: It is not a number of dollars and cents.
    """
    if isinstance(amount, float | bool):
        raise ValueError(f"amount must be a Decimal, an int or text, not {amount!r}")
    try:
        dollars = Decimal(amount)
    except (InvalidOperation, TypeError):
        raise ValueError(f"amount must be a number of dollars, not {amount!r}") from None
    is_in_range = dollars.is_finite() and _LEAST_DOLLARS <= dollars < _MOST_DOLLARS
    cents = Fraction(dollars) * 100 if is_in_range else Fraction(0)  # a Decimal's would be rounded
    if not cents or cents.denominator != 1:
        raise ValueError(f"amount must be positive, with at most two decimals, not {amount!r}")
    return int(cents)
