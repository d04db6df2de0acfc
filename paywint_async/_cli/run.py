"""Runs a command; maps its end, an interruption or an error to a message and an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

from paywint_async import ConfigurationError, InvalidRequestError, PaywintError
from paywint_async._cli.options import UsageError
from paywint_async._cli.report import READER_GONE, format_error, say
from paywint_async.export import OutputClosedError

_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def run(command: Coroutine[Any, Any, int | None]) -> int:
    """Runs the command in a new event loop; returns its exit code, 0 if it returns None.

    The first SIGINT or SIGTERM cancels it (with the signal as the cancellation's message), the
    second ends the process at once.
    """
    with _no_log_on_stderr(), _imports_not_collected():
        return asyncio.run(_supervise(command))


@contextlib.contextmanager
def _imports_not_collected() -> Iterator[None]:
    """Excludes the imported modules from garbage collection, which saves a tenth of an export."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _no_log_on_stderr() -> Iterator[None]:
    """Keeps the log of retries off stderr, where a logger without a handler would print it.

    Warnings of outputs (such as waiting for a lock) are printed, since nothing else shows them.
    """
    handlers = {"paywint_async": logging.NullHandler(), "paywint_async.export": _OutputWarnings()}
    for name, handler in handlers.items():
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name, handler in handlers.items():
            logging.getLogger(name).removeHandler(handler)


class _OutputWarnings(logging.Handler):
    """Prints each warning as a line of the command."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            say(record.getMessage())


async def _supervise(command: Coroutine[Any, Any, int | None]) -> int:
    stop = _Stop()
    try:
        with stop.on_signals():
            return await command or 0
    except asyncio.CancelledError as error:
        say("; ".join([_SIGNALS[stop.signal], *getattr(error, "__notes__", ())]))
        return 128 + stop.signal
    except (PaywintError, UsageError, OSError) as error:
        say(format_error(error))
        return _exit_code(error)


def _exit_code(error: Exception) -> int:
    if isinstance(error, OutputClosedError):
        return READER_GONE
    if isinstance(error, InvalidRequestError):
        return 1 if error.field == "checkpoint" else 2  # a malformed file is not a usage error
    return 2 if isinstance(error, UsageError | ConfigurationError) else 1


class _Stop:
    """Cancels the current task at the first signal, and stores which signal it was."""

    def __init__(self) -> None:
        self.signal = signal.SIGINT
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        # Not the handlers of the event loop: those run in its next iteration, so a second Ctrl-C could
        # not end a process that hangs in a system call.
        former = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        assert self._task is not None
        self.signal = signal.Signals(number)
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self._loop.call_soon_threadsafe(self._task.cancel, number)
