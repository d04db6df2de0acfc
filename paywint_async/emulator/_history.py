"""One direction of the history: which ranks exist, and the row of each.

A rank is a payment's number counted from the oldest, and never changes. It knows neither clocks nor
HTTP; whoever holds it says when a payment comes.
"""

from bisect import bisect_left, bisect_right, insort
from functools import lru_cache

from paywint_async.emulator._generator import EPOCH_US, STEP_US, Generator
from paywint_async.emulator._identity import Direction
from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._wire import payment_row

CACHED_ROWS = 131_072
"""Rendered rows kept, about 90 MB once that many have been read: a benchmark of 100,000 payments
then measures its client, not this server. Of a longer history, read from end to end, each row would
be gone before it is asked for again, so only the `RECENT_ROWS` are kept."""

RECENT_ROWS = 2_048
"""Those that a client asks for twice, since pages were shifted or an answer was lost."""


class History:
    """The payments of one direction.

    Args:
        generator: Makes the records nobody wrote.
        direction: Whose records.
        size: How many there are at the beginning.
    """

    def __init__(self, generator: Generator, direction: Direction, size: int) -> None:
        self._generator = generator
        self._direction: Direction = direction
        self._newest_rank = size
        self._written: dict[int, EmulatedPayment] = {}
        self._deleted: list[int] = []
        self._unsaved: set[int] = set()
        self._unsaved_deletions: list[int] = []
        # After a written payment the generated times go on from its time: (first rank, shift).
        self._shift_ranks: list[int] = [0]
        self._shifts_us: list[int] = [0]
        kept = CACHED_ROWS if size <= CACHED_ROWS else RECENT_ROWS
        self._generated_row = lru_cache(maxsize=kept)(self._make_row)

    @property
    def total(self) -> int:
        """How many payments the listing shows."""
        return self._newest_rank - len(self._deleted)

    @property
    def newest_rank(self) -> int:
        """The rank of the payment that came last, deleted or not; 0 where none came."""
        return self._newest_rank

    @property
    def next_rank(self) -> int:
        """The rank of the next payment to come."""
        return self._newest_rank + 1

    def time_after(self, count: int) -> int:
        """No later than this would be the last of so many more payments, in Unix microseconds."""
        rank = self._newest_rank + count
        return EPOCH_US + rank * STEP_US + self._shift_us(rank)

    def grow(self, count: int) -> None:
        """Let that many generated payments come."""
        self._newest_rank += count

    def next_time(self, now_us: int) -> int:
        """The time for a payment that comes now: later than any other, whatever the clock says."""
        newest = self._newest_rank
        return max(now_us, self._time(newest) + 1) if newest else now_us

    def write(self, payment: EmulatedPayment) -> None:
        """Append a payment that was not generated; its time must be `next_time`."""
        rank = self.next_rank
        usual = self._generator.created_at_us(self._direction, rank)
        self._shift_ranks.append(rank)
        self._shifts_us.append(payment.created_at_us - usual)
        self._written[rank] = payment
        self._unsaved.add(rank)
        self._newest_rank = rank

    def restore(
        self, size: int, payments: dict[int, tuple[EmulatedPayment, bool]], deleted: list[int]
    ) -> None:
        """Take over a history of this size, in place of what it has now.

        Args:
            payments: By rank, those that were changed, or (True) written at the end.
            deleted: The ranks taken out.
        """
        self._written, self._shift_ranks, self._shifts_us = {}, [0], [0]
        for rank, (payment, is_appended) in sorted(payments.items()):
            if is_appended:
                self._newest_rank = rank - 1
                self.write(payment)
            self._written[rank] = payment
        self._newest_rank, self._deleted = size, sorted(deleted)
        self.mark_saved()

    def unsaved(self) -> tuple[dict[int, tuple[EmulatedPayment, bool]], list[int]]:
        """What was written and what was deleted since `mark_saved`, as `restore` takes it."""
        written = {rank: (self._written[rank], self._is_appended(rank)) for rank in self._unsaved}
        return written, self._unsaved_deletions

    def mark_saved(self) -> None:
        """What is unsaved now has been saved."""
        self._unsaved, self._unsaved_deletions = set(), []

    @property
    def has_unsaved(self) -> bool:
        """Whether something was written or deleted since `mark_saved`."""
        return bool(self._unsaved or self._unsaved_deletions)

    def _is_appended(self, rank: int) -> bool:
        index = bisect_left(self._shift_ranks, rank, 1)
        return self._shift_ranks[index : index + 1] == [rank]

    def delete(self, rank: int) -> None:
        """Take a payment out of the listing; the others keep their ranks.

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
        return payment_row(written) if written else self._generated_row(rank)

    def payment(self, rank: int) -> EmulatedPayment:
        """The payment of this rank as facts."""
        return self._written.get(rank) or self._generate(rank)

    def replace(self, rank: int, payment: EmulatedPayment) -> None:
        """Put other facts in the place of this rank's; id and time of creation stay."""
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

    def _shift_us(self, rank: int) -> int:
        return self._shifts_us[bisect_right(self._shift_ranks, rank) - 1]

    def _time(self, rank: int) -> int:
        return self._generator.created_at_us(self._direction, rank) + self._shift_us(rank)

    def _make_row(self, rank: int) -> bytes:
        return payment_row(self._generate(rank))

    def _generate(self, rank: int) -> EmulatedPayment:
        return self._generator.payment(self._direction, rank, self._shift_us(rank))
