"""The account's state: both directions, the payments that keep arriving, the links that are made.

Nothing here awaits, so every answer comes from one moment. Time is handed in: monotonic seconds
for the arrivals, Unix microseconds for what goes on the wire.
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
    """One page of a listing: its rows as JSON, and how many payments there are in all."""

    rows: list[bytes]
    total: int


@attrs.frozen(kw_only=True)
class IssuedToken:
    """A token for the inline checkout."""

    token: str
    expires_at_us: int


class Arrivals:
    """Counts the payments that have come since the clock was started, at a steady rate.

    Counted when somebody asks, without a task or a timer: the same clock gives the same payments.

    Args:
        per_second: Payments per second.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._since: float | None = None
        self._taken = 0

    def start(self, now: float) -> None:
        """Begin to count at this monotonic time."""
        self._since, self._taken = now, 0

    def stop(self) -> None:
        """Let none come until it is started again."""
        self._since = None

    def waiting(self, now: float) -> int:
        """The number of payments that will have come by this time, since the last `take`."""
        if self._since is None:
            return 0
        return int((now - self._since) * self._per_second) - self._taken

    def take(self, now: float) -> int:
        """The number of payments that have come since the last call."""
        new = self.waiting(now)
        self._taken += new
        return new


class PaymentBook:
    """Everything the emulated account has.

    Args:
        identity: The seed's ids and randomness.
        payments: Length of each direction's history at the beginning.
        arrivals: What keeps coming.
        order: Which end of the history page 1 shows.
        today: The day on which the history ends; None: a hostile history, which begins in 2015.
        render: Writes a payment as JSON.
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
        """The day on which the generated history ends; None: it is a hostile one."""
        return self._today

    def end_on(self, today: date) -> None:
        """Let the generated history end on this day; nothing may have been changed yet."""
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
        """Let in what has arrived by this time (Unix microseconds), in both directions."""
        count = self._arrivals.take(now_us / 1_000_000)
        for direction in DIRECTIONS:
            self.arrive(direction, count, now_us)

    def arrive(self, direction: DirectionName, count: int, now_us: int) -> None:
        """Let that many generated payments of a direction come now.

        Those of a hostile history have the times that follow the others', in 2015 and later.
        """
        history = self.history(direction)
        if self._today is None:
            history.grow(count)
        else:
            history.grow_now(count, now_us)

    def check_settle(self, now: float) -> None:
        """ValueError where the calendar has no room for what will have arrived by this time."""
        for direction in DIRECTIONS:
            self.check_growth(direction, self._arrivals.waiting(now))

    def check_growth(self, direction: DirectionName, count: int) -> None:
        """ValueError where the calendar has no room for so many more payments."""
        if count and self.history(direction).time_after(count) >= LATEST_US:
            raise ValueError(f"all payments must be before the year 9000: {count} are too many")

    def history(self, direction: DirectionName) -> History:
        """One direction.

        Raises:
            ValueError: No such direction.
        """
        if direction not in self._histories:
            raise ValueError(f"direction must be 'sent' or 'received', not {direction!r}")
        return self._histories[direction]

    def ids(self, direction: DirectionName) -> list[str]:
        """Every id of a direction, newest first."""
        history = self.history(direction)
        ranks = reversed(history.ranks(1, history.total))
        return [self._identity.payment_id(direction, rank) for rank in ranks]

    def page(self, direction: DirectionName, page_no: int, rows_per_page: int) -> Page:
        """One page as it stands now; a page behind the last one is empty."""
        history = self._histories[direction]
        total, skipped = history.total, (page_no - 1) * rows_per_page
        if self._order == "oldest":
            ranks = history.ranks(skipped + 1, skipped + rows_per_page)
        else:
            ranks = history.ranks(total - skipped - rows_per_page + 1, total - skipped)[::-1]
        return Page(rows=[history.row(rank) for rank in ranks], total=total)

    def find(self, payment_id: str) -> bytes | None:
        """The payment of this id as JSON, whichever its direction; None where there is none."""
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
        """The payment of this id; LookupError where there is none."""
        direction, rank = self.place(payment_id)
        return self._histories[direction].payment(rank)

    def replace(self, payment: EmulatedPayment) -> None:
        """Put other facts in the place of those of its id; LookupError where there are none."""
        direction, rank = self.place(payment.payment_id)
        self._histories[direction].replace(rank, payment)

    def payer_of(self, payment: EmulatedPayment) -> tuple[str, str]:
        """Id and name of the one who pays: as noted, else somebody who follows from the id."""
        somebody = self._generator.somebody(payment.payment_id)
        return payment.payer_id or somebody.party_id, payment.payer_name or somebody.name

    def refund_id(self, payment: EmulatedPayment) -> str:
        """The id of the payment's latest refund."""
        return self._identity.uuid(f"refund {payment.payment_id} {payment.refunds}")

    def repeat(self, payment: EmulatedPayment, now_us: int) -> EmulatedPayment:
        """Append a pending payment that asks for the same once more; returns it."""
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
        """Append a pending payment: received is the account's own link, sent the other side's."""
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
        """A checkout token; the sequence of them follows from the seed."""
        self.tokens += 1
        bits = self._identity.bits(f"checkout token {self.tokens}")
        return IssuedToken(token=f"chk_{bits.hex()[:48]}", expires_at_us=now_us + _TOKEN_LIFE_US)
