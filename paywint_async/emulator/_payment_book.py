"""The account's state: the payments of both directions, new arrivals, and payment links.

Nothing here awaits, so each response shows one consistent state. The caller passes the time: monotonic
seconds for arrivals, Unix microseconds for everything else.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Literal

import attrs

from paywint_async.emulator._calendar import (
    calendar_until,
    end_of_history_us,
    hostile_calendar,
)
from paywint_async.emulator._clock import LATEST_US
from paywint_async.emulator._everyday_generator import EverydayGenerator
from paywint_async.emulator._generator import Generator
from paywint_async.emulator._history import History
from paywint_async.emulator._hostile_generator import HostileGenerator
from paywint_async.emulator._identity import DIRECTIONS, DirectionName, Identity
from paywint_async.emulator._payment import EmulatedPayment

ListOrder = Literal["newest", "oldest"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TOKEN_LIFE_US = 15 * 60 * 1_000_000


@attrs.frozen(kw_only=True)
class Page:
    """One page of a listing: its rows as JSON, and the total number of payments."""

    rows: list[bytes]
    total: int


@attrs.frozen(kw_only=True)
class IssuedToken:
    """A token for the inline checkout."""

    token: str
    expires_at_us: int


class Arrivals:
    """Counts the payments that have arrived since the start, at a constant rate.

    They are computed on demand, without a task or timer: the same clock gives the same payments.

    Args:
        per_second: Payments per second.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._since: float | None = None
        self._taken = 0

    def start(self, now: float) -> None:
        """Start counting at this monotonic time."""
        self._since, self._taken = now, 0

    def stop(self) -> None:
        """Stop counting until the next `start`."""
        self._since = None

    def waiting(self, now: float) -> int:
        """The number of payments that arrive between the last `take` and this time."""
        if self._since is None:
            return 0
        return int((now - self._since) * self._per_second) - self._taken

    def take(self, now: float) -> int:
        """The number of payments since the last call."""
        new = self.waiting(now)
        self._taken += new
        return new


