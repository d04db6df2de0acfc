"""Polls payments, with one request for all waiters of a payment. Does not know retries of payments.

A *look* is one Get Payment on behalf of all waiters. A payment with waiters has exactly one of three: a
timer until its next look, a place in the queue, or a look in flight, which is a task. At most
`max_in_flight` looks are in flight. A payment without waiters has none of the three.
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
    """The polling of one event loop.

    Args:
        look: requests a payment once; its errors are raised in every waiter of that payment.
        max_in_flight: how many looks may be in flight; the others are queued, urgent ones first.
    """

    def __init__(self, look: Look, max_in_flight: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._look = look
        self._max_in_flight = max_in_flight
        self._subjects: WeakValueDictionary[UUID, Subject] = WeakValueDictionary()
        # Payments that are woken or new must not queue behind thousands of repeated looks.
        self._lines = tuple(OrderedDict[Subject, None]() for _ in LINES)
        self._looks: set[asyncio.Task[Payment]] = set()

    def subject(self, payment_id: UUID) -> Subject:
        """Returns the `Subject` of a payment, which all its waiters share."""
        subject = self._subjects.get(payment_id)
        if subject is None:
            subject = self._subjects[payment_id] = Subject(payment_id)
        return subject

    async def next_change(
        self, subject: Subject, waiter: Waiter, deadline: float | None
    ) -> Payment | None:
        """Returns the payment when it differs from what the waiter has seen; None at the deadline.

        A waiter that has seen the final state gets it again when the payment is woken.

        Raises:
            PaywintError: the error of the look; each waiter gets its own instance.
            ClientClosedError: the poller was closed.

        Cancellation: does not affect other waiters. A look in flight continues, and the next waiter
        gets its result, until `release` says that there will be no other waiter.
        """
        if self._is_news(subject, waiter):
            return subject.seen
        outcome = await self._wait(subject, waiter, deadline)
        if not isinstance(outcome, BaseException):
            return outcome
        try:
            raise outcome
        finally:
            del (
                outcome,
                waiter,
            )  # otherwise the error refers to its own traceback and frames

    def hold(self, subject: Subject) -> None:
        """Keeps the payment for a caller that will wait for it again."""
        subject.holders += 1

    def release(self, subject: Subject) -> asyncio.Task[Payment] | None:
        """Ends one `hold`. If no waiter is left, cancels the look and returns it."""
        subject.holders -= 1
        return self._stop(subject) if not (subject.holders or subject.waiters) else None

    def release_soon(self, subject: Subject) -> None:
        """Calls `release` on the event loop; for finalizers, which may run in any thread."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            self.release(subject)
        elif not self._loop.is_closed():
            with suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self.release, subject)

    def wake(self, payment_id: UUID) -> None:
        """Looks at the payment now, ahead of all others, if it has waiters."""
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
        """Ends all waits, cancels all looks and returns them."""
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
        # A new waiter accepts a state that another one has just seen, but not an outdated one.
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
        """Removes a waiter, and stops the looks that only it needed."""
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
        """Schedules the next look, unless one is in flight; queues the payment if it is due."""
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
            # In the context (such as the tracing span) of the waiter that has waited longest.
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
        error = None if look.cancelled() else look.exception()  # retrieved, even if nobody needs it
        if subject.look is look:
            subject.look = None
            subject.note(self._loop.time())
            if subject.is_woken or error is not None:
                subject.is_woken = False
                subject.hurry()
            if error is not None:
                _tell_error(subject, error)
            elif (
                not look.cancelled()
            ):  # otherwise the cancellation came from outside: retry with the next look
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
    """Gives each waiter its own instance: raising one in several tasks would mix their tracebacks."""
    twin: BaseException | None = None
    for waiter in subject.waiters:
        if waiter.wants_look:
            waiter.tell(error if twin is None else twin)
            twin = _twin(error)


def _twin(error: BaseException) -> BaseException:
    try:
        twin = copy.copy(error)
    except Exception:  # a foreign exception whose constructor takes other arguments
        return error
    twin.__cause__ = error.__cause__
    if notes := getattr(error, "__notes__", None):
        twin.__notes__ = list(notes)
    return twin.with_traceback(error.__traceback__)
