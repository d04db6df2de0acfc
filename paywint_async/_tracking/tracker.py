"""Follows payments to their final states, across retries whose ids are known.

Only webhooks report which payment is the retry of which (`Wakes.tell`): the API does not say, and two
links over the same amount look the same. So nothing is guessed.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self
from uuid import UUID

from paywint_async import _protocol
from paywint_async._calls import send
from paywint_async._cancellation import Consumer
from paywint_async._errors import ClientClosedError, NotFoundError, WaitTimeoutError, copy_of
from paywint_async._log import fields, logger
from paywint_async._messages import Handler
from paywint_async._models import Payment, PaymentStatus
from paywint_async._tracking.poller import Poller
from paywint_async._tracking.subject import Subject, Waiter
from paywint_async._tracking.wakes import Wakes

# A webhook that names the retry may come later than the look that shows `retried`. Long enough for a
# second attempt of its delivery (assumed: after seconds; no delays are published).
RETRY_GRACE = 10.0  # seconds


class Tracker:
    """The payments that a client waits for.

    Args:
        handler: sends a request through the client's whole chain.
        max_in_flight: how many looks may be in flight in each event loop.
        wakes: what webhooks have reported; shared with the trackers of the client's views.
    """

    def __init__(self, handler: Handler, max_in_flight: int, wakes: Wakes | None = None) -> None:
        self._handler = handler
        self._max_in_flight = max_in_flight
        self._pollers: dict[asyncio.AbstractEventLoop, Poller] = {}
        self._is_closed = False
        self.wakes = wakes or Wakes()
        self.wakes.add(self)

    def watch(self, payment_id: UUID, timeout: float | None, poll: float) -> PaymentWatch:
        """Returns a watch of the payment, which begins when it is iterated."""
        return PaymentWatch(self, payment_id, timeout, poll)

    def look_at(self, payment_id: UUID) -> None:
        """Looks at a payment at once, if it has waiters. Thread-safe."""
        for loop, poller in list(self._pollers.items()):
            with suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(poller.wake, payment_id)

    def poller(self) -> Poller:
        """Returns the poller of the running event loop.

        Raises:
            ClientClosedError: the tracker is closed.
        """
        if self._is_closed:
            raise ClientClosedError("the client is closed; make a new one")
        loop = asyncio.get_running_loop()
        poller = self._pollers.get(loop)
        if poller is None:
            # The pollers of closed loops have no waiters any more.
            for ended in [each for each in list(self._pollers) if each.is_closed()]:
                self._pollers.pop(ended, None)  # each step is atomic: other threads may add theirs
            # Not a bound method: the poller must not keep an unreferenced client alive.
            look = partial(_look, self._handler)
            poller = self._pollers[loop] = Poller(look, self._max_in_flight)
        return poller

    async def aclose(self) -> None:
        """Ends every wait with `ClientClosedError`, and every look. Idempotent."""
        self._is_closed = True
        pollers, self._pollers = self._pollers, {}
        here = pollers.pop(asyncio.get_running_loop(), None)
        for loop, poller in pollers.items():
            with suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(poller.close)
        if here is not None and (looks := here.close()):
            await asyncio.wait(looks)


class PaymentWatch:
    """Iterates over the observed states of one payment, from the current one to the final one.

    For ``async for payment in watch``, by one task. If a payment is `retried` and `Payments.wake` has
    named its retry, the states of the retry follow, which has another ``payment_id``. Several changes
    between two requests are seen as one. Requests are sent only while the caller waits; a watch that is
    closed, left by ``break`` or no longer referenced leaves nothing running.

    Raises:
        WaitTimeoutError: not final in time; ``payment`` is the last state seen.
        ClientClosedError: the client was closed, or the watch by another task.
        APIError, TransportError, ResponseDecodeError: as `Payments.get`. An error ends the watch: each
            further ``anext`` raises it again.

    Cancellation: cancelling an ``anext`` loses nothing: a request in flight continues, and the next
    ``anext`` returns its result. When the watch is closed or no longer referenced, the request is
    cancelled, unless the payment has other waiters.
    """

    def __init__(
        self, tracker: Tracker, payment_id: UUID, timeout: float | None, poll: float
    ) -> None:
        self._tracker = tracker
        self._asked_for = payment_id
        self._timeout = timeout
        self._poll = poll
        self._deadline: float | None = None
        self._poller: Poller | None = None
        self._subject: Subject | None = None
        self._waiter: Waiter | None = None
        self._last: Payment | None = None
        self._followed = {payment_id}
        self._retry_known_by: float | None = None
        self._end: Exception | None = None
        self._consumer = Consumer()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Payment:
        try:
            return await self._advance()
        except asyncio.CancelledError as error:
            self._consumer.when_cancelled(_STEP, partial(_pause, weakref.ref(self)))
            # The frames would keep the watch and its look alive after the caller's loop ends.
            error.__traceback__ = None
            del self
            raise

    async def aclose(self) -> None:
        """Ends the watch; a task that waits for a state gets `ClientClosedError`. Idempotent."""
        if self._end is None:
            self._end = StopAsyncIteration()
        poller, subject, self._subject = self._poller, self._subject, None
        if poller is None or subject is None:
            return
        if self._waiter is not None:
            self._waiter.tell(ClientClosedError("this watch was closed"))
            poller.leave(subject, self._waiter)
        if (look := poller.release(subject)) is not None:
            await asyncio.wait([look])

    def __del__(self) -> None:
        if getattr(self, "_subject", None) is not None and self._poller is not None:
            assert self._subject is not None
            self._poller.release_soon(self._subject)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _pause(self) -> None:
        """Cancels a look that has no other waiters; the next step starts another."""
        if self._poller is not None and self._subject is not None:
            self._poller.release(self._subject)
            self._poller.hold(self._subject)

    async def _advance(self) -> Payment:
        if self._end is not None:
            raise copy_of(self._end)
        try:
            payment = await self._next()
        except Exception as error:
            self._end = copy_of(error)
            raise
        if payment is None:
            self._end = StopAsyncIteration()
            raise StopAsyncIteration
        self._last = payment
        return payment

    async def _next(self) -> Payment | None:
        last = self._last
        if last is None:
            if self._subject is None:
                self._begin()
            return await self._look_on(None)
        if not last.status.is_final:
            return await self._look_on(last)
        return await self._first_of_retry(last) if last.status == PaymentStatus.RETRIED else None

    def _begin(self) -> None:
        if self._timeout is not None:
            self._deadline = asyncio.get_running_loop().time() + self._timeout
        self._follow(self._asked_for)

    def _follow(self, payment_id: UUID) -> None:
        if self._poller is not None and self._subject is not None:
            self._poller.release(self._subject)
        self._poller = self._tracker.poller()
        self._subject = self._poller.subject(payment_id)
        self._poller.hold(self._subject)
        # A short wait, too, must see a state of its own time.
        within = self._poll if self._timeout is None else min(self._poll, self._timeout / 2)
        self._subject.join(self._poll, within=within)

    async def _first_of_retry(self, old: Payment) -> Payment | None:
        """Returns the first state of the retry of a payment; None if the retry is not known."""
        new_id = await self._retry_of(old)
        if new_id is None or new_id in self._followed:
            return None
        assert self._subject is not None
        if self._subject.payment_id != new_id:  # otherwise an earlier call was cancelled here
            self._follow(new_id)
        try:
            new = await self._look_on(None)
        except NotFoundError:
            problem = "is not known to the API"
        else:
            if _may_replace(new, old):
                self._followed.add(new_id)
                return new
            problem = "is of another amount, payee or time"
        logger.warning(
            "payment %s, said to be the retry of %s, %s",
            new_id,
            old.payment_id,
            problem,
            extra=fields(
                event="retry_not_followed",
                payment_id=str(old.payment_id),
                retry_payment_id=str(new_id),
                reason=problem,
            ),
        )
        return None

    async def _retry_of(self, old: Payment) -> UUID | None:
        until = self._retry_known_by  # set by an earlier call that was cancelled here
        if until is None:
            until = asyncio.get_running_loop().time() + RETRY_GRACE
            until = until if self._deadline is None else min(until, self._deadline)
            self._retry_known_by = until
        while (new_id := self._tracker.wakes.retry_of(old.payment_id)) is None:
            if not self._tracker.wakes.has_begun or await self._wait(old, until) is None:
                return None
        self._retry_known_by = None
        return new_id

    async def _look_on(self, seen: Payment | None) -> Payment:
        payment = await self._wait(seen, self._deadline)
        if payment is not None:
            return payment
        last = f"last seen {self._last.status}" if self._last else "never seen"
        raise WaitTimeoutError(
            f"payment {self._asked_for} was not final within {self._timeout:g} s ({last})",
            payment_id=self._asked_for,
            payment=self._last,
        )

    async def _wait(self, seen: Payment | None, deadline: float | None) -> Payment | None:
        assert self._subject is not None
        poller = self._tracker.poller()
        self._waiter = Waiter(seen)
        try:
            return await poller.next_change(self._subject, self._waiter, deadline)
        finally:
            self._waiter = None


_STEP = PaymentWatch.__anext__.__code__


def _pause(watch: Callable[[], PaymentWatch | None]) -> None:
    if (watch_left := watch()) is not None:
        watch_left._pause()


async def _look(handler: Handler, payment_id: UUID) -> Payment:
    return await send(handler, _protocol.get(payment_id))


def _may_replace(new: Payment, old: Payment) -> bool:
    """Whether one payment can be the retry of another: same amount and payee, not earlier."""
    return (
        (new.amount, new.currency) == (old.amount, old.currency)
        and new.created_at >= old.created_at
        and (new.payee_id == old.payee_id or None in (new.payee_id, old.payee_id))
    )
