"""The running calls of one client, or of one view of it, with their options.

A client and its views are a tree of scopes. Closing a scope cancels its own calls and those of its views.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any
from weakref import WeakSet

import attrs

from paywint_async._config import CallOptions
from paywint_async._errors import (
    APIError,
    ClientClosedError,
    ResponseDecodeError,
    TransportError,
    is_refusal,
)
from paywint_async._messages import Handler, Request, Response, SentCallError
from paywint_async._middleware.answers import collectors, record

# Errors that tell the outcome of a call by themselves.
_OUTCOMES = (APIError, ClientClosedError, ResponseDecodeError, TransportError)


class Scope:
    """Two middlewares for each call: the scope itself is the outermost, `mark_sent` the innermost.

    Args:
        options: the options of each call.
        parent: the scope of which this one is a view; closing the parent closes this one.
    """

    def __init__(self, options: CallOptions, parent: Scope | None = None) -> None:
        self.options = options
        self._has_options = options.request_timeout is not None or bool(options.headers)
        self._parent = parent
        self._views: WeakSet[Scope] = WeakSet()
        self._running: set[_RunningCall] = set()
        self._pid = os.getpid()
        self._is_closed = False
        self._ends: list[Callable[[], Awaitable[None]]] = []
        if parent is not None:
            parent._views.add(self)

    @property
    def is_closed(self) -> bool:
        """Whether this scope or one of its parents was closed."""
        return self._is_closed or (self._parent is not None and self._parent.is_closed)

    def is_within(self, other: Scope) -> bool:
        """Whether this scope is ``other`` or one of its views."""
        return self is other or (self._parent is not None and self._parent.is_within(other))

    def before_close(self, end: Callable[[], Awaitable[None]]) -> None:
        """Registers ``end`` to be awaited when the scope is closed; it must not refer to the client."""
        self._ends.append(end)

    async def __call__(self, request: Request, handler: Handler) -> Response:
        """Sends a call with this scope's options, and returns the answer.

        Raises:
            ClientClosedError: the scope is closed, or was closed during the call.
            SentCallError: a middleware raised an exception that does not tell the outcome, after a
                request that is not repeatable may have been sent.
        """
        if self.is_closed:
            raise ClientClosedError("the client is closed; make a new one")
        call = _RunningCall(self._running)
        with call:  # suppresses the cancellation by `aclose`, and no other
            try:
                ready = self._with_options(request) if self._has_options else request
                response = await handler(ready)
                if collectors.get() is not None:
                    record(self.is_within, request, response)
                return response
            except Exception as reason:
                if request.repeatable or not call.may_be_sent or isinstance(reason, _OUTCOMES):
                    raise
                raise SentCallError(reason, call.attempts) from None
        # Raised outside of the block, so that the error refers to no frame of the cancelled call.
        message = f"{request.operation}: the client was closed during the request"
        error = ClientClosedError(message, sent=call.may_be_sent)
        error.attempts = call.attempts
        raise error

    async def mark_sent(self, request: Request, handler: Handler) -> Response:
        """Passes an attempt on, and notes whether the API may have processed it."""
        call = _current.get()
        # A middleware may have left the call's context: then it may be any of the calls.
        calls = tuple(self._running) if call is None else (call,)
        was_sent = call is not None and call.may_be_sent  # a middleware may send a request twice
        for each in calls:
            each.may_be_sent, each.attempts = True, request.attempt
        try:
            response = await handler(request)
        except Exception as error:
            # Any other exception is raised before anything is sent.
            is_sent = getattr(error, "sent", isinstance(error, ResponseDecodeError))
            if call is not None and not is_sent:
                call.may_be_sent = was_sent
            raise
        if response.status >= 300 and call is not None and is_refusal(response.status):
            call.may_be_sent = was_sent
        return response

    async def aclose(self) -> None:
        """Cancels the calls of this scope and of its views, and refuses new ones. Idempotent."""
        self._is_closed = True
        try:
            for view in list(self._views):
                await view.aclose()
            for end in self._ends:
                await end()
        finally:
            self._end_calls()

    def _end_calls(self) -> None:
        if self._pid != os.getpid():  # after a fork the calls belong to the parent process
            self._running.clear()
        for call in list(self._running):
            call.end()

    def _with_options(self, request: Request) -> Request:
        options = self.options
        return attrs.evolve(
            request,
            timeout=options.request_timeout,
            headers={**options.headers, **request.headers},
        )


class _RunningCall:
    """A running call, in the task that awaits it. Its ``with`` suppresses the cancellation by `end`."""

    __slots__ = (
        "_cancelling",
        "_is_ended",
        "_is_over",
        "_running",
        "_task",
        "_token",
        "attempts",
        "may_be_sent",
    )

    def __init__(self, running: set[_RunningCall]) -> None:
        task: asyncio.Task[Any] | None = asyncio.current_task()
        assert task is not None
        self._task = task
        self._running = running
        self._cancelling = task.cancelling()
        self._is_ended = self._is_over = False
        self.may_be_sent = False
        self.attempts = 0

    def __enter__(self) -> None:
        self._running.add(self)
        self._token = _current.set(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        _current.reset(self._token)
        self._running.discard(self)
        self._is_over = True
        # As in asyncio.timeout: suppressed only if nobody else has cancelled the task as well.
        is_ours = self._is_ended and self._task.uncancel() <= self._cancelling
        return is_ours and kind is not None and issubclass(kind, asyncio.CancelledError)

    def end(self) -> None:
        """Cancels the call; may be called from another event loop."""
        loop = self._task.get_loop()
        if loop is asyncio.get_running_loop():
            self._cancel()
            return
        with suppress(RuntimeError):  # that loop has ended
            loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self._is_over and not self._is_ended:
            self._is_ended = True
            self._task.cancel()


_current: ContextVar[_RunningCall | None] = ContextVar("paywint_async_call", default=None)
