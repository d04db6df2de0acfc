"""Random histories with one change of the list, and arrivals that move pages by whole pages or nearly.

A shift of ranks shows where two pages overlap. So the dangerous moments are those in which the arrivals
and the change together move the list by exactly a page, which changes at random rates seldom do.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from history_cases import RecordedHistory
from history_model import Reader, Reading

from paywint_async._pagination.position import Span


class ScheduledHistory(RecordedHistory):
    """Changes right before chosen answers: ``schedule`` has the changes by the answer's number."""

    def __post_init__(self) -> None:
        self.schedule: dict[int, list[tuple[str, int]]] = {}
        self.answers = 0
        self.moved: set[int] = set()
        super().__post_init__()

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        self.answers += 1
        for kind, value in self.schedule.get(self.answers, ()):
            self._apply(kind, value)
        return super().answer(page_no, rows)

    def _apply(self, kind: str, value: int) -> None:
        if kind == "arrive":
            for _ in range(value):
                self.insert()
        elif kind == "total":
            self.total_error = value
        elif value < len(self.keys):
            if kind == "delete":
                del self.keys[value]
            elif kind == "insert":
                self.insert(value)
            else:
                self.moved.add(self.keys[value])
                self.keys.append(self.keys.pop(value))


class OneChange:
    """A random history, a span of it or all of it, and a schedule with at most one change."""

    def __init__(self, seed: int, *, is_oldest_first: bool, is_time_ordered: bool = False) -> None:
        self.random = random = Random(seed)
        self.is_time_ordered, self.is_upwards = is_time_ordered, is_oldest_first or is_time_ordered
        self.rows, size = random.choice((3, 5, 10)), random.choice((7, 20, 31, 60, 100, 200))
        ties = random.choice((1, 1, 1, 2, 5))
        self.history = ScheduledHistory(size, is_oldest_first=is_oldest_first, ties=ties)
        low, high = sorted(random.randrange(size) for _ in range(2))
        self.places = (0, low, high, size)
        self.span = self._choose_span(low, high)
        self._schedule()

    def _choose_span(self, low: int, high: int) -> Span | None:
        times = list(self.history.times.values())
        since = times[low] if self.random.random() < 0.8 else None
        until = times[high] + timedelta(milliseconds=1) if self.random.random() < 0.6 else None
        return None if since is until is None else Span(since=since, until=until)

    def _schedule(self) -> None:
        random, rows, schedule = self.random, self.rows, self.history.schedule
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            arrivals = random.choice((1, 2, rows - 1, rows, rows + 2, 3 * rows))
            moment = random.choice((random.randrange(1, 20), random.randrange(1, 8)))
            schedule.setdefault(moment, []).append(("arrive", arrivals))
        moment = random.randrange(2, random.choice((20, 12, 6)))
        # Ranks upwards, no client sees a deletion together with an arrival, and a move is both.
        kind = random.choice(("delete", "delete" if self.is_upwards else "move", "insert", "total"))
        place = random.choice(self.places) + random.randrange(-rows, rows)
        value = random.choice((-1, 1)) if kind == "total" else max(0, place)
        changes = schedule.setdefault(moment, [])
        if kind == "delete" and (self.is_upwards or moment == 2):
            changes.clear()
        changes.insert(random.randrange(len(changes) + 1), (kind, value))

    def read(self, **settings: object) -> Reading:
        return Reader(
            self.history,
            self.random,
            rows=self.rows,
            window=self.random.choice((1, 1, 2, 4)),
            span=self.span,
            is_time_ordered=self.is_time_ordered,
            **settings,  # type: ignore[arg-type]
        ).read()

    def within(self, keys: list[int]) -> list[int]:
        times, span = self.history.times, self.span
        return [key for key in keys if span is None or span.contains(times[key])]

    def lost(self, delivered: list[int]) -> set[int]:
        """What each answer could have shown, but was not delivered.

        In a span, a moved payment may stand out of order on a page that no read visits.
        """
        states = self.history.states
        always = {*states[0]}.intersection(*states)
        moved = self.history.moved if self.span else set()
        return {*self.within([*always])} - {*delivered} - moved

    @property
    def has_one_time(self) -> bool:
        """Whether the order shows nowhere, or at one place; ranks upwards, not on the first page."""
        times, first = self.history.times, self.history.states[0][: self.rows]
        return len({*times.values()}) <= 2 or (
            self.history.is_oldest_first and len({times[key] for key in first}) == 1
        )
