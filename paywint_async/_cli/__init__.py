"""The command ``paywint``, over the public API, the export and the comparison.

Read it in this order: `app` (the tree of commands) · `export`, `sync`, `reconcile`, `doctor`, `link`,
`payment`, `emulator` (one command or group each) · `options` (their arguments) · `account` (the
account) · `run` (signals, errors and exit codes) · `progress`, `bar` and `report` (what goes to stderr).

This module imports none of them, so that a missing extra is reported in one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

_MISSING = {
    "cyclopts": "the command needs an extra: pip install 'paywint-async[cli]'",
    "rich": "the command needs an extra: pip install 'paywint-async[cli]'",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    0 done · 1 failed · 2 wrong usage, no credentials or a missing extra · 3 the books differ, or an
    assumption is contradicted · 130 interrupted (SIGINT) · 143 terminated (SIGTERM) · 141 the reader of
    stdout went away.

    Args:
        arguments: of the command line; None: those of the process.
    """
    try:
        return _dispatch(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # during the imports
        return 130
    finally:
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)


def _dispatch(arguments: Sequence[str]) -> int:
    try:
        import rich  # noqa: F401  (the help and the bar need it, and both come late)

        from paywint_async._cli.app import dispatch, make_app

        app = make_app(arguments)
    except ModuleNotFoundError as error:
        library = str(error.name).partition(".")[0]
        if library not in _MISSING:
            raise
        print(f"paywint: {_MISSING[library]}", file=sys.stderr)
        return 2
    return dispatch(app, arguments)


def _flush(stream: TextIO | None) -> None:
    """Flushes a stream; on failure discards the rest, about which the interpreter would warn at exit."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
