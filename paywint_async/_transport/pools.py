"""aiohttp's sessions: two for each event loop, opened on first use, closed with the loop.

Knows how long connections live; knows nothing of requests.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any

import aiohttp

from paywint_async._errors import ConfigurationError
from paywint_async._transport.body_watch import BodyWatch
from paywint_async._transport.deadlines import Deadlines

# For requests without another limit: far below the 256 open files that some systems allow a process,
# and above the concurrency that servers allow a client.
MAX_CALLS = 100
_STEPS_OF_CLOSING = 10


class Pool:
    """The connections of one event loop.

    Connections for reads are kept for further requests. A write opens a connection and closes it
    afterwards, so that it never gets a stale connection, or an earlier request's response.
    """

    def __init__(
        self, open_session: Callable[[bool], aiohttp.ClientSession], *, may_share: bool
    ) -> None:
        self._open_session = open_session
        self._may_share = may_share
        self._sessions = _Sessions()
        self.deadlines = Deadlines()
        self.bodies = BodyWatch()
        # The only reference, so that it ends with the pool, or before that with the loop.
        self._keeper = _close_at_the_end(self._sessions)
        _run(self._keeper.__anext__())

    def session(self, *, repeatable: bool) -> aiohttp.ClientSession:
        """The session for requests that may be repeated, or for those that may not."""
        opened = self._sessions.opened
        session = opened.get(repeatable)
        if session is None or session.closed:
            session = opened[repeatable] = self._open_session(repeatable)
            if not self._may_share:
                self._refuse_shared_connector(session)
        return session

    def _refuse_shared_connector(self, session: aiohttp.ClientSession) -> None:
        others = [each for each in self._sessions.opened.values() if each is not session]
        if any(each.connector is session.connector for each in others if not each.closed):
            session.detach()
            raise ConfigurationError("connector must make a new one at each call")

    @property
    def is_closed(self) -> bool:
        """Whether the sessions were closed, by `aclose` or at the end of the loop."""
        return self._sessions.are_ended

    async def aclose(self) -> None:
        """Closes all connections; requests in flight end."""
        self.deadlines.close()
        self.bodies.close()
        await self._keeper.aclose()

    def close_soon(self) -> None:
        """Closes all connections, in a task of the running event loop."""
        self._closing = asyncio.get_running_loop().create_task(self.aclose())

    def abandon(self) -> None:
        """Closes the sessions of a loop that has ended, without waiting."""
        for session in self._sessions.opened.values():
            _run(session.close())


class _Sessions:
    """The sessions of one pool."""

    __slots__ = ("are_ended", "opened")

    def __init__(self) -> None:
        self.opened: dict[bool, aiohttp.ClientSession] = {}
        self.are_ended = False


class Pools:
    """The pools of a client, by event loop.

    Args:
        open_session: makes the session for reads (True) or for writes (False).
        may_share: whether both may have the same connector.
    """

    def __init__(
        self, open_session: Callable[[bool], aiohttp.ClientSession], *, may_share: bool = False
    ) -> None:
        self._may_share = may_share
        self._open_session = open_session
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}
        self._pid = os.getpid()
        self._of_parent: list[Pool] = []

    def get(self) -> Pool:
        """The pool of the running event loop."""
        pool = self._pools.get(asyncio.get_running_loop())
        if pool is None or pool.is_closed or self._pid != os.getpid():
            return self._open()
        return pool

    def turns(self) -> asyncio.Semaphore:
        """`MAX_CALLS` turns of the running event loop, first come, first served. Opens no pool."""
        turns = self._turns.get(asyncio.get_running_loop())
        if turns is None:
            self._leave_parent()
            self.drop_ended()
            turns = self._turns[asyncio.get_running_loop()] = asyncio.Semaphore(MAX_CALLS)
        return turns

    def _open(self) -> Pool:
        self._leave_parent()
        self.drop_ended()
        pool = self._pools[asyncio.get_running_loop()] = Pool(
            self._open_session, may_share=self._may_share
        )
        return pool

    def drop_ended(self) -> None:
        """Drops the pools of event loops that have ended."""
        for loop, pool in list(self._pools.items()):
            if loop.is_closed():
                self._pools.pop(loop, None)
                pool.abandon()
        for loop in [each for each in list(self._turns) if each.is_closed()]:
            self._turns.pop(loop, None)

    async def aclose(self) -> None:
        """Closes all pools; those of other event loops in these loops' next iteration. Idempotent."""
        self._leave_parent()
        self.drop_ended()
        here = asyncio.get_running_loop()
        while self._pools:
            loop, pool = self._pools.popitem()
            if loop is here:
                await pool.aclose()
            else:
                try:
                    loop.call_soon_threadsafe(pool.close_soon)
                except RuntimeError:  # that loop has ended just now
                    pool.abandon()

    def are_left_open(self) -> bool:
        """Whether an event loop that may still run has connections."""
        if self._pid != os.getpid():
            return False
        return any(not pool.is_closed for pool in list(self._pools.values()))

    def _leave_parent(self) -> None:
        """Keeps the parent's connections after a fork, neither used nor closed here."""
        if self._pid != os.getpid():
            self._of_parent.extend(self._pools.values())
            self._pools = {}
            self._turns = {}
            self._pid = os.getpid()


async def _close_at_the_end(sessions: _Sessions) -> AsyncGenerator[None]:
    """Closes the sessions when the event loop ends, or when this generator is garbage-collected.

    `asyncio.run` closes all asynchronous generators before it closes the loop, and the loop closes those
    that are garbage-collected.
    """
    try:
        yield
    finally:
        sessions.are_ended = True
        for session in list(sessions.opened.values()):
            await session.close()


def _run(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Runs a coroutine that never waits, without an event loop."""
    with suppress(StopIteration):
        for _ in range(_STEPS_OF_CLOSING):
            coroutine.send(None)
