"""Which page to ask for next, and what to do with an answer. Pure: no I/O, no asyncio.

The `Ledger` knows what is due and what an answer proves; the planner turns that into requests. In the
ordinary case it names page after page and every answer is delivered. Otherwise:

* an answer begins behind the frontier (it was given before an arrival that the one before it already
  shows): it is held, and the page on which the frontier stands now is asked for first;
* an answer contradicts what was delivered: nothing of it is used, everything under way is dropped,
  and the keys delivered last are looked for (the anchor); what follows them is next, whatever the
  ranks say. A resumed read begins the same way;
* the snapshot does not end where the list ends (an earlier read's records, or on an oldest-first
  server later arrivals follow): its end is looked up once, before anything depends on it (the probe).

Each of these must make progress: after a dozen fruitless repairs or three contradictions in a row the
planner doubts, and the listing ends with an error. It asks for as many pages as there are, and at
most one more, that proves the end; and for about one more with each arrival between two answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import chain, compress
from typing import Any

from paywint_async._pagination.ledger import Answer, Ledger
from paywint_async._pagination.position import Order, Position
from paywint_async._pagination.verdict import Action, Doubt, Verdict

_NEIGHBOURS = (0, 1, -1, 2, -2, 3, -3)  # where something is looked for, around its expected page
_PATIENCE = 12  # fruitless repairs in a row; a contradiction weighs as much as four of them
_CONTRADICTION = 4


class _Mode(Enum):
    START = "waiting for the first answer, which fixes the snapshot"
    ANCHOR = "looking for the keys delivered last"
    PROBE = "looking for the snapshot's far end"
    STREAM = "taking answers in page order"


_DROP, _HOLD, _RESET = (Verdict(a) for a in (Action.DROP, Action.HOLD, Action.RESET))


class Planner:
    """One read of one list.

    Args:
        rows: records a page.
        start: where an earlier read stopped; where that one was finished, only what is new is read.
        limit: how many records are wanted at most; None: the whole snapshot. 0: none is asked for,
            and the position stays the one given.
    """

    def __init__(self, rows: int, start: Position | None = None, limit: int | None = None) -> None:
        self._ledger = Ledger(rows, start)
        self._start = start
        self._limit = limit
        self._mode = _Mode.START
        self._total = self._ledger.snapshot  # the list's total, as far as it is known
        self._drift = 0  # how many payments arrived while the last fruitless request was under way
        self._last_page = 0
        self._repair: int | None = 1
        self._sought: int | None = None
        self._fruitless = 0
        self._tried: set[int] = set()
        self._searched: list[int] = []
        self._is_second_first = True
        self._candidate: tuple[int, int] | None = None  # an offset, and the total it is true of
        self._claim = 0  # by how many ranks the latest anchor would move the frontier
        self._is_extended = False
        self._end_is_seen = False
        self._shows_news = False  # the first answer, at its head
        self._last_answer: Answer | None = None  # oldest first: kept from the probe to the end
        if start is not None and limit != 0:
            self._continue(start)

    def _continue(self, start: Position) -> None:
        if not start.is_finished:
            self._seek(_Mode.ANCHOR)
        elif start.order is Order.OLDEST_FIRST:
            self._extend()
        else:
            self._ledger.reopen()

    # -- what the fetcher asks -------------------------------------------------------------------

    @property
    def order(self) -> Order:
        """The server's order, as far as it is known."""
        return self._ledger.order

    @property
    def handed(self) -> int:
        """How many records this read has delivered, earlier ones not counted."""
        return self._ledger.handed

    @property
    def total(self) -> int | None:
        """How many records the snapshot has above its floor; None before the first answer."""
        is_resting = self._limit == 0 and self._start is not None
        return self._ledger.expected if is_resting or self._mode is not _Mode.START else None

    @property
    def undelivered(self) -> int:
        """How many records of the snapshot have not been delivered."""
        return max(0, self._ledger.undelivered)

    @property
    def doubtful_ranks(self) -> tuple[int, int]:
        """The highest and the lowest rank that may be missing or moved, if the read ends here."""
        shifted_at = self._ledger.shifted_at
        return max(shifted_at or self._ledger.remaining, 1), self._ledger.floor + 1

    @property
    def is_complete(self) -> bool:
        """True once nothing more has to be asked."""
        if self._limit is not None and self.handed >= self._limit:
            return True
        if self._mode is not _Mode.STREAM or self._ledger.remaining:
            return False
        return self._end_is_seen or self._ends_before_the_list

    @property
    def _ends_before_the_list(self) -> bool:
        return bool(self._ledger.floor) or self._ledger.is_oldest_first

    def take_repair(self) -> int | None:
        """The page that has to be asked for before anything else, told once; or None."""
        page, self._repair = self._repair, None
        if page is not None:
            self._sought = page
        return page

    def next_page(self, *, is_idle: bool) -> int | None:
        """The next page worth asking for, or None; ``is_idle``: nothing is under way or held."""
        if self._mode is not _Mode.STREAM or self.is_complete:
            return None
        if is_idle:
            page = self._sought = self._frontier_page()
        else:
            page, kept = max(self._frontier_page(), self._last_page + 1), self._last_answer
            if page > self._last_needed_page() or (kept and page >= kept.page_no):
                return None
        self._last_page = page
        return page

    def position(self, unhanded: int = 0) -> Position | None:
        """Where the read stands, ``unhanded`` of the last records not counted as delivered."""
        is_unread = self.handed == 0 and (self._start is not None or self._ledger.remaining > 0)
        if self._mode is _Mode.START or (is_unread and self._ledger.floor_problem is None):
            return self._start
        return self._ledger.position(unhanded)

    def conclude(self) -> None:
        """Raises Doubt where the read is over but does not add up."""
        problem = None if self._ledger.remaining else self._ledger.final_problem()
        if problem is not None:
            self._ledger.is_told = True
            raise Doubt(problem)

    def accept(self, answer: Answer) -> Verdict:
        """What is to be done with an answer; that may change what is asked next.

        Raises:
            Doubt: after repeated attempts to prove continuity.
        """
        is_sought, self._sought = answer.page_no == self._sought, None
        if is_sought:
            self._drift = max(0, answer.total - self._total)
        self._total = answer.total if is_sought else max(self._total, answer.total)
        if not self._ledger.fits(answer):
            return self._contradict(answer, "its length does not fit its total")
        verdict = self._judge(answer)
        if verdict.records:
            self._fruitless = self._drift = 0
        elif is_sought and not self.is_complete:
            self._lose_patience(1, "payments arrive faster than they can be read")
        is_ahead = verdict.action is Action.HOLD and is_sought and self._mode is _Mode.STREAM
        return _DROP if is_ahead else verdict

    # -- the modes -------------------------------------------------------------------------------

    def _judge(self, answer: Answer) -> Verdict:
        if self._mode is _Mode.START:
            return self._first(answer)
        if self._mode is _Mode.ANCHOR:
            return self._look_for_anchor(answer)
        if self._mode is _Mode.PROBE:
            return self._look_for_end(answer)
        was_unknown = self.order is Order.UNKNOWN
        if was_unknown and self._ledger.detect_order(answer) is Order.OLDEST_FIRST:
            self._seek(_Mode.PROBE)  # so far the two orders agreed; now the end is somewhere else
            return _RESET
        if self._ledger.is_undecided and answer.total != self._ledger.snapshot:
            self._seek(_Mode.ANCHOR)  # only the place of what was delivered tells on which side
            return _RESET
        return self._stream(answer)

    def _first(self, answer: Answer) -> Verdict:
        self._ledger.detect_order(answer)
        if self._ledger.floor and self._continues_oldest_first(answer):
            self._ledger.order = Order.OLDEST_FIRST
            self._extend()
            return self._look_for_anchor(answer) if self._ledger.find_last(answer) else _DROP
        self._ledger.open(answer.total)
        self._shows_news = not {*answer.keys[:1]} <= {*self._ledger.floor_head}
        self._last_page = 1
        is_hearsay = self._is_hearsay(self._ledger.claim_floor(answer), answer)
        if self._ends_before_the_list and (is_hearsay or not self._ledger.find_end(answer)):
            self._seek(_Mode.PROBE)
            # Oldest first, a deletion before the probe would shift rows unseen: read all after it.
            self._last_page = 0 if self._ledger.is_oldest_first else 1
            return _RESET if self._ledger.is_oldest_first else _HOLD
        self._mode = _Mode.STREAM
        return self._stream(answer)

    def _continues_oldest_first(self, answer: Answer) -> bool:
        """Whether a read that left the order unknown has arrivals behind its end, not before it."""
        if self._ledger.order is not Order.UNKNOWN:
            return self._ledger.is_oldest_first
        start = self._start
        if start is None or start.floor or not answer.keys or answer.keys[0] not in start.head:
            return False  # arrivals were seen, or are, before the head
        is_still = answer.keys[0] == start.head[0] and answer.total == start.snapshot
        return not is_still or answer.total == len(answer.keys)

    def _stream(self, answer: Answer) -> Verdict:
        skip = self._ledger.frontier(answer.total) - self._ledger.offset_of(answer.page_no)
        if skip < 0:
            self._repair = self._frontier_page()
            return _HOLD
        due = max(0, min(len(answer.keys) - skip, self._ledger.remaining))
        if self._limit is not None:
            due = min(due, self._limit - self.handed)
        fresh = answer.keys[skip : skip + due]
        problem = self._ledger.problem(answer, skip, fresh)
        if problem is not None:
            return self._contradict(answer, problem)
        if answer.total < answer.page_no * self._ledger.rows:
            self._end_is_seen = True
        if not due:
            return self._and_kept(()) if self._last_answer else _DROP
        records, shown = answer.records[skip : skip + due], fresh
        # What the earlier read has delivered, should it stand above the floor now.
        if (moved := self._ledger.floor_head) and not set(moved).isdisjoint(fresh):
            is_new = [key not in moved for key in fresh]
            fresh, records = list(compress(fresh, is_new)), list(compress(records, is_new))
            self._ledger.withhold(shown, fresh)
        self._ledger.deliver(shown, fresh, answer.times[skip + due - 1])
        return self._and_kept(records)

    def _and_kept(self, records: Sequence[Any]) -> Verdict:
        kept = self._last_answer
        if kept is None or self._ledger.frontier(kept.total) < self._ledger.offset_of(kept.page_no):
            return Verdict(Action.DELIVER, records)
        self._last_answer = None
        return Verdict(Action.DELIVER, [*records, *self._stream(kept).records])

    def _contradict(self, answer: Answer, problem: str) -> Verdict:
        self._lose_patience(_CONTRADICTION, f"page {answer.page_no}: {problem}")
        self._last_answer = None
        if self._mode is not _Mode.STREAM:
            self._repair = answer.page_no
        elif self._ledger.recent:
            self._seek(_Mode.ANCHOR)
        else:
            self._mode, self._repair = _Mode.START, 1
        return _RESET

    def _lose_patience(self, weight: int, problem: str) -> None:
        self._fruitless += weight
        if self._fruitless > _PATIENCE:
            raise Doubt(problem)

    # -- pages -----------------------------------------------------------------------------------

    def _frontier_page(self) -> int:
        # After a fruitless request, as many more arrivals are expected as came during that one.
        return self._ledger.page_of(self._ledger.frontier(self._total + self._drift))

    def _last_needed_page(self) -> int:
        offset = self._ledger.frontier(self._total)
        end = offset + self._ledger.remaining - (1 if self._ends_before_the_list else 0)
        if self._limit is not None:
            end = min(end, offset + self._limit - self.handed - 1)
        return self._ledger.page_of(end)

    # -- errands: one page at a time, until something is found -----------------------------------

    def _seek(self, mode: _Mode) -> None:
        self._mode, self._searched = mode, []
        self._search()

    def _extend(self) -> None:
        self._is_extended = True
        self._ledger.extend()
        self._seek(_Mode.ANCHOR)

    def _search(self) -> None:
        expected = self._expected_pages()
        if self._searched != expected:  # what was looked at before may have moved since
            self._tried.clear()
            self._searched = expected
            self._is_second_first = not self._is_second_first  # each guess gets its turn
        self._candidate = None
        last = self._ledger.page_of(self._total)
        around = (expected[0] + step for step in _NEIGHBOURS)
        pages = chain(expected[::-1] if self._is_second_first else expected, around)
        page = next((p for p in pages if 1 <= p <= last and p not in self._tried), None)
        if page is None:
            raise Doubt("the payments read last are not in this history (another account's?)")
        self._tried.add(page)
        self._repair = page

    def _expected_pages(self) -> list[int]:
        """Where what is looked for should stand; more than one page while the order is unknown."""
        ledger = self._ledger
        if self._mode is _Mode.PROBE:
            end = ledger.snapshot - 1 if ledger.is_oldest_first else self._total - ledger.floor
            return [ledger.page_of(end)]
        back = 0 if ledger.due else 1
        expected = [ledger.page_of(ledger.frontier(self._total) - back)]
        if ledger.is_undecided:
            expected.append(ledger.page_of(ledger.snapshot - ledger.remaining - back))
        return expected

    def _look_for_anchor(self, answer: Answer) -> Verdict:
        ledger = self._ledger
        if ledger.due and (offset := ledger.find_due(answer)) is not None:
            return self._resume_at(offset, answer)
        found = ledger.find_last(answer)
        offset, total = self._candidate or (0, -1)
        if found:
            offset = ledger.offset_of(answer.page_no) + found[-1] + 1
        elif answer.total != total:
            self._search()
            return _DROP
        is_last = not found or answer.keys[found[-1]] == ledger.recent[-1]
        if not is_last and found[-1] == ledger.rows - 1:  # the very last may be on the next page
            self._candidate, self._repair = (offset, answer.total), answer.page_no + 1
            return _DROP
        if self._is_extended:
            ledger.check_extension(offset, answer)
        elif self._is_hearsay(ledger.claim(offset, answer), answer):
            return _DROP
        ledger.forget_missing([answer.keys[index] for index in found])
        return self._resume_at(offset, answer)

    def _is_hearsay(self, claim: int, answer: Answer) -> bool:
        """Whether to ask for the page again: ranks do not move on one answer's word."""
        if not claim or claim == self._claim:
            return False
        self._claim, self._repair = claim, answer.page_no
        return True

    def _resume_at(self, offset: int, answer: Answer) -> Verdict:
        if not self._ledger.anchor(offset, answer, is_extended=self._is_extended):
            raise Doubt("fewer payments are left than were already read")
        self._is_extended, self._repair, self._last_page = False, None, answer.page_no
        self._claim = 0
        is_open = self._ledger.is_oldest_first and self._ledger.tail is None
        if is_open and self._ledger.remaining and not self._ledger.find_end(answer):
            self._seek(_Mode.PROBE)
            return _HOLD
        self._mode = _Mode.STREAM
        verdict = self._stream(answer)
        self._ledger.is_anchored = False  # it was true of this answer only
        return verdict

    def _look_for_end(self, answer: Answer) -> Verdict:
        if self._is_hearsay(self._ledger.claim_floor(answer), answer):
            return _DROP
        if self._ledger.find_end(answer):
            self._mode = _Mode.STREAM
            self._last_answer = answer if self._ledger.is_oldest_first else None
            if self._shows_news and not self._ledger.remaining:
                return self._contradict(answer, "page 1 shows new payments, and its total none")
        else:
            self._search()
        return _DROP
