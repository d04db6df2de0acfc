"""What goes to stderr: single lines, in which data cannot pass for anything but text."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

_LONGEST = 600
READER_GONE = 128 + 13  # as a shell tells of SIGPIPE, which Windows does not have


def say(text: str) -> None:
    """One line on stderr, if there is one; whoever does not read it does not stop the work."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"paywint: {one_line(text)}", file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """The text without line breaks and without what a terminal would obey, at a length to read."""
    words = " ".join(text.split())
    line = "".join(character if character.isprintable() else "?" for character in words)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def format_error(error: BaseException) -> str:
    """What an error says, what was noted on it, and what to do about it."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return "; ".join([text, *getattr(error, "__notes__", ()), *_hints(error)])


def _hints(error: BaseException) -> Iterator[str]:
    # Imported here, because whoever only asks for the help shall not wait for it.
    from paywint_async import AuthenticationError, OutcomeUnknownError
    from paywint_async._cli.options import UsageError

    if isinstance(error, AuthenticationError):
        yield "check PAYWINT_API_KEY, PAYWINT_API_SECRET and PAYWINT_ENVIRONMENT"
    if isinstance(error, OutcomeUnknownError):
        yield "do not repeat it blindly: see 'paywint payment list received --limit 20'"
    if isinstance(error, UsageError):
        yield "see 'paywint --help'"
