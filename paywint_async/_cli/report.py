"""Writes single lines to stderr, in which data cannot act as line breaks or terminal codes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

_LONGEST = 600
READER_GONE = 128 + 13  # how a shell reports SIGPIPE, which Windows does not have


def say(text: str) -> None:
    """Writes one line to stderr, if there is one; a failure to write is ignored."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"paywint: {one_line(text)}", file=sys.stderr, flush=True)


def report_span(checkpoint: dict[str, Any] | None, where: str) -> None:
    """Says which span of time a destination remembers, if it has one."""
    from paywint_async.export._reading import describe_span

    span = describe_span(checkpoint)
    if checkpoint is None or span is None:
        return
    is_closed = checkpoint.get("closed", False)
    addition = "; newer payments followed already, so none will be added" if is_closed else ""
    say(f"only payments created {span}: {where} remembers it{addition}")


def one_line(text: str) -> str:
    """The text without line breaks and control characters, shortened if it is very long."""
    words = " ".join(text.split())
    line = "".join(character if character.isprintable() else "?" for character in words)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def format_error(error: BaseException) -> str:
    """The message of an error, its notes, and the next step."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return "; ".join([text, *getattr(error, "__notes__", ()), *_hints(error)])


def _hints(error: BaseException) -> Iterator[str]:
    # Imported here, since the help does not need it.
    from paywint_async import AuthenticationError, OutcomeUnknownError
    from paywint_async._cli.options import UsageError

    if isinstance(error, AuthenticationError):
        yield "check PAYWINT_API_KEY, PAYWINT_API_SECRET and PAYWINT_ENVIRONMENT"
    if isinstance(error, OutcomeUnknownError):
        yield "check before you repeat it: 'paywint payment list received --limit 20'"
    if isinstance(error, UsageError):
        yield "see 'paywint --help'"
