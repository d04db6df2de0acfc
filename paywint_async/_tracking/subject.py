"""One payment that is waited for: its last known state, its waiters, and the time of the next look."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from contextvars import copy_context
from uuid import UUID

from paywint_async._middleware.answers import Collector, collectors_of_context
from paywint_async._models import Payment

_GROWTH = 1.5
_MAX_INTERVAL = (
    30.0  # seconds: frequent while a payer is likely at work, rare for an abandoned link
)
_LONGEST_DELAY = 0.25  # of an interval, so that many payments do not all fall due at once
WOKEN, NEW, AGAIN = LINES = range(3)  # the queues of payments that are due, the most urgent first


class Waiter:
    """Waits for a payment to differ from ``seen`` (None: not seen yet)."""

    __slots__ = ("collectors", "context", "future", "seen")

    def __init__(self, seen: Payment | None) -> None:
        self.seen = seen
        self.collectors = collectors_of_context()
        self.context = copy_context()
        self.future: asyncio.Future[Payment | BaseException | None] = (
            asyncio.get_running_loop().create_future()
        )

    @property
    def wants_look(self) -> bool:
        """Whether the waiter needs a look; a final payment does not change any more."""
        return not (self.future.done() or self.has_seen_the_end)

    @property
    def has_seen_the_end(self) -> bool:
        """Whether the waiter has seen the final state, and waits only to be woken."""
        return self.seen is not None and self.seen.status.is_final

    def tell(self, outcome: Payment | BaseException | None) -> None:
        """Ends the wait with this outcome, unless it has ended."""
        # Never as the future's exception: if the waiter is cancelled in the same turn, asyncio would
        # log that it was never retrieved.
        if not self.future.done():
            self.future.set_result(outcome)


class Subject:
    """The last known state of one payment, and its waiters; kept while it has waiters or holders.

    The wait after a look is ``poll`` seconds at first, then each time 1.5 times longer, 30 s at most.
    The shortest ``poll`` of all waiters counts.
    """

    def __init__(self, payment_id: UUID) -> None:
        self.payment_id = payment_id
        self.seen: Payment | None = None
        self.waiters: dict[Waiter, None] = {}  # in the order of their arrival
        self.holders = 0  # watches that may wait for it again; a look goes on for them
        self.timer: asyncio.TimerHandle | None = None
        self.look: asyncio.Task[Payment] | None = None
        self.place = NEW  # the queue it enters when it is due
        self.is_woken = False  # during a look, whose answer may be older than the change
        self._looked_at = -math.inf
        self._interval = 0.0
        self._poll = self._next_interval = math.inf

    def join(self, poll: float, *, within: float) -> None:
        """Adds a waiter that accepts a state at most ``within`` seconds old."""
        self._poll = min(self._poll, poll)
        self._next_interval = min(self._next_interval, poll)
        self._interval = min(self._interval, within)

    def hurry(self) -> None:
        """Makes the next look due now, and resets the intervals."""
        self.place = WOKEN
        self._looked_at = -math.inf
        self._next_interval = self._poll

    def note(self, now: float) -> None:
        """Records the end of a look."""
        self.place = AGAIN
        self._looked_at, self._interval = now, self._next_interval
        longest = max(_MAX_INTERVAL, self._poll)
        self._next_interval = min(self._next_interval * _GROWTH, longest)

    def due_at(self, *, is_in_crowd: bool) -> float:
        """The time of the next look; among many payments delayed by a fraction derived from the id."""
        share = (self.payment_id.int & 0xFFFF) / 0x10000 if is_in_crowd else 0.0
        return self._looked_at + self._interval * (1 + share * _LONGEST_DELAY)

    @property
    def wants_look(self) -> bool:
        """Whether any waiter needs a look."""
        return any(waiter.wants_look for waiter in self.waiters)

    def collectors_with(self, starters: Iterable[Collector]) -> Iterable[Collector]:
        """The collectors of all present waiters, and ``starters``, for whom the look was started."""
        waiting = (each for waiter in self.waiters for each in waiter.collectors)
        return dict.fromkeys((*starters, *waiting))

    def stop_timer(self) -> None:
        """Cancels the timer of the next look."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
