"""The requests of one event loop that wait for a turn at the shared limit.

One call to Redis at a time serves all of them: it confirms the turns that are due and reserves new ones.
A request that need not wait costs one round trip, one that waits costs two, and concurrent requests share
them. Turns are confirmed because another process may have started a cooldown meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from paywint_async._config import RateLimit
from paywint_async._errors import RateLimitedError
from paywint_async._middleware.rate_limit import in_seconds
from paywint_async._middleware.shared.fallback import PROBE_SECONDS, Fallback
from paywint_async._middleware.shared.script import RateArguments, ScriptReply, TurnRequest
from paywint_async._middleware.shared.store import RedisStore, StoreError

_NO_CONFIRMATION_BELOW = 0.005  # seconds; a shorter wait is not confirmed before the request leaves
_RECONNECT_SECONDS = 0.05
_MAX_REQUESTS_PER_CALL = 200  # Redis is single-threaded: a call must stay short
_NEVER = float("inf")


class _QueuedRequest(TurnRequest):
    """A turn request, and the future that its caller awaits."""

    __slots__ = ("answer", "epochs", "is_final")

    def __init__(self, deadline: float | None) -> None:
        super().__init__(deadline)
        self.answer: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
        self.epochs = 0
        self.is_final = False


class SharedQueue:
    """Gives turns in order of arrival, within the rate of all processes together.

    Cancellation: a reserved slot is wasted; no other request's turn is lost or used twice.

    Args:
        limit: the limit of all processes together.
        store: the Redis that holds the limit.
        fallback: the local limit while Redis is unavailable.
        timeout: seconds after which a call has failed.
    """

    def __init__(
        self, limit: RateLimit, store: RedisStore, fallback: Fallback, timeout: float
    ) -> None:
        self._rate = RateArguments(limit)
        self._store = store
        self._fallback = fallback
        self._timeout = timeout
        self._arriving: deque[_QueuedRequest] = deque()
        self._due: deque[_QueuedRequest] = deque()
        self._reserved: deque[float] = deque()  # when turns are due (event loop clock)
        self._cool_until = self._unpublished_until = -_NEVER
        self._epochs = 0  # how often all replies were invalidated
        self._state_created_at = self._losses = 0
        self._sent_at = 0.0
        self._had_failure = False
        self._probe_at = -_NEVER
        self._must_probe = False
        self._call_task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._calling = asyncio.Lock()

    @property
    def is_away(self) -> bool:
        """Whether the last call to Redis failed."""
        return self._fallback.is_on

    def cool_down(self, seconds: float) -> None:
        """Stops requests for that many seconds: here at once, elsewhere after the next call to Redis."""
        until = _now() + seconds
        if until > self._cool_until:
            self._cool_until = self._unpublished_until = until
            self._epochs += 1
            self._fallback.cool_down(seconds)
            self._must_probe = True
            self._schedule_call()

    async def acquire(self, deadline: float | None) -> None:
        """Returns when one request may be sent.

        Raises:
            RateLimitedError: that would be after ``deadline``.
        """
        waiter = _QueuedRequest(deadline)
        while not await self._advance(waiter):
            pass

    async def aclose(self) -> None:
        """Waits for the running call, then closes the connection; `acquire` opens a new one."""
        if self._call_task is not None:
            await asyncio.wait({self._call_task}, timeout=2 * self._timeout)
        self._must_probe = False  # stops the probing of an unavailable Redis
        async with self._calling:
            await self._close_store()

    async def _advance(self, waiter: _QueuedRequest) -> bool:
        """Waits for a reply; returns True if the request may be sent, False if it must ask again."""
        if self._fallback.is_on:
            self._must_probe = True
            self._schedule_call()
            return await self._fallback.take_turn(waiter.deadline)
        if waiter.epochs != self._epochs:
            waiter.epoch = 0
        if not waiter.epoch:
            await self._fallback.hold_back(waiter.deadline)
        wait = await self._answer(waiter)
        if wait is None:
            return False
        await asyncio.sleep(wait)
        return waiter.is_final and waiter.epochs == self._epochs

    async def _answer(self, waiter: _QueuedRequest) -> float | None:
        """Returns the seconds to wait, or None if the request must ask again."""
        waiter.answer = asyncio.get_running_loop().create_future()
        (self._due if waiter.epoch else self._arriving).append(waiter)
        self._schedule_call()
        try:
            async with asyncio.timeout_at(waiter.deadline):
                wait = await waiter.answer
            if wait is None or wait >= 0:
                return wait
        except TimeoutError:
            wait = min(0.0, _now() - self._reserved[-1]) if self._reserved else 0.0
        message = (
            "the shared limit leaves no turn before its deadline,"
            f" the next one is in {in_seconds(-wait)}"
        )
        raise RateLimitedError(429, message, retry_after=-wait, is_local=True)

    def _schedule_call(self) -> None:
        """Schedules the next call to Redis for the moment at which one is needed."""
        if self._call_task is not None:
            return
        loop, at = asyncio.get_running_loop(), self._next_call_at()
        if at <= loop.time():
            self._call_task = loop.create_task(self._run_calls())
        elif at < _NEVER and (self._timer is None or self._timer.when() > at):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._schedule_call()

    def _next_call_at(self) -> float:
        if self._fallback.is_on:
            return self._probe_at if self._must_probe or self._fallback.is_needed else _NEVER
        if self._unpublished_until > _now() or _drop_cancelled(self._due):
            return -_NEVER
        if _drop_cancelled(self._arriving):
            return -_NEVER if self._room() else self._reserved[0]
        return _NEVER

    def _room(self) -> int:
        while self._reserved and self._reserved[0] <= _now():
            self._reserved.popleft()
        return max(0, self._rate.ahead - len(self._reserved))

    async def _run_calls(self) -> None:
        try:
            while self._next_call_at() <= _now():
                await self._call()
        except asyncio.CancelledError:
            self._restart_all()
            raise
        finally:
            self._call_task = None
        self._schedule_call()

    async def _call(self) -> None:
        room, now, untold_until = self._room(), _now(), self._unpublished_until
        waiters = self._next_waiters(room)
        arguments = self._rate.arguments(
            waiters,
            now=now,
            room=room,
            cooldown=max(0.0, untold_until - now),
            spent=self._fallback.is_in_doubt,
        )
        try:
            async with self._calling, asyncio.timeout(self._patience()):
                answer = ScriptReply(await self._run(arguments), len(waiters))
        except Exception as error:  # after any failure requests continue, by the local limit
            self._put_back(waiters)
            await self._handle_failure(error)
        except asyncio.CancelledError:
            self._put_back(waiters)
            raise
        else:
            if self._unpublished_until == untold_until:
                self._unpublished_until = -_NEVER
            if self._may_be_split(answer) and self._fallback.doubt():
                self._put_back(waiters)
                self._restart_all()
            else:
                self._apply_reply(waiters, answer)

    async def _run(self, arguments: Sequence[int]) -> object:
        """Returns the script's reply; reconnects to a restarting Redis until the call's timeout."""
        while True:
            self._sent_at = _now()
            try:
                return await self._store.run(arguments)
            except StoreError as error:
                if self._fallback.is_on or not error.is_lost:
                    raise
            self._had_failure = True
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _may_be_split(self, answer: ScriptReply) -> bool:
        """Whether other processes may have found Redis unavailable just now."""
        is_first = self._state_created_at == 0  # the first connection has nothing to compare with
        is_new = not is_first and self._state_created_at != answer.born
        is_slow = not is_first and _now() - self._sent_at > self._timeout / 2
        was_lost = self._had_failure or self._store.losses > self._losses
        self._state_created_at, self._losses, self._had_failure = (
            answer.born,
            self._store.losses,
            False,
        )
        return is_new or is_slow or was_lost

    def _patience(self) -> float:
        # No request waits for a probe, so it may take longer to connect to a distant Redis.
        return self._timeout * (4 if self._fallback.is_on else 1)

    def _next_waiters(self, room: int) -> list[_QueuedRequest]:
        waiters: list[_QueuedRequest] = []
        new = room + self._rate.burst if room else 0
        for queue, most in (
            (self._due, _MAX_REQUESTS_PER_CALL),
            (self._arriving, min(new, _MAX_REQUESTS_PER_CALL)),
        ):
            while _drop_cancelled(queue) and most > 0:
                most -= 1
                waiters.append(queue.popleft())
        for waiter in waiters:
            waiter.epochs = self._epochs
        return waiters

    def _put_back(self, waiters: Sequence[_QueuedRequest]) -> None:
        for waiter in reversed(waiters):
            (self._due if waiter.epoch else self._arriving).appendleft(waiter)

    def _apply_reply(self, waiters: Sequence[_QueuedRequest], answer: ScriptReply) -> None:
        self._fallback.end()
        self._fallback.cool_down(answer.cooldown)  # in case Redis fails before it ends
        now = _now()
        elapsed = now - self._sent_at
        for waiter, micro in zip(waiters, answer.waits, strict=False):
            wait = (micro if micro >= 0 else micro + 1) / 1e6
            if micro >= 0:
                self._rate.reserve(waiter, answer, micro)
                waiter.is_final = wait <= max(_NO_CONFIRMATION_BELOW, 2 * elapsed)
                # A confirmation is sent early enough to arrive in time, even if another call is
                # under way at that moment.
                due = wait + (now - elapsed / 2 if waiter.is_final else self._sent_at - elapsed)
                wait = max(0.0, due - now)
                if not waiter.is_final:
                    self._reserved.append(due)
            if not waiter.answer.done():
                waiter.answer.set_result(wait)
        self._put_back(waiters[len(answer.waits) :])

    async def _handle_failure(self, error: Exception) -> None:
        self._fallback.begin(str(error) or f"no answer in {self._timeout:g} s")
        self._probe_at = _now() + PROBE_SECONDS
        self._must_probe = self._unpublished_until > _now()
        self._had_failure = False
        self._restart_all()
        await self._close_store()

    def _restart_all(self) -> None:
        """Makes all waiters ask again, also those with a reserved turn."""
        self._epochs += 1
        self._reserved.clear()
        for waiter in (*self._due, *self._arriving):
            if not waiter.answer.done():
                waiter.answer.set_result(None)
        self._due.clear()
        self._arriving.clear()

    async def _close_store(self) -> None:
        with suppress(Exception):  # a connection that cannot be closed is gone already
            async with asyncio.timeout(self._timeout):
                await self._store.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _drop_cancelled(queue: deque[_QueuedRequest]) -> bool:
    """Removes cancelled waiters at the head; returns False if the queue is empty."""
    while queue and queue[0].answer.done():
        queue.popleft()
    return bool(queue)
