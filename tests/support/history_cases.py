"""Random histories with a random span of each, for tests of how spans are read."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from history_model import EPOCH, History, Reader, Reading

from paywint_async._pagination.position import Span

SIZES = (0, 1, 2, 9, 10, 11, 19, 20, 30, 55, 100, 143, 400)
ROWS = 10


class Case:
    """A random history, and a random span of it; without a span, the whole history."""

    def __init__(self, seed: int, *, is_oldest_first: bool, is_whole: bool = False) -> None:
        self.random = random = Random(seed)
        ties = random.choice((1, 1, 1, 2, 3, 25, 500))
        self.history = RecordedHistory(
            random.choice(SIZES), is_oldest_first=is_oldest_first, ties=ties
        )
        if random.random() < 0.3:
            self._make_gaps()
        self.span = None if is_whole else self._choose_span()

    def _make_gaps(self) -> None:
        history = self.history
        gaps = sorted(self.random.sample(range(1, history.born + 2), min(3, history.born)))
        for key in history.times:
            history.times[key] += timedelta(hours=sum(gap <= key for gap in gaps))
        history.delay = timedelta(hours=len(gaps))

    def _choose_span(self) -> Span:
        times = sorted(set(self.history.times.values())) or [EPOCH]
        since, until = self._choose_time(times), self._choose_time(times)
        if since and until and until < since:
            since, until = until, since
        return Span(since=times[0] if since is until is None else since, until=until)

    def _choose_time(self, times: list[datetime]) -> datetime | None:
        random = self.random
        before, behind = times[0] - timedelta(seconds=1), times[-1] + timedelta(seconds=1)
        fraction = timedelta(milliseconds=random.choice((0, 0, 0, 500)))
        inside = [random.choice(times) + fraction for _ in range(6)]
        return random.choice([None, None, before, behind, *inside])

    def within(self, keys: list[int]) -> list[int]:
        times, span = self.history.times, self.span
        return [key for key in keys if span is None or span.contains(times[key])]

    def read(self, kinds: tuple[str, ...] = (), **settings: object) -> Reading:
        window, rate = self.random.choice((1, 2, 4, 8)), self.random.choice((0.02, 0.1, 0.3))
        options: dict[str, object] = {"span": self.span, "window": window, "change_rate": rate}
        options |= settings
        return Reader(self.history, self.random, rows=ROWS, kinds=kinds, **options).read()  # type: ignore[arg-type]

    def is_exact(self, reading: Reading) -> bool:
        """Whether the span's payments at some moment before the first delivery were read once each."""
        if reading.is_exact:
            return True
        # Oldest first, a payment that an insertion or a deletion pushed beyond the first answer's
        # total looks like a later arrival, and is delivered by the next read.
        delivered = sorted(reading.delivered)
        return self.history.is_oldest_first and any(
            delivered == sorted(self.within(state[:total]))
            for state in self.history.states
            for total in self.history.totals
        )

    @property
    def has_begun_moved(self) -> bool:
        """Whether a payment was out of order in the first answer."""
        times = [self.history.times[key] for key in self.history.states[0]]
        return times not in (sorted(times), sorted(times, reverse=True))

    @property
    def begins_with_one_time(self) -> bool:
        """Whether the first page shows no order, so that a wrong answer can hide it until times fall."""
        return len({self.history.times[key] for key in self.history.states[0][:ROWS]}) == 1

    @property
    def has_one_time(self) -> bool:
        """Whether no page shows the order; `exactly-once.md` names the wrong answer this leaves open."""
        return len(set(self.history.times.values())) <= 2


class RecordedHistory(History):
    """Records the list and its total at each answer."""

    def __post_init__(self) -> None:
        self.states: list[list[int]] = []
        self.totals: set[int] = set()
        super().__post_init__()

    def answer(self, page_no: int, rows: int):  # type: ignore[no-untyped-def]
        answer = super().answer(page_no, rows)
        self.states.append(self.seen)
        self.totals.add(answer.total)
        return answer
