"""Those of one event loop who wait for a turn at the shared limit, and how they ask for it.

One call at a time speaks for all of them: it confirms the turns that are due, and reserves new ones.
So a request that need not wait costs one round trip, one that waited two, and many at once share
them. A turn is confirmed since a cooldown may have come from another process meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from paywint_async._config import RateLimit
from paywint_async._errors import RateLimitedError
from paywint_async._middleware.shared.fallback import PROBE_SECONDS, Fallback
from paywint_async._middleware.shared.script import Answer, Ask, Budget
from paywint_async._middleware.shared.store import RedisStore, StoreError

_SOON = 0.005  # who waits no longer than this does not ask again before leaving
_RECONNECT_SECONDS = 0.05
_MOST_ASKS = 200  # in one call, since Redis does nothing else meanwhile
_NEVER = float("inf")


class _Waiter(Ask):
    """An ask, and what its request waits for."""

    __slots__ = ("answer", "is_final", "voids")

    def __init__(self, deadline: float | None) -> None:
        super().__init__(deadline)
        self.answer: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self.voids = 0
        self.is_final = False


class SharedLine:
    """Lets requests leave in order of arrival, as fast as all processes together may.

    Cancellation: a slot that was reserved is wasted; nobody else's turn is lost or taken twice.

    Args:
        limit: of all processes together.
        store: where it is kept.
        fallback: what counts while that is away.
        timeout: seconds after which a call is given up.
    """

    def __init__(
        self, limit: RateLimit, store: RedisStore, fallback: Fallback, timeout: float
    ) -> None:
        self._budget = Budget(limit)
        self._store = store
        self._fallback = fallback
        self._timeout = timeout
        self._arriving: deque[_Waiter] = deque()
        self._due: deque[_Waiter] = deque()
        self._reserved: deque[float] = deque()  # when they are due, of the event loop's clock
        self._cool_until = self._untold_until = -_NEVER
        self._voids = 0  # how often all that was answered has become void
        self._born = self._losses = 0
        self._sent_at = 0.0
        self._is_shaken = False
        self._probe_at = -_NEVER
        self._is_missed = False
        self._conversation: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._calling = asyncio.Lock()

    @property
    def is_away(self) -> bool:
        """Whether Redis could not be asked the last time."""
        return self._fallback.is_on

    def cool_down(self, seconds: float) -> None:
        """Lets nothing leave for that long, here at once, elsewhere as soon as Redis knows."""
        until = _now() + seconds
        if until > self._cool_until:
            self._cool_until = self._untold_until = until
            self._voids += 1
            self._fallback.cool_down(seconds)
            self._is_missed = True
            self._go_on()

    async def acquire(self, deadline: float | None) -> None:
        """Returns once one request may leave.

        Raises:
            RateLimitedError: that would be after ``deadline``.
        """
        waiter = _Waiter(deadline)
        while not await self._advance(waiter):
            pass

    async def aclose(self) -> None:
        """Lets the call under way end, and closes the connection; whoever asks next opens one."""
        if self._conversation is not None:
            await asyncio.wait({self._conversation}, timeout=2 * self._timeout)
        self._is_missed = False  # so that nothing looks for a lost Redis from here on
        async with self._calling:
            await self._close_store()

    async def _advance(self, waiter: _Waiter) -> bool:
        """Whether the request may leave now; if not, it has to ask (again)."""
        if self._fallback.is_on:
            self._is_missed = True
            self._go_on()
            return await self._fallback.take_turn(waiter.deadline)
        if waiter.voids != self._voids:
            waiter.epoch = 0
        if not waiter.epoch:
            await self._fallback.hold_back(waiter.deadline)
        wait = await self._answer(waiter)
        if wait is None:
            return False
        await asyncio.sleep(wait)
        return waiter.is_final and waiter.voids == self._voids

    async def _answer(self, waiter: _Waiter) -> float | None:
        """Seconds to wait; None: it has to ask anew."""
        waiter.answer = asyncio.get_running_loop().create_future()
        (self._due if waiter.epoch else self._arriving).append(waiter)
        self._go_on()
        try:
            async with asyncio.timeout_at(waiter.deadline):
                wait = await waiter.answer
            if wait is None or wait >= 0:
                return wait
        except TimeoutError:
            wait = min(0.0, _now() - self._reserved[-1]) if self._reserved else 0.0
        raise RateLimitedError(
            429, "the shared limit leaves no turn before the deadline", retry_after=-wait
        )

    def _go_on(self) -> None:
        """Sees to it that Redis is asked as soon as there is something to say, and not before."""
        if self._conversation is not None:
            return
        loop, at = asyncio.get_running_loop(), self._next_call_at()
        if at <= loop.time():
            self._conversation = loop.create_task(self._converse())
        elif at < _NEVER and (self._timer is None or self._timer.when() > at):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._go_on()

    def _next_call_at(self) -> float:
        if self._fallback.is_on:
            return self._probe_at if self._is_missed or self._fallback.is_needed else _NEVER
        if self._untold_until > _now() or _leave_out_who_left(self._due):
            return -_NEVER
        if _leave_out_who_left(self._arriving):
            return -_NEVER if self._room() else self._reserved[0]
        return _NEVER

    def _room(self) -> int:
        while self._reserved and self._reserved[0] <= _now():
            self._reserved.popleft()
        return max(0, self._budget.ahead - len(self._reserved))

    async def _converse(self) -> None:
        try:
            while self._next_call_at() <= _now():
                await self._call()
        except asyncio.CancelledError:
            self._begin_anew()
            raise
        finally:
            self._conversation = None
        self._go_on()

    async def _call(self) -> None:
        room, now, untold_until = self._room(), _now(), self._untold_until
        waiters = self._next_waiters(room)
        arguments = self._budget.arguments(
            waiters,
            now=now,
            room=room,
            cooldown=max(0.0, untold_until - now),
            spent=self._fallback.is_in_doubt,
        )
        try:
            async with self._calling, asyncio.timeout(self._patience()):
                answer = Answer(await self._run(arguments), len(waiters))
        except Exception as error:  # whatever it is, requests go on, and never without a limit
            self._put_back(waiters)
            await self._lose(error)
        except asyncio.CancelledError:
            self._put_back(waiters)
            raise
        else:
            if self._untold_until == untold_until:
                self._untold_until = -_NEVER
            if self._has_doubt(answer) and self._fallback.doubt():
                self._put_back(waiters)
                self._begin_anew()
            else:
                self._settle(waiters, answer)

    async def _run(self, arguments: Sequence[int]) -> object:
        """What the script answers; a Redis that restarts gets as long as one that is slow."""
        while True:
            self._sent_at = _now()
            try:
                return await self._store.run(arguments)
            except StoreError as error:
                if self._fallback.is_on or not error.is_lost:
                    raise
            self._is_shaken = True
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _has_doubt(self, answer: Answer) -> bool:
        """Whether other processes may have found Redis away just now."""
        is_first = self._born == 0  # it had to connect, and has nothing to compare with
        is_new = not is_first and self._born != answer.born
        is_slow = not is_first and _now() - self._sent_at > self._timeout / 2
        was_lost = self._is_shaken or self._store.losses > self._losses
        self._born, self._losses, self._is_shaken = answer.born, self._store.losses, False
        return is_new or is_slow or was_lost

    def _patience(self) -> float:
        # Nobody waits for a probe, so it may take its time to connect to a Redis that is far.
        return self._timeout * (4 if self._fallback.is_on else 1)

    def _next_waiters(self, room: int) -> list[_Waiter]:
        waiters: list[_Waiter] = []
        new = room + self._budget.burst if room else 0
        for queue, most in ((self._due, _MOST_ASKS), (self._arriving, min(new, _MOST_ASKS))):
            while _leave_out_who_left(queue) and most > 0:
                most -= 1
                waiters.append(queue.popleft())
        for waiter in waiters:
            waiter.voids = self._voids
        return waiters

    def _put_back(self, waiters: Sequence[_Waiter]) -> None:
        for waiter in reversed(waiters):
            (self._due if waiter.epoch else self._arriving).appendleft(waiter)

    def _settle(self, waiters: Sequence[_Waiter], answer: Answer) -> None:
        self._fallback.end()
        self._fallback.cool_down(answer.cooldown)  # should Redis be lost before it is over
        now = _now()
        elapsed = now - self._sent_at
        for waiter, micro in zip(waiters, answer.waits, strict=False):
            wait = (micro if micro >= 0 else micro + 1) / 1e6
            if micro >= 0:
                self._budget.reserve(waiter, answer, micro)
                waiter.is_final = wait <= max(_SOON, 2 * elapsed)
                # Who asks again does so early enough to be heard in time, though another call may
                # be under way just then.
                due = wait + (now - elapsed / 2 if waiter.is_final else self._sent_at - elapsed)
                wait = max(0.0, due - now)
                if not waiter.is_final:
                    self._reserved.append(due)
            if not waiter.answer.done():
                waiter.answer.set_result(wait)
        self._put_back(waiters[len(answer.waits) :])

    async def _lose(self, error: Exception) -> None:
        self._fallback.begin(str(error) or f"no answer in {self._timeout:g} s")
        self._probe_at = _now() + PROBE_SECONDS
        self._is_missed = self._untold_until > _now()
        self._is_shaken = False
        self._begin_anew()
        await self._close_store()

    def _begin_anew(self) -> None:
        """All have to ask again, those with a turn reserved, too."""
        self._voids += 1
        self._reserved.clear()
        for waiter in (*self._due, *self._arriving):
            if not waiter.answer.done():
                waiter.answer.set_result(None)
        self._due.clear()
        self._arriving.clear()

    async def _close_store(self) -> None:
        with suppress(Exception):  # what cannot be closed is gone already
            async with asyncio.timeout(self._timeout):
                await self._store.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _leave_out_who_left(queue: deque[_Waiter]) -> bool:
    """Whether anybody is left."""
    while queue and queue[0].answer.done():
        queue.popleft()
    return bool(queue)
