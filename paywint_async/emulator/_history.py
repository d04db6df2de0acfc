"""One direction of the history: the ranks that exist, and the row of each.

A rank is a payment's number counted from the oldest, and never changes. Knows neither clocks nor HTTP:
the caller passes the time.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from functools import lru_cache

import attrs

from paywint_async.emulator._calendar import Calendar, Calendars
from paywint_async.emulator._generator import Generator
from paywint_async.emulator._identity import DirectionName
from paywint_async.emulator._payment import EmulatedPayment

CACHED_ROWS = 131_072
"""The number of cached rows, about 90 MB in all, so that a benchmark of 100,000 payments measures its
client and not this server. In a longer history that is read completely, each row would be evicted before
it is requested again, so only `RECENT_ROWS` are cached."""

RECENT_ROWS = 2_048
"""Enough for requests that are repeated because pages were shifted or a response was lost."""

_SECOND_US = 1_000_000


@attrs.frozen(kw_only=True)
class SavedHistory:
    """The state of a direction's history that does not follow from the seed, or its unsaved part.

    Args:
        size: The rank of the newest payment.
        payments: Changed or appended payments by rank; the flag is True for appended ones.
        deleted: The deleted ranks.
        arrivals: The calendars of payments that arrived while the emulator ran, in order.
    """

    size: int
    payments: dict[int, tuple[EmulatedPayment, bool]]
    deleted: list[int]
    arrivals: list[Calendar]


class History:
    """The payments of one direction.

    Args:
        generator: Generates the records that were neither changed nor appended.
        direction: Of the records.
        size: The number of payments at the beginning.
        calendar: The creation times of those payments.
        render: Converts a payment to JSON.
    """

    def __init__(
        self,
        generator: Generator,
        direction: DirectionName,
        size: int,
        *,
        calendar: Calendar,
        render: Callable[[EmulatedPayment], bytes],
    ) -> None:
        self._render = render
        self._generator = generator
        self._direction: DirectionName = direction
        self._newest_rank = size
        self._written: dict[int, EmulatedPayment] = {}
        self._deleted: list[int] = []
        self._unsaved: set[int] = set()
        self._unsaved_deletions: list[int] = []
        self._calendars = Calendars(calendar)
        self._usual_step_us = calendar.step_us
        self._appended: set[int] = set()
        self._unsaved_arrivals: list[Calendar] = []
        kept = CACHED_ROWS if size <= CACHED_ROWS else RECENT_ROWS
        self._generated_row = lru_cache(maxsize=kept)(self._make_row)

    @property
    def total(self) -> int:
        """The number of payments that the listing shows."""
        return self._newest_rank - len(self._deleted)

    @property
    def newest_rank(self) -> int:
        """The rank of the newest payment, deleted or not; 0 if there is none."""
        return self._newest_rank

    @property
    def next_rank(self) -> int:
        """The rank of the next payment."""
        return self._newest_rank + 1

    def time_after(self, count: int) -> int:
        """An upper bound of the time of the last of so many further payments, in Unix microseconds."""
        latest = self._calendars.latest
        return latest.interval_start_us(self._newest_rank + 1) + count * self._usual_step_us

    def grow(self, count: int) -> None:
        """Add generated payments, whose times continue the calendar."""
        self._newest_rank += count

    def grow_now(self, count: int, now_us: int) -> None:
        """Add generated payments just before this time, at most a second apart.

        Their times are after all others, even if the clock went back.
        """
        if not count:
            return
        first_us = now_us - count * _SECOND_US
        if self._newest_rank:
            first_us = max(first_us, self._time(self._newest_rank) + 1)
        step_us = max(1, min(_SECOND_US, (now_us - first_us) // count))
        calendar = Calendar(first_rank=self.next_rank, first_us=first_us, step_us=step_us)
        self._calendars.append(calendar)
        self._unsaved_arrivals.append(calendar)
        self._newest_rank += count

    def next_time(self, now_us: int) -> int:
        """The time for a new payment: later than all others, even if the clock went back."""
        newest = self._newest_rank
        return max(now_us, self._time(newest) + 1) if newest else now_us

    def write(self, payment: EmulatedPayment) -> None:
        """Append a given payment, whose time must be `next_time`."""
        rank = self.next_rank
        self._calendars.go_on_after(rank, payment.created_at_us)
        self._appended.add(rank)
        self._written[rank] = payment
        self._unsaved.add(rank)
        self._newest_rank = rank

    def restore(self, saved: SavedHistory) -> None:
        """Replace the state by a saved one."""
        self._calendars.forget()
        appended = {rank for rank, (_payment, is_appended) in saved.payments.items() if is_appended}
        self._written = {rank: payment for rank, (payment, _) in saved.payments.items()}
        # If payments arrived right after an appended one, their calendar comes second.
        changes = [(rank + 1, 0, rank) for rank in appended]
        changes += [(each.first_rank, 1, index) for index, each in enumerate(saved.arrivals)]
        for _first_rank, is_arrival, index in sorted(changes):
            if is_arrival:
                self._calendars.append(saved.arrivals[index])
            else:
                self._calendars.go_on_after(index, self._written[index].created_at_us)
        self._appended, self._newest_rank = appended, saved.size
        self._deleted = sorted(saved.deleted)
        self.mark_saved()

    def unsaved(self) -> SavedHistory:
        """The changes since `mark_saved`."""
        written = {rank: (self._written[rank], rank in self._appended) for rank in self._unsaved}
        return SavedHistory(
            size=self._newest_rank,
            payments=written,
            deleted=self._unsaved_deletions,
            arrivals=self._unsaved_arrivals,
        )

    def mark_saved(self) -> None:
        """Mark all changes as saved."""
        self._unsaved, self._unsaved_deletions, self._unsaved_arrivals = set(), [], []

    @property
    def has_unsaved(self) -> bool:
        """Whether payments were changed, deleted or added since `mark_saved`."""
        return bool(self._unsaved or self._unsaved_deletions or self._unsaved_arrivals)

    def delete(self, rank: int) -> None:
        """Delete a payment; the others keep their ranks.

        Raises:
            ValueError: There is no payment of this rank.
        """
        if not self.holds(rank):
            raise ValueError(f"no {self._direction} payment of rank {rank} to delete")
        insort(self._deleted, rank)
        self._unsaved_deletions.append(rank)

    def holds(self, rank: int) -> bool:
        """Whether there is a payment of this rank."""
        index = bisect_left(self._deleted, rank)
        return 1 <= rank <= self._newest_rank and self._deleted[index : index + 1] != [rank]

    def row(self, rank: int) -> bytes:
        """The payment of this rank as JSON."""
        written = self._written.get(rank)
        return self._render(written) if written else self._generated_row(rank)

    def payment(self, rank: int) -> EmulatedPayment:
        """The payment of this rank."""
        return self._written.get(rank) or self._generate(rank)

    def replace(self, rank: int, payment: EmulatedPayment) -> None:
        """Replace the payment of this rank; id and time of creation must be the same."""
        self._written[rank] = payment
        self._unsaved.add(rank)

    def ranks(self, first: int, last: int) -> list[int]:
        """The ranks at these positions, counted from the oldest, both ends included, ascending."""
        first, last = max(first, 1), min(last, self.total)
        if not self._deleted:
            return list(range(first, last + 1))
        return [self._rank_at(position) for position in range(first, last + 1)]

    def _rank_at(self, position: int) -> int:
        rank = position
        for gone in self._deleted:
            if gone > rank:
                break
            rank += 1
        return rank

    def _time(self, rank: int) -> int:
        written = self._written.get(rank)
        if written is not None:
            return written.created_at_us
        calendar = self._calendars.of(rank)
        return self._generator.created_at_us(self._direction, rank, calendar)

    def _make_row(self, rank: int) -> bytes:
        return self._render(self._generate(rank))

    def _generate(self, rank: int) -> EmulatedPayment:
        return self._generator.payment(self._direction, rank, self._calendars.of(rank))
