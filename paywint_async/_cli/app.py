"""The tree of commands; parses the command line and runs a command."""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import distributions

from cyclopts import App, CycloptsError, Parameter

from paywint_async._cli.report import READER_GONE, say

# The module of each command, and the first line of its help. Importing a command takes longer than all
# else that the help and the version need, so only the requested one is imported.
_COMMANDS = {
    "export": (
        "export",
        "Export all payments, each exactly once, even while new ones arrive.",
    ),
    "sync": (
        "sync",
        "Bring a destination up to date: all payments the first time, later what is new "
        "or has changed.",
    ),
    "reconcile": (
        "reconcile",
        "Compare a ledger with the account: exit 0 if the books agree, 3 if they differ.",
    ),
    "doctor": (
        "doctor",
        "Check whether this SDK's assumptions about Paywint hold for the account; only reads.",
    ),
    "link": ("group", "Create links at which a payer can pay."),
    "payment": ("group", "Print payments, each as a line of JSON."),
    "emulator": (
        "emulator",
        "Serve an emulated Paywint API on loopback until SIGINT (exit 130) or SIGTERM (exit 0).",
    ),
}

_HELP = """Payments of a Paywint account.

PAYWINT_API_KEY, PAYWINT_API_SECRET, PAYWINT_ENVIRONMENT (sandbox or production) and
PAYWINT_BASE_URL select the account.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or no
credentials, 3 the books differ or an assumption is contradicted, 130 interrupted, 143 terminated,
141 the reader of stdout is gone.
"""


def _version() -> str:
    installed = distributions(name="paywint-async")
    return next((each.version for each in installed), "not installed")


def make_app(arguments: Sequence[str]) -> App:
    """The command line for cyclopts, with the requested command imported."""
    no_negatives = Parameter(negative=())  # such as `--no-json`
    app = App(name="paywint", help=_HELP, version=_version, default_parameter=no_negatives)
    asked = arguments[0] if arguments else ""
    for name, (function, summary) in _COMMANDS.items():
        help_text = None if name == asked else summary  # a requested command has its own
        app.command(f"paywint_async._cli.{name}:{function}", name=name, help=help_text)
    if asked in _COMMANDS:
        import_module(f"paywint_async._cli.{asked}")  # cyclopts would hide which library is missing
    return app


def dispatch(app: App, arguments: Sequence[str]) -> int:
    """Run the requested command; return its exit code."""
    try:
        command, bound, _ = app.parse_args(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        say(str(error))
        return 2
    if not inspect.iscoroutinefunction(command):
        return _print(partial(command, *bound.args, **bound.kwargs))
    from paywint_async._cli.run import run

    return run(command(*bound.args, **bound.kwargs))


def _print(show: Callable[[], object]) -> int:
    """Let cyclopts print help or version; stdout may be full or closed here, too.

    Characters that the encoding of stdout does not have are printed as question marks.
    """
    if sys.stdout is None:
        say("cannot write stdout: it is closed")
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        show()
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich raises SystemExit where the reader is gone
        say("cannot write stdout: its reader has gone away")
        return READER_GONE
    except OSError as error:
        say(f"cannot write stdout: {error.strerror or error}")
        return 1
    return 0
