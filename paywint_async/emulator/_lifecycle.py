"""Changes the account's payments, at once or on a timetable, and notifies listeners.

Nothing here awaits or reads a clock: the caller passes the time.
"""

import heapq
from collections.abc import Callable, Sequence
from itertools import count

import attrs

from paywint_async.emulator import _transitions
from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._payment_book import PaymentBook
from paywint_async.emulator._transitions import Change, Refund

ChangeListener = Callable[[Change], None]


class Lifecycle:
    """Changes the payments of one account, and records their timelines.

    Args:
        book: The payments.
        timetable_us: The scheduled changes of a new link, as (microseconds after its creation,
            status); a change that is not possible any more when it is due is skipped.
        refunded_status: The status of a payment that was refunded completely.
    """

    def __init__(
        self,
        book: PaymentBook,
        timetable_us: Sequence[tuple[int, str]],
        *,
        refunded_status: str = _transitions.SUCCESS,
    ) -> None:
        self._refunded_status = refunded_status
        self._book = book
        self._timetable = timetable_us
        self._due: list[tuple[int, int, str, str]] = []
        self._number = count()
        self._timelines: dict[str, list[Change]] = {}
        self._listeners: list[ChangeListener] = []

    @property
    def next_due_us(self) -> int | None:
        """The time of the next scheduled change, in Unix microseconds, or None."""
        return self._due[0][0] if self._due else None

    def subscribe(self, listener: ChangeListener) -> Callable[[], None]:
        """Call a function, which must not raise, at every change; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def timeline(self, payment_id: str) -> list[Change]:
        """The changes of a payment, oldest first; generated payments have none at first."""
        return list(self._timelines.get(payment_id.lower(), ()))

    def create(self, payment: EmulatedPayment) -> None:
        """Record a new payment, and schedule its changes."""
        self._plan(payment)
        self._note(Change(payment=payment, previous=None, at_us=payment.created_at_us))

    def change(
        self, payment_id: str, status: str, now_us: int, *, reason: str | None = None
    ) -> EmulatedPayment:
        """Change the status of a payment.

        Raises:
            LookupError: No such payment.
            IllegalChange: It cannot change to that status.
        """
        before = self._book.payment(payment_id)
        if status == _transitions.RETRIED:
            raise _transitions.IllegalChange(
                "a payment is retried by `retry`, which makes a new one"
            )
        after = _transitions.changed(before, status, now_us, reason)
        if status not in _transitions.UNPAID and status != _transitions.EXPIRED:
            payer_id, payer_name = self._book.payer_of(before)
            after = attrs.evolve(after, payer_id=payer_id, payer_name=payer_name)
        self._book.replace(after)
        self._note(Change(payment=after, previous=before.status, at_us=now_us))
        return after

    def retry(self, payment_id: str, now_us: int) -> EmulatedPayment:
        """Replace a payment that failed, expired or was rejected by a new one.

        Returns:
            The new payment; the old one is `retried`.

        Raises:
            LookupError: No such payment.
            IllegalChange: It has not failed, expired or been rejected.
        """
        before = self._book.payment(payment_id)
        _transitions.check_change(before, _transitions.RETRIED)
        new = self._book.repeat(before, now_us)
        after = attrs.evolve(before, status=_transitions.RETRIED)
        self._book.replace(after)
        self._note(
            Change(
                payment=after,
                previous=before.status,
                at_us=now_us,
                retry_payment_id=new.payment_id,
            )
        )
        self.create(new)
        return new

    def refund(
        self, payment_id: str, cents: int | None, now_us: int, *, is_fee: bool = False
    ) -> Refund:
        """Refund a payment, or its fee.

        Args:
            cents: The amount; None: everything that is not refunded yet.
            is_fee: Whether the payment's fee is refunded.

        Raises:
            LookupError: No such payment.
            IllegalChange: It did not succeed, or the amount is more than can be refunded.
        """
        before = self._book.payment(payment_id)
        after, given = _transitions.refunded(
            before, cents, is_fee=is_fee, full_status=self._refunded_status
        )
        refund = Refund(
            refund_transaction_id=self._book.refund_id(after),
            amount=f"{given // 100}.{given % 100:02d}",
            is_fee=is_fee,
        )
        self._book.replace(after)
        self._note(Change(payment=after, previous=before.status, at_us=now_us, refund=refund))
        return refund

    def schedule(self, payment_id: str, status: str, at_us: int) -> None:
        """Schedule a change of status, which is skipped if it is not possible then."""
        heapq.heappush(self._due, (at_us, next(self._number), payment_id, status))

    def settle(self, now_us: int) -> None:
        """Apply the changes that are due by this time, in order."""
        while self._due and self._due[0][0] <= now_us:
            at_us, _number, payment_id, status = heapq.heappop(self._due)
            try:
                if status == _transitions.RETRIED:
                    self.retry(payment_id, at_us)
                else:
                    self.change(payment_id, status, at_us)
            except (LookupError, _transitions.IllegalChange):
                continue  # the payment has changed otherwise, or was deleted

    def restore(self, timeline: list[Change]) -> None:
        """Restore the changes of a payment: oldest first, at least one."""
        payment = timeline[-1].payment
        self._timelines[payment.payment_id] = timeline
        if timeline[0].previous is None and payment.status not in _transitions.FINAL:
            self._plan(payment)

    def _plan(self, payment: EmulatedPayment) -> None:
        for after_us, status in self._timetable:
            self.schedule(payment.payment_id, status, payment.created_at_us + after_us)

    def _note(self, change: Change) -> None:
        self._timelines.setdefault(change.payment.payment_id, []).append(change)
        for listener in tuple(self._listeners):
            listener(change)
