"""Decides which page to request next, and what to do with an answer. Pure: no I/O, no asyncio.

**The invariant.** A record's *rank* counts from the oldest (1), so arrivals never change it. A read
delivers a *snapshot*: the records of the first answer, whose total is its highest rank, down to the
*low watermark*, the highest rank that an earlier read has delivered (else 0). At any moment all but
`remaining` ranks of it are delivered, without a gap, and the record due next stands at *offset*
`total - low_watermark - remaining` of the server's list (0 is its first record), whatever arrived::

    newest first   | arrivals | delivered | due next … remaining | earlier read |
    offset         0                      ^ next_offset                         total
    rank           total      snapshot                           low_watermark  1

An oldest-first server lists ranks upwards: arrivals are appended, the offset is the rank minus one, the
record due next stands at offset `snapshot - remaining`, and the read ends at a record looked up before,
the `tail`. `oldest_first` reads a newest-first list in that way, from its end.

**The proof.** An answer to page p of R rows shows the offsets from (p - 1)·R on. Its records from
next_offset on are delivered only if the page is as long as its total says, the keys it shows before
next_offset are those delivered last, none of the others is remembered as delivered (the last 300 to 1,000
are), and the times on both sides of next_offset are in the list's order. A page that begins at
next_offset overlaps nothing: its total must not be above that of the newest answer that agreed with what
was delivered, else the page before it is requested first. Then the records follow without a gap: none is
lost, and none is delivered twice. A deletion or insertion among the records not yet read shifts ranks
unnoticed, until the end: as many records must have been delivered as the first answer counted, and the
last key of ranks read upwards must be the one seen at the end. See docs/exactly-once.md for the limits.

**The phases**, each a generator that yields decisions and is sent the answers:

* `_open`: the first page fixes the snapshot;
* `_anchor`: where a read is resumed, or an answer contradicts what was delivered, the keys delivered
  last are looked up; the record after them is due next. If that shifts ranks, a second answer must agree;
* `_probe`: where other records follow the snapshot, its end is looked up;
* `_stream`: page after page. An answer that begins after next_offset waits: arrivals have pushed the
  record due next onto an earlier page, which is requested first. An answer that contradicts is not used.

A read needs one request per page, one where the last page is full (oldest first: to look up the end),
and about one per arrival between two answers. It fails after twelve fruitless requests in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias

from paywint_async._pagination.decision import ContinuityError, Contradiction, Decision, PageAnswer
from paywint_async._pagination.lookup import pages_around
from paywint_async._pagination.position import Key, Order, Position, page_of
from paywint_async._pagination.progress import Progress

Steps: TypeAlias = Generator[Decision, PageAnswer, PageAnswer]
Found: TypeAlias = Generator[Decision, PageAnswer, tuple[PageAnswer, int] | None]

_PATIENCE = 12  # fruitless requests in a row; a contradiction counts as four of them
_CONTRADICTION = 4
_MISFIT = "its length does not fit its total"


class Planner:
    """One read of one list.

    Args:
        rows: records a page.
        start: where an earlier read stopped; if that one was finished, only newer records are read.
        limit: how many records are wanted at most; None: the whole snapshot. 0: no page is requested,
            and the position stays the one given.
    """

    _BLANK = Position()  # where a read begins

    def __init__(self, rows: int, start: Position | None = None, limit: int | None = None) -> None:
        self._rows, self._start, self._limit = rows, start, limit
        self.progress = Progress(start or self._BLANK)
        self._is_open = limit == 0 and start is not None  # whether the snapshot is known
        self._is_streaming = False
        self._is_seeking = False  # during a `SpanSearch`, which counts its own fruitless requests
        self._is_end_seen = False
        self._kept: PageAnswer | None = None  # oldest first: the probe's answer, the last page
        self._last_page = 0
        self._total = self._at.snapshot  # the list's total, as far as it is known
        self._agreed_total = 0  # of the newest answer that agreed with what was delivered
        self._drift = 0  # how many payments arrived while the last fruitless request was under way
        self._fruitless = 0
        self._is_outrun = False  # a page requested ahead showed only what was delivered
        self._is_sought = True  # the next answer was requested after all that is known
        self._steps = self._read()
        self.first_page = None if limit == 0 else next(self._steps).ask_first

    @property
    def _at(self) -> Position:
        return self.progress.at

    @property
    def total(self) -> int | None:
        """Number of records of the snapshot above the watermark; None before the first answer."""
        return self._at.expected if self._is_open else None

    @property
    def is_complete(self) -> bool:
        """True once nothing more has to be requested."""
        if self._limit is not None and self.progress.handed >= self._limit:
            return True
        at = self.progress.at
        if at.remaining or not self._is_streaming:
            return False
        return self._is_end_seen or at.ends_before_the_list

    def take_next_page(self, *, is_idle: bool) -> int | None:
        """Reserves the next page to request, if any; ``is_idle``: none is under way or waits."""
        if not self._is_streaming or self.is_complete:
            return None
        page = self._due_page()
        if is_idle:
            self._is_sought = True
        elif self._is_outrun:
            return None  # pages fetched ahead could always come too late: only the due one is requested
        else:
            step = -1 if self.progress.at.is_from_end else 1
            page = step * max(step * page, step * self._last_page + 1)
            kept = self._kept and page * step >= self._kept.page_no * step
            if kept or page * step > self._last_needed_page() * step:
                return None
        self._last_page = page
        return page

    def position(self, unhanded: int = 0) -> Position | None:
        """The position of the read; the last ``unhanded`` records do not count as delivered."""
        at = self._at
        is_unread = self.progress.passed == 0 and (self._start is not None or at.remaining > 0)
        if not self._is_open or (is_unread and not at.is_changed):
            return self._start
        return self.progress.position(unhanded)

    def accept(self, answer: PageAnswer) -> Decision:
        """Decides what to do with an answer, and what to request next.

        Raises:
            ContinuityError: after repeated attempts to prove continuity.
        """
        is_sought, fruitless, passed = self._is_sought, self._fruitless, self.progress.passed
        if is_sought:
            self._drift = max(0, answer.total - self._total)
        self._total = answer.total if is_sought else max(self._total, answer.total)
        if self.progress.at.is_from_end:
            answer = answer.read_from_end()
        decision = self._steps.send(answer)
        self._is_sought = decision.ask_first is not None
        is_wasted = is_sought and not self._is_seeking and fruitless == self._fruitless
        if self.progress.passed > passed:
            self._fruitless = self._drift = 0
            self._is_outrun = False
        elif is_wasted and not self.is_complete:
            self._lose_patience(1, "payments arrive faster than they can be read")
        elif not self._is_sought:
            self._is_outrun = True
        return decision

    def conclude(self) -> None:
        """Raises ContinuityError if the read is over, and its count or its last key is wrong."""
        if not self._at.remaining:
            self.progress.conclude()

    # -- pages -----------------------------------------------------------------------------------

    def _page_of(self, offset: int) -> int:
        return self._at.page_of(offset, self._total, self._rows)

    def _due_page(self, *, back: int = 0) -> int:
        # After a fruitless request, as many arrivals are expected during the next one as came in it.
        at, total = self.progress.at, self._total + self._drift
        return at.page_of(at.next_offset(total) - back, total, self._rows)

    def _last_needed_page(self) -> int:
        at = self.progress.at
        offset = at.next_offset(self._total)
        end = offset + at.remaining - (1 if at.ends_before_the_list else 0)
        if self._limit is not None:
            end = min(end, offset + self._limit - self.progress.handed - 1)
        return at.page_of(end, self._total, self._rows)

    def _pages_around(self, offsets: Callable[[int], list[int]]) -> Iterator[int]:
        return pages_around(
            lambda: [self._page_of(offset) for offset in offsets(self._total)],
            lambda: page_of(self._total, self._rows),
        )

    def _get(self, page_no: int) -> Steps:
        """Requests a single page, until one comes that is as long as its total says."""
        self._is_streaming = False
        while True:
            answer = yield Decision(drop_window=True, ask_first=page_no)
            if answer.fits(self._rows):
                self._is_streaming = True
                return answer
            self._lose_patience(_CONTRADICTION, f"page {page_no}: {_MISFIT}")

    def _lose_patience(self, weight: int, problem: str) -> None:
        self._fruitless += weight
        if self._fruitless > _PATIENCE:
            raise ContinuityError(problem)

    # -- the phases ------------------------------------------------------------------------------

    def _read(self) -> Generator[Decision, PageAnswer, None]:
        phase, disputed = self._begin(), None
        while True:
            try:
                answer = yield from phase
                yield from self._stream(answer, disputed)
            except Contradiction as contradiction:
                self._lose_patience(_CONTRADICTION, str(contradiction))
                self._kept, disputed = None, contradiction.key
                phase = self._resume(contradiction)

    def _resume(self, contradiction: Contradiction) -> Steps:
        """The phase that follows a contradiction."""
        is_begun = self.progress.known or self._at.is_ascending
        return self._anchor() if is_begun else self._open()

    def _begin(self) -> Steps:
        start = self._start
        self._is_open = start is not None
        if start is None:
            return self._open()
        if not start.is_finished:
            return self._anchor()
        if start.is_ascending:
            return self._extend(start)
        self.progress.begin(start.reopened())
        return self._open()

    def _open(self) -> Steps:
        self._is_open = False
        first = yield from self._get(1)
        self.progress.detect_order(first)
        return (yield from self._open_with(first))

    def _open_with(self, first: PageAnswer) -> Steps:
        if self._start and self._arrivals_are_behind(first, self._start):
            return (yield from self._extend(self._start, first))
        self.progress.at = at = self._at.opened(first.total)
        self._is_open, self._last_page = True, 1
        if not at.ends_before_the_list or (yield from self._probe(first)):
            return first
        if at.is_ascending:
            # A deletion before the probe would have shifted rows unnoticed: all pages are read after it.
            return (yield Decision())
        if not self._at.remaining and not {*first.keys[:1]} <= {*at.earlier_head}:
            raise Contradiction(first, "it shows new payments, and its total none")
        return (yield Decision(offer=first))

    def _arrivals_are_behind(self, first: PageAnswer, start: Position) -> bool:
        """Whether arrivals follow the records of a finished read that had not learned the order."""
        if not self._at.low_watermark or self._at.order is not Order.UNKNOWN:
            return self._at.low_watermark > 0 and self._at.is_ascending
        if start.low_watermark or not first.keys or first.keys[0] not in start.head:
            return False  # arrivals were seen, or are, before the head
        is_still = first.keys[0] == start.head[0] and first.total == start.snapshot
        return not is_still or first.total == len(first.keys)

    def _extend(self, start: Position, first: PageAnswer | None = None) -> Steps:
        """Continues after the last record of a finished read; oldest first."""
        self.progress.begin(start.extended())
        self._is_open = True
        return (yield from self._anchor(first, is_extension=True))

    def _anchor(self, answer: PageAnswer | None = None, *, is_extension: bool = False) -> Steps:
        pages, claimed = self._pages_around(self._at.anchor_offsets), None
        while True:
            answer = answer or (yield from self._get(next(pages)))
            page_no, first = answer.page_no, answer.first_offset(self._rows)
            is_lone = self.progress.known.is_lone(answer.keys, first)
            found, answer = None if is_lone else (yield from self._find_anchor(answer)), None
            if found is None:
                continue
            shown, offset = found
            skip = offset - shown.first_offset(self._rows)
            if is_extension:
                self.progress.extend(shown, offset, skip)
                break
            moved = self._at.anchored(offset, shown.total)
            if not moved.differs_from(self._at) or moved == claimed:
                self.progress.re_anchor(moved, offset)
                break
            claimed, answer = moved, (yield from self._get(page_no))
        self.progress.pass_over(shown, skip)
        self._last_page = shown.page_no
        at = self._at
        if at.remaining < 0:
            raise ContinuityError("fewer payments are left than were already read")
        is_open = at.is_ascending and not at.tail and at.remaining
        if not is_open or (yield from self._probe(shown)):
            return shown
        return (yield Decision(offer=shown))

    def _find_anchor(self, answer: PageAnswer) -> Found:
        """Returns the answer that shows the offset of the record due next, and that offset, or None."""
        first, known = answer.first_offset(self._rows), self.progress.known
        if due := {*self._at.due} & {*answer.keys}:
            return (yield from self._find_due(answer, min(map(answer.keys.index, due))))
        if self._at.is_ascending and not known:
            return (answer, 0) if first == 0 else None  # nothing was delivered: the first is due
        found = known.find(answer.keys)
        if not found:
            return None
        offset, end = first + found[-1] + 1, first + len(answer.keys)
        if answer.keys[found[-1]] == known.last or answer.total <= end:
            return answer, offset
        page_no = self._at.page_of(end, answer.total, self._rows)  # the last key may be there now
        following = yield from self._get(page_no)
        further = yield from self._find_anchor(following)
        if further or following.total != answer.total:
            return further
        return answer, offset  # the last key was deleted

    def _find_due(self, answer: PageAnswer, index: int) -> Found:
        """Does the same from the first records to deliver; the page before may show an earlier one."""
        first = answer.first_offset(self._rows)
        if index or first == 0 or answer.keys[0] == self._at.due[0]:
            return answer, first + index
        before = yield from self._get(self._at.page_of(first - 1, answer.total, self._rows))
        found = yield from self._find_anchor(before)
        return found if found or before.total != answer.total else (before, first)

    def _probe(self, answer: PageAnswer | None = None) -> Generator[Decision, PageAnswer, bool]:
        """Looks up the end of the snapshot; True if the answer given already shows it."""
        given, claimed = answer, None
        pages = self._pages_around(lambda total: [self._at.end_offset(total)])
        while True:
            answer = answer or (yield from self._get(next(pages)))
            seen = self._at.with_end_in(answer, answer.first_offset(self._rows))
            if seen and (seen == claimed or not seen.differs_from(self._at)):
                break
            claimed = seen
            answer = (yield from self._get(answer.page_no)) if seen else None
        self.progress.at = seen
        if seen.is_ascending:
            self._kept = answer
        return answer is given

    def _stream(self, answer: PageAnswer, disputed: Key | None) -> Steps:
        while True:
            if not answer.fits(self._rows):
                raise Contradiction(answer, _MISFIT)
            was_ascending = self._at.is_ascending
            self.progress.detect_order(answer)
            if was_ascending != self._at.is_ascending:
                yield from self._probe()  # both orders gave the same offsets so far; the ends differ
                answer = yield Decision()
            else:
                # No reference to a page is kept while the next one is decoded: its memory is reused.
                taken = [answer]
                del answer
                answer = yield self._take(taken.pop(), disputed)

    def _take(self, answer: PageAnswer, disputed: Key | None) -> Decision:
        """Delivers the records of an answer that are due."""
        progress, first = self.progress, answer.first_offset(self._rows)
        at = progress.at
        if at.is_ascending and answer.total < at.snapshot:
            raise Contradiction(answer, "payments were deleted meanwhile")
        skip = at.next_offset(answer.total) - first
        if skip < 0:
            return Decision(ask_first=self._due_page(), offer=answer)
        due = max(0, min(len(answer.keys) - skip, at.remaining))
        if at.span is not None or self._limit is not None:
            due = self._count_due(answer, skip, due)
        if self._must_be_newer(answer, due):
            return Decision(ask_first=self._due_page())
        if skip == 0 and progress.known and self._is_seam_unproved(answer):
            return Decision(ask_first=self._due_page(back=1), offer=answer)
        if problem := progress.problem(answer, skip, due, first):
            raise Contradiction(answer, problem)
        if due and progress.time_jumps(answer.times[skip]):
            key = answer.keys[skip]
            if key != disputed:  # accepted if a second answer says the same
                problem = "the times of two pages contradict the order of the list"
                raise Contradiction(answer, problem, key)
        if answer.shows_end(self._rows):
            self._is_end_seen = True
        records = progress.deliver(answer, skip, due) if due else ()
        if due or progress.known.overlap(answer.keys, skip):
            self._agreed_total = max(self._agreed_total, answer.total)
        kept = self._kept
        is_next = kept and self._at.next_offset(kept.total) >= kept.first_offset(self._rows)
        return Decision(records, offer=kept if is_next else None)

    def _count_due(self, answer: PageAnswer, skip: int, due: int) -> int:
        """Number of records to deliver after the first ``skip``; ``due`` are left of the snapshot."""
        return due if self._limit is None else min(due, self._limit - self.progress.handed)

    def _must_be_newer(self, answer: PageAnswer, due: int) -> bool:
        """Whether the end must be read from a newer answer: oldest first, insertions shift the rest."""
        is_end = self._at.is_ascending and due == self._at.remaining > 0
        return is_end and answer.total < self._total

    def _is_seam_unproved(self, answer: PageAnswer) -> bool:
        """Whether the page before must be seen: after whole pages of arrivals nothing overlaps it."""
        return not self._at.is_ascending and answer.total > self._agreed_total
