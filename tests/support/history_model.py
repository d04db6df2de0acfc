"""A history that changes while it is read, and a reader that drives the planner against it.

It uses no asyncio and no HTTP: a random source decides when requests are answered, so that every
interleaving of answers and changes can occur, and a run can be repeated from its seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from paywint_async._pagination.decision import ContinuityError, PageAnswer
from paywint_async._pagination.oldest_first import make_planner
from paywint_async._pagination.position import Position, Selection, Span

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
CHANGES = ("insert", "delete", "move", "backdate", "flicker", "lag", "repeat")


@dataclass
class History:
    """The server's list: keys oldest first, each with its time; single answers can be wrong."""

    size: int
    is_oldest_first: bool = False
    ties: int = 1  # the number of payments with the same time
    delay: timedelta = timedelta()  # added to the times of payments inserted later
    keys: list[int] = field(default_factory=list)
    times: dict[int, datetime] = field(default_factory=dict)
    born: int = 0
    total_error: int = 0
    lag: list[int] | None = None
    repeats_page: int | None = None
    has_repeated: bool = False
    before: list[int] = field(default_factory=list)  # the list that a lagging replica shows
    seen: list[int] = field(default_factory=list)
    arrivals: int = 0  # the number of payments that arrive before each answer
    asked: list[int] = field(default_factory=list)  # page numbers, in order of the requests

    def __post_init__(self) -> None:
        for _ in range(self.size):
            self.insert()
        self.before = self.listed()

    def insert(self, index: int | None = None) -> None:
        self.born += 1
        time = EPOCH + self.delay + timedelta(seconds=self.born // self.ties)
        if index is not None and self.keys:
            time = self.times[self.keys[min(index, len(self.keys) - 1)]]
        self.times[self.born] = time
        self.keys.insert(len(self.keys) if index is None else index, self.born)

    def change(self, kind: str, random: Random) -> None:
        before = self.listed()
        self._change(kind, random)
        if kind != "lag":
            self.before = before

    def _change(self, kind: str, random: Random) -> None:
        if kind == "insert":
            for _ in range(random.choice((1, 1, 1, 2, 5, 13))):
                self.insert()
        elif kind == "insert one":
            self.insert()
        elif kind == "backdate":
            self.insert(random.randrange(len(self.keys) + 1))
        elif kind == "delete" and self.keys:
            del self.keys[random.randrange(len(self.keys))]
        elif kind == "move" and self.keys:
            self.keys.append(self.keys.pop(random.randrange(len(self.keys))))
        elif kind == "flicker":
            self.total_error = random.choice((-1, 1))
        elif kind == "lag":
            self.lag = self.before
        elif kind == "repeat" or (kind == "repeat once" and not self.has_repeated):
            self.repeats_page, self.has_repeated = 1, True

    def listed(self) -> list[int]:
        return self.keys[:] if self.is_oldest_first else self.keys[::-1]

    def answer(self, page_no: int, rows: int) -> PageAnswer:
        self.asked.append(page_no)
        for _ in range(self.arrivals):
            self.insert()
        self.seen = keys = self.listed() if self.lag is None else self.lag
        total = max(0, len(keys) + self.total_error)
        if self.repeats_page is not None and page_no > 1:
            page_no_shown = page_no - 1
        else:
            page_no_shown = page_no
        self.total_error, self.lag, self.repeats_page = 0, None, None
        shown = keys[(page_no_shown - 1) * rows : page_no_shown * rows]
        return PageAnswer(page_no, total, shown, shown, [self.times[key] for key in shown])


@dataclass
class Reading:
    """The result of one read."""

    delivered: list[int]
    snapshots: list[list[int]]
    doubt: str | None
    position: Position | None
    requests: int
    is_oldest_first: bool
    total: int | None = None
    is_disordered: bool = False  # as a `DisorderEvent` reports

    @property
    def is_exact(self) -> bool:
        """Whether every payment of some snapshot was delivered once."""
        size = len(self.delivered)
        if self.is_oldest_first:  # of a later snapshot, only its first rows
            fits = any(size == len(snapshot) for snapshot in self.snapshots)
            return fits and any(sorted(self.delivered) == sorted(s[:size]) for s in self.snapshots)
        return any(sorted(self.delivered) == sorted(snapshot) for snapshot in self.snapshots)


@dataclass
class Slot:
    page_no: int
    answer: PageAnswer | None = None


class Reader:
    """Reads a history through a planner, with a window of requests answered in random order."""

    def __init__(
        self,
        history: History,
        random: Random,
        *,
        rows: int,
        window: int,
        kinds: tuple[str, ...] = (),
        change_rate: float = 0.2,
        start: Position | None = None,
        stop_after: int | None = None,
        limit: int | None = None,
        span: Span | None = None,
        is_time_ordered: bool = False,
        on_delivered: Callable[[History, int], None] = lambda history, delivered: None,
    ) -> None:
        self.on_delivered = on_delivered
        self.history, self.random, self.rows, self.window = history, random, rows, window
        self.kinds, self.change_rate, self.stop_after = kinds, change_rate, stop_after
        self.span = span
        selection = Selection(span=span, is_oldest_first=is_time_ordered)
        selection = start.selection if start else selection
        self.planner = make_planner(rows, selection, start, limit)
        self.ask_first = self.planner.first_page
        self.slots: deque[Slot] = deque()
        self.requests = 0
        self.snapshots: list[list[int]] = []  # the list at each of the first answers
        self.delivered: list[int] = []
        self.total: int | None = None  # before the first delivery

    def read(self) -> Reading:
        doubt = None
        try:
            while not self.planner.is_complete and not self._is_stopped:
                self._ask()
                self._let_time_pass()
                self._take()
            if not self._is_stopped:
                self.planner.conclude()
        except ContinuityError as error:
            doubt = str(error)
        unhanded = max(0, len(self.delivered) - self.stop_after) if self._is_stopped else 0
        delivered = self.delivered[: len(self.delivered) - unhanded]
        position = self.planner.position(unhanded)
        return Reading(
            delivered,
            self.snapshots,
            doubt,
            position,
            self.requests,
            self.history.is_oldest_first,
            self.total,
            self.planner.progress.is_disordered,
        )

    @property
    def _is_stopped(self) -> bool:
        return self.stop_after is not None and len(self.delivered) >= self.stop_after

    def _ask(self) -> None:
        page_no, self.ask_first = self.ask_first, None
        if page_no is not None:
            self._request(page_no, first=True)
        while len(self.slots) < self.window:
            page_no = self.planner.take_next_page(is_idle=not self.slots)
            if page_no is None:
                break
            self._request(page_no)
        assert self.slots, "the planner is not complete, but requests no page"

    def _request(self, page_no: int, *, first: bool = False) -> None:
        self.requests += 1
        assert self.requests < 5_000, "the planner does not finish"
        (self.slots.appendleft if first else self.slots.append)(Slot(page_no))

    def _let_time_pass(self) -> None:
        """Makes changes and answers in random order, until the first request is answered."""
        while self.slots[0].answer is None:
            if self.kinds and self.random.random() < self.change_rate:
                self.history.change(self.random.choice(self.kinds), self.random)
            else:
                slot = self.random.choice([slot for slot in self.slots if slot.answer is None])
                slot.answer = self.history.answer(slot.page_no, self.rows)
                if not self.delivered and (
                    self.planner.total is None or self.history.is_oldest_first
                ):
                    seen = self.history.seen
                    is_oldest_first = self.history.is_oldest_first
                    # Oldest first, payments beyond the total look like later arrivals.
                    self._note_snapshot(seen[: slot.answer.total] if is_oldest_first else seen)

    def _note_snapshot(self, seen: list[int]) -> None:
        span, times = self.span, self.history.times
        self.snapshots.append(
            seen if span is None else [key for key in seen if span.contains(times[key])]
        )

    def _take(self) -> None:
        slot = self.slots.popleft()
        assert slot.answer is not None
        decision = self.planner.accept(slot.answer)
        if decision.drop_window:
            self.slots.clear()
        if decision.offer is not None:
            self.slots.appendleft(Slot(decision.offer.page_no, decision.offer))
        self.ask_first = decision.ask_first
        if not self.delivered:
            self.total = self.planner.total
        self.delivered.extend(decision.records)
        if decision.records:
            self.on_delivered(self.history, len(self.delivered))


def read(
    history: History, start: Position | None = None, *, rows: int = 10, window: int = 1
) -> Reading:
    """One read; without a window of several pages, its requests are answered in their order."""
    return Reader(history, Random(0), rows=rows, window=window, start=start).read()


def stopped_after(history: History, count: int) -> Position:
    """The position of a read that stopped after so many payments."""
    position = Reader(history, Random(0), rows=10, window=1, stop_after=count).read().position
    assert position is not None
    return position
