"""The changes of the account's payments: at once or on a timetable, and the webhooks that tell them.

Nothing here awaits and nothing looks at a clock: whoever holds it says what time it is.
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
    """The lives of one account's payments.

    Args:
        book: Where they are.
        timetable_us: What becomes of a new link by itself, as (microseconds after it was made,
            status); a step that is not possible any more when it is due is left out.
        refunded_status: The status of a payment that was refunded whole.
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
        """When the timetable has something to do next."""
        return self._due[0][0] if self._due else None

    def subscribe(self, listener: ChangeListener) -> Callable[[], None]:
        """Call it with every change, at once; it must not raise. What comes back ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def timeline(self, payment_id: str) -> list[Change]:
        """The events of a payment here, oldest first; generated payments begin without any."""
        return list(self._timelines.get(payment_id.lower(), ()))

    def create(self, payment: EmulatedPayment) -> None:
        """Note that this payment was made, and plan what becomes of it."""
        self._plan(payment)
        self._note(Change(payment=payment, previous=None, at_us=payment.created_at_us))

    def change(
        self, payment_id: str, status: str, now_us: int, *, reason: str | None = None
    ) -> EmulatedPayment:
        """Move a payment on.

        Raises:
            LookupError: No such payment.
            IllegalChange: That status cannot come next.
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
        """Put a new payment in the place of one that came to nothing.

        Returns:
            The new one; the old one is `retried`.

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
        """Give money back.

        Args:
            cents: How much; None: all that was not refunded yet.
            is_fee: Whether it is of the payment's fee.

        Raises:
            LookupError: No such payment.
            IllegalChange: It did not succeed, or so much is not left.
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
        """Let a payment take that status at that time, should it still be possible then."""
        heapq.heappush(self._due, (at_us, next(self._number), payment_id, status))

    def settle(self, now_us: int) -> None:
        """Do what was due by then, in the order of its times."""
        while self._due and self._due[0][0] <= now_us:
            at_us, _number, payment_id, status = heapq.heappop(self._due)
            try:
                if status == _transitions.RETRIED:
                    self.retry(payment_id, at_us)
                else:
                    self.change(payment_id, status, at_us)
            except (LookupError, _transitions.IllegalChange):
                continue  # it went another way, or was deleted: that is what "planned" means

    def restore(self, timeline: list[Change]) -> None:
        """Take over what has happened to a payment, oldest first and at least one change."""
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