class PaymentBook:
    """All payments and tokens of the emulated account.

    Args:
        identity: The seed's ids and randomness.
        payments: The number of payments of each direction at the beginning.
        arrivals: Counts the payments that arrive later.
        order: Whether page 1 has the newest or the oldest payments.
        today: The day on which the history ends; None: a hostile history, which begins in 2015.
        render: Converts a payment to JSON.
    """

    def __init__(
        self,
        identity: Identity,
        payments: int,
        *,
        arrivals: Arrivals,
        order: ListOrder,
        today: date | None,
        render: Callable[[EmulatedPayment], bytes],
    ) -> None:
        self._render = render
        self._identity = identity
        self._payments = payments
        self._arrivals = arrivals
        self._order = order
        self.tokens = 0
        self._make_histories(today)

    @property
    def today(self) -> date | None:
        """The day on which the generated history ends; None if it is a hostile one."""
        return self._today

    def end_on(self, today: date) -> None:
        """Set the last day of the generated history, before any change of it."""
        self._make_histories(today)

    def _make_histories(self, today: date | None) -> None:
        self._today = today
        if today is None:
            self._generator: Generator = HostileGenerator(self._identity)
            calendar = hostile_calendar()
        else:
            end_us = end_of_history_us(today)
            self._generator = EverydayGenerator(self._identity, end_us)
            calendar = calendar_until(end_us, self._payments)
        self._histories = {
            direction: History(
                self._generator,
                direction,
                self._payments,
                calendar=calendar,
                render=self._render,
            )
            for direction in DIRECTIONS
        }

    def settle(self, now_us: int) -> None:
        """Add the arrivals until this time (Unix microseconds), in both directions."""
        count = self._arrivals.take(now_us / 1_000_000)
        for direction in DIRECTIONS:
            self.arrive(direction, count, now_us)

    def arrive(self, direction: DirectionName, count: int, now_us: int) -> None:
        """Add generated payments of a direction now.

        In a hostile history their times continue those of the others, from 2015 on.
        """
        history = self.history(direction)
        if self._today is None:
            history.grow(count)
        else:
            history.grow_now(count, now_us)

    def check_settle(self, now: float) -> None:
        """Raise ValueError if the arrivals until this time would exceed the calendar."""
        for direction in DIRECTIONS:
            self.check_growth(direction, self._arrivals.waiting(now))

    def check_growth(self, direction: DirectionName, count: int) -> None:
        """Raise ValueError if so many further payments would exceed the calendar."""
        if count and self.history(direction).time_after(count) >= LATEST_US:
            raise ValueError(f"all payments must be before the year 9000: {count} are too many")

    def history(self, direction: DirectionName) -> History:
        """The history of one direction.

        Raises:
            ValueError: No such direction.
        """
        if direction not in self._histories:
            raise ValueError(f"direction must be 'sent' or 'received', not {direction!r}")
        return self._histories[direction]

    def ids(self, direction: DirectionName) -> list[str]:
        """All ids of a direction, newest first."""
        history = self.history(direction)
        ranks = reversed(history.ranks(1, history.total))
        return [self._identity.payment_id(direction, rank) for rank in ranks]

    def page(self, direction: DirectionName, page_no: int, rows_per_page: int) -> Page:
        """One page in the current state; a page after the last one is empty."""
        history = self._histories[direction]
        total, skipped = history.total, (page_no - 1) * rows_per_page
        if self._order == "oldest":
            ranks = history.ranks(skipped + 1, skipped + rows_per_page)
        else:
            ranks = history.ranks(total - skipped - rows_per_page + 1, total - skipped)[::-1]
        return Page(rows=[history.row(rank) for rank in ranks], total=total)

    def find(self, payment_id: str) -> bytes | None:
        """The payment of this id as JSON, in either direction; None if there is none."""
        place = self._locate(payment_id)
        return None if place is None else self._histories[place[0]].row(place[1])

    def place(self, payment_id: str) -> tuple[DirectionName, int]:
        """The direction and rank of the payment of this id.

        Raises:
            LookupError: There is none.
        """
        place = self._locate(payment_id)
        if place is None:
            raise LookupError(f"the emulator has no payment {payment_id!r}")
        return place

    def payment(self, payment_id: str) -> EmulatedPayment:
        """The payment of this id; raises LookupError if there is none."""
        direction, rank = self.place(payment_id)
        return self._histories[direction].payment(rank)

    def replace(self, payment: EmulatedPayment) -> None:
        """Replace the payment with this id; raises LookupError if there is none."""
        direction, rank = self.place(payment.payment_id)
        self._histories[direction].replace(rank, payment)

    def payer_of(self, payment: EmulatedPayment) -> tuple[str, str]:
        """Id and name of the payer: those of the payment, else of a party derived from its id."""
        somebody = self._generator.somebody(payment.payment_id)
        return payment.payer_id or somebody.party_id, payment.payer_name or somebody.name

    def refund_id(self, payment: EmulatedPayment) -> str:
        """The id of the payment's latest refund."""
        return self._identity.uuid(f"refund {payment.payment_id} {payment.refunds}")

    def repeat(self, payment: EmulatedPayment, now_us: int) -> EmulatedPayment:
        """Append a pending payment for the same amount and purpose; returns it."""
        direction, _rank = self.place(payment.payment_id)
        history = self._histories[direction]
        new = attrs.evolve(
            payment,
            payment_id=self._identity.payment_id(direction, history.next_rank),
            created_at_us=history.next_time(now_us),
            payment_date_us=None,
            status="pending",
            failure_reason=None,
            refunded_cents=0,
            refunds=0,
        )
        history.write(new)
        return new

    def _locate(self, payment_id: str) -> tuple[DirectionName, int] | None:
        place = self._identity.locate(payment_id) if _UUID.fullmatch(payment_id) else None
        return place if place and self._histories[place[0]].holds(place[1]) else None

    def create_link(
        self,
        direction: DirectionName,
        *,
        amount: str,
        description: str | None,
        invoice_number: str | None,
        now_us: int,
    ) -> EmulatedPayment:
        """Append a pending payment: a link of the account (received) or of another party (sent)."""
        history, account = self._histories[direction], self._generator.account
        payment_id = self._identity.payment_id(direction, history.next_rank)
        is_own = direction == "received"
        payee = account if is_own else self._generator.somebody(payment_id)
        payment = EmulatedPayment(
            payment_id=payment_id,
            payer_id=None if is_own else account.party_id,
            payer_name=None if is_own else account.name,
            payee_id=payee.party_id,
            payee_name=payee.name,
            amount=amount,
            description=description,
            payment_method=None,
            receiving_method=None,
            created_at_us=history.next_time(now_us),
            payment_date_us=None,
            status="pending",
            failure_reason=None,
            invoice_number=invoice_number,
        )
        history.write(payment)
        return payment

    def create_token(self, now_us: int) -> IssuedToken:
        """Make a checkout token; the seed decides the sequence of tokens."""
        self.tokens += 1
        bits = self._identity.bits(f"checkout token {self.tokens}")
        return IssuedToken(token=f"chk_{bits.hex()[:48]}", expires_at_us=now_us + _TOKEN_LIFE_US)
