"""The tree of commands, and from the shell's words to one of them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import distributions

from cyclopts import App, CycloptsError

from paywint_async._cli.report import say
from paywint_async._cli.run import run
from paywint_async.export import open_stdout
from paywint_async.export._errors import translated

# Where each command is. To import all of them takes longer than a small export runs, so that is done
# only for the help that tells what each one does.
_COMMANDS = {
    "export": "export",
    "sync": "sync",
    "reconcile": "reconcile",
    "link": "group",
    "payment": "group",
    "emulator": "emulator",
}

_HELP = """Payments of a Paywint account.

The account is told by PAYWINT_API_KEY, PAYWINT_API_SECRET, PAYWINT_ENVIRONMENT (sandbox or
production) and PAYWINT_BASE_URL.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage or no
credentials, 3 the books differ, 130 interrupted, 143 terminated, 141 the reader of stdout went away.
"""


def _version() -> str:
    installed = distributions(name="paywint-async")
    return next((each.version for each in installed), "not installed")


def make_app(arguments: Sequence[str]) -> App:
    """The command line as cyclopts sees it, with the command that the words ask for imported."""
    app = App(name="paywint", help=_HELP, version=_version)
    for name, function in _COMMANDS.items():
        app.command(f"paywint_async._cli.{name}:{function}", name=name)
    asked = arguments[:1] if arguments and arguments[0] in _COMMANDS else _COMMANDS
    for name in asked:
        app[name]  # which imports it
    return app


def dispatch(app: App, arguments: Sequence[str]) -> int:
    """Runs the command that the words ask for; returns the exit code."""
    try:
        command, bound, _ = app.parse_args(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        say(str(error))
        return 2
    if inspect.iscoroutinefunction(command):
        return run(command(*bound.args, **bound.kwargs))
    return run(_print(partial(command, *bound.args, **bound.kwargs)))


async def _print(show: Callable[[], object]) -> None:
    """Help and version, which cyclopts prints itself; stdout may be full or closed for them, too."""
    open_stdout()
    with translated("cannot write stdout"):
        try:
            show()
            sys.stdout.flush()
        except SystemExit:  # of rich, where the reader has gone away
            raise BrokenPipeError from None
