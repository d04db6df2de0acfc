"""Looks at payments, each look on behalf of everybody who waits. Knows nothing of retries.

A payment that somebody waits for has one of three things: a timer until it is looked at next, a place
in the queue, or a look under way, which is a task. At most `max_in_flight` looks are under way, and
whatever nobody waits for any more has none of the three.
"""

from __future__ import annotations

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID
from weakref import WeakValueDictionary

from paywint_async._errors import ClientClosedError
from paywint_async._middleware.answers import collect_for
from paywint_async._models import Payment
from paywint_async._tracking.subject import LINES, Subject, Waiter

Look: TypeAlias = Callable[[UUID], Coroutine[Any, Any, Payment]]


class Poller:
    """The looks of one event loop.

    Args:
        look: asks for a payment, once; its errors reach everybody who waits for that payment.
        max_in_flight: how many looks may be under way; the others wait in line, urgent ones first.
    """

    def __init__(self, look: Look, max_in_flight: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._look = look
        self._max_in_flight = max_in_flight
        self._subjects: WeakValueDictionary[UUID, Subject] = WeakValueDictionary()
        # What is woken or new does not stand behind thousands that are looked at again.
        self._lines = tuple(OrderedDict[Subject, None]() for _ in LINES)
        self._looks: set[asyncio.Task[Payment]] = set()

    def subject(self, payment_id: UUID) -> Subject:
        """The payment, the same for all who ask for it."""
        subject = self._subjects.get(payment_id)
        if subject is None:
            subject = self._subjects[payment_id] = Subject(payment_id)
        return subject

    async def next_change(
        self, subject: Subject, waiter: Waiter, deadline: float | None
    ) -> Payment | None:
        """The payment, once it is not what the waiter has seen; None: not before the deadline.

        A waiter that has seen the end is told the same again when the payment is woken.

        Raises:
            PaywintError: of the look; each waiter gets an instance of its own.
            ClientClosedError: the poller was closed.

        Cancellation: disturbs no other waiter. A look under way goes on, and what it sees is told to
        whoever asks next, until `release` says that nobody will.
        """
        if self._is_news(subject, waiter):
            return subject.seen
        outcome = await self._wait(subject, waiter, deadline)
        if not isinstance(outcome, BaseException):
            return outcome
        try:
            raise outcome
        finally:
            del outcome, waiter  # or the error would hold its own traceback, and all in there

    def hold(self, subject: Subject) -> None:
        """Somebody may wait for the payment more than once."""
        subject.holders += 1

    def release(self, subject: Subject) -> asyncio.Task[Payment] | None:
        """One of them will not any more. Returns a look that nobody wants, which is about to end."""
        subject.holders -= 1
        return self._stop(subject) if not (subject.holders or subject.waiters) else None

    def release_soon(self, subject: Subject) -> None:
        """As `release`, from a finalizer, which may run in any thread."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            self.release(subject)
        elif not self._loop.is_closed():
            with suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self.release, subject)

    def wake(self, payment_id: UUID) -> None:
        """Looks at the payment now, ahead of all others, where somebody waits for it."""
        subject = self._subjects.get(payment_id)
        if subject is None:
            return
        for waiter in subject.waiters:
            if waiter.has_seen_the_end:
                waiter.tell(waiter.seen)
        self._lines[subject.place].pop(subject, None)
        subject.hurry()
        subject.is_woken = subject.look is not None
        if subject.wants_look:
            self._plan(subject)

    def close(self) -> set[asyncio.Task[Payment]]:
        """Ends all waiting; returns the looks that were under way, which are about to end."""
        for line in self._lines:
            line.clear()
        for subject in list(self._subjects.values()):
            subject.stop_timer()
            for waiter in subject.waiters:
                waiter.tell(ClientClosedError("the client was closed during this wait"))
        for look in self._looks:
            look.cancel()
        return set(self._looks)

    def _is_news(self, subject: Subject, waiter: Waiter) -> bool:
        if subject.seen is None or subject.seen == waiter.seen:
            return False
        # Who has seen nothing takes what another one saw a moment ago, but nothing stale.
        return waiter.seen is not None or self._due_at(subject) > self._loop.time()

    async def _wait(
        self, subject: Subject, waiter: Waiter, deadline: float | None
    ) -> Payment | BaseException | None:
        subject.waiters[waiter] = None
        if waiter.wants_look:
            self._plan(subject)
        limit = None if deadline is None else self._loop.call_at(deadline, waiter.tell, None)
        try:
            return await waiter.future
        finally:
            if limit is not None:
                limit.cancel()
            self.leave(subject, waiter)

    def leave(self, subject: Subject, waiter: Waiter) -> None:
        """Ends a waiter's waiting: there are no more looks than somebody waits for."""
        subject.waiters.pop(waiter, None)
        if not subject.waiters:
            subject.stop_timer()
            self._lines[subject.place].pop(subject, None)

    def _stop(self, subject: Subject) -> asyncio.Task[Payment] | None:
        look, subject.look, subject.is_woken = subject.look, None, False
        if look is not None and not self._loop.is_closed():
            look.cancel()
        return look

    def _due_at(self, subject: Subject) -> float:
        return subject.due_at(is_in_crowd=len(self._subjects) > self._max_in_flight)

    def _plan(self, subject: Subject) -> None:
        """Sets the time of the next look, unless one is under way; what is due gets in line."""
        if subject.look is not None:
            return
        subject.stop_timer()
        due_at = self._due_at(subject)
        if due_at > self._loop.time():
            subject.timer = self._loop.call_at(due_at, self._come_due, subject)
        else:
            self._come_due(subject)

    def _come_due(self, subject: Subject) -> None:
        subject.timer = None
        self._lines[subject.place][subject] = None
        self._start_looks()

    def _start_looks(self) -> None:
        while len(self._looks) < self._max_in_flight and any(self._lines):
            subject, _ = next(filter(None, self._lines)).popitem(last=False)
            # In the context (the tracing span, say) of the one who has waited longest.
            first = next((w for w in subject.waiters if w.wants_look), None)
            if first is None:
                continue
            collect_for(first.context, partial(subject.collectors_with, first.collectors))
            look = self._loop.create_task(self._look(subject.payment_id), context=first.context)
            subject.look = look
            self._looks.add(look)
            look.add_done_callback(partial(self._ended, subject))

    def _ended(self, subject: Subject, look: asyncio.Task[Payment]) -> None:
        self._looks.discard(look)
        error = None if look.cancelled() else look.exception()  # looked at, whoever wants it
        if subject.look is look:
            subject.look = None
            subject.note(self._loop.time())
            if subject.is_woken or error is not None:
                subject.is_woken = False
                subject.hurry()
            if error is not None:
                _tell_error(subject, error)
            elif not look.cancelled():  # else somebody else did that: the next look is the next
                _tell_payment(subject, look.result())
            if subject.wants_look:
                self._plan(subject)
        self._start_looks()


def _tell_payment(subject: Subject, payment: Payment) -> None:
    subject.seen = payment
    for waiter in subject.waiters:
        if waiter.seen != payment:
            waiter.tell(payment)


def _tell_error(subject: Subject, error: BaseException) -> None:
    """An instance for each: raising one in several tasks would mix up their tracebacks."""
    twin: BaseException | None = None
    for waiter in subject.waiters:
        if waiter.wants_look:
            waiter.tell(error if twin is None else twin)
            twin = _twin(error)


def _twin(error: BaseException) -> BaseException:
    try:
        twin = copy.copy(error)
    except Exception:  # a stranger's exception, whose constructor wants something else
        return error
    twin.__cause__ = error.__cause__
    if notes := getattr(error, "__notes__", None):
        twin.__notes__ = list(notes)
    return twin.with_traceback(error.__traceback__)
