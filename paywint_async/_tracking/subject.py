"""One payment that is waited for: how it was last seen, by whom it is awaited, when to look."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from contextvars import copy_context
from uuid import UUID

from paywint_async._middleware.answers import Collector, collectors_of_context
from paywint_async._models import Payment

_GROWTH = 1.5
_MAX_INTERVAL = 30.0  # seconds: a person who pays is watched closely, a forgotten link is not
_LONGEST_DELAY = 0.25  # of an interval, to spread a crowd
WOKEN, NEW, AGAIN = LINES = range(3)  # where a payment stands that is due, the most urgent first


class Waiter:
    """One who waits for a payment to be anything else than ``seen`` (None: not seen yet)."""

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
        """Whether it still waits for a look; a final payment changes no more."""
        return not (self.future.done() or self.has_seen_the_end)

    @property
    def has_seen_the_end(self) -> bool:
        """Whether it waits for nothing but to be woken."""
        return self.seen is not None and self.seen.status.is_final

    def tell(self, outcome: Payment | BaseException | None) -> None:
        """Ends the waiting, where it has not ended yet."""
        # Never as the future's exception: if the waiter is cancelled in the same turn, asyncio would
        # complain that nobody retrieved it.
        if not self.future.done():
            self.future.set_result(outcome)


class Subject:
    """One payment as it was last seen, and who waits for it; kept while somebody holds it.

    The wait after a look is ``poll`` seconds at first, then each time 1.5 times longer, 30 s at most.
    The most impatient of those who have joined decides.
    """

    def __init__(self, payment_id: UUID) -> None:
        self.payment_id = payment_id
        self.seen: Payment | None = None
        self.waiters: dict[Waiter, None] = {}  # in the order in which they came
        self.holders = 0  # watches that may wait for it again; a look goes on for them
        self.timer: asyncio.TimerHandle | None = None
        self.look: asyncio.Task[Payment] | None = None
        self.place = NEW  # in which line, once it is due
        self.is_woken = False  # during a look, which may have been answered before the change
        self._looked_at = -math.inf
        self._interval = 0.0
        self._poll = self._next_interval = math.inf

    def join(self, poll: float, *, within: float) -> None:
        """Someone begins to wait, whose first look is at most ``within`` seconds old."""
        self._poll = min(self._poll, poll)
        self._next_interval = min(self._next_interval, poll)
        self._interval = min(self._interval, within)

    def hurry(self) -> None:
        """The next look is due, and the intervals grow anew."""
        self.place = WOKEN
        self._looked_at = -math.inf
        self._next_interval = self._poll

    def note(self, now: float) -> None:
        """A look has ended."""
        self.place = AGAIN
        self._looked_at, self._interval = now, self._next_interval
        longest = max(_MAX_INTERVAL, self._poll)
        self._next_interval = min(self._next_interval * _GROWTH, longest)

    def due_at(self, *, is_in_crowd: bool) -> float:
        """When to look next. In a crowd, later by a share told from the id, the same each time."""
        share = (self.payment_id.int & 0xFFFF) / 0x10000 if is_in_crowd else 0.0
        return self._looked_at + self._interval * (1 + share * _LONGEST_DELAY)

    @property
    def wants_look(self) -> bool:
        """Whether anybody waits for a look."""
        return any(waiter.wants_look for waiter in self.waiters)

    def collectors_with(self, starters: Iterable[Collector]) -> Iterable[Collector]:
        """Those of everybody who waits now, and ``starters``, for whom the look was started."""
        waiting = (each for waiter in self.waiters for each in waiter.collectors)
        return dict.fromkeys((*starters, *waiting))

    def stop_timer(self) -> None:
        """Looks at no set time."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
