"""How long do the plugin in a pytest run, and `paywint --version` in a shell, take?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import _server
from _measure import RUNS, Rounds, Row, interleave_calls, report

# The lower bound for a command: the library that parses its arguments, with an empty app.
CYCLOPTS_ALONE = "import cyclopts; cyclopts.App(version='1')(['{}'])"
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")


def process(cache: str, *arguments: str) -> Callable[[], object]:
    """Returns a function that runs Python with the arguments, from compiled files."""
    # Load only the named plugins, not all that are installed.
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPYCACHEPREFIX": cache}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *arguments]

    def run() -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=env)

    return run


def more(rounds: Rounds, name: str, than: str) -> float:
    """The median of the differences within each round, in milliseconds."""
    pairs = zip(rounds.wall[name], rounds.wall[than], strict=True)
    return 1000 * median(ours - theirs for ours, theirs in pairs)


def contenders(cache: str, test: str) -> Mapping[str, Callable[[], object]]:
    """All processes by name."""
    return {
        "pytest": process(cache, *PYTEST, test),
        "pytest with the plugin": process(
            cache, *PYTEST, "-p", "paywint_async.pytest_plugin", test
        ),
        **{
            name: process(cache, *arguments)
            for option in ("--version", "--help")
            for name, arguments in {
                f"paywint {option}": ("-m", "paywint_async", option),
                f"cyclopts {option}": ("-c", CYCLOPTS_ALONE.format(option)),
            }.items()
        },
    }


def rows() -> list[Row]:
    """The rows, with medians of processes that take turns."""
    with TemporaryDirectory() as folder:
        test = Path(folder, "test_nothing.py")
        test.write_text("def test_nothing():\n    pass\n", "utf-8")
        rounds = interleave_calls(
            contenders(str(Path(folder, "cache")), str(test)), number=1, runs=2 * RUNS
        )
    plugin = more(rounds, "pytest with the plugin", "pytest")
    return [
        Row(
            measure="pytest, one empty test: more with the plugin installed",
            measured=plugin,
            unit="ms",
            at_most=15,
            note=f"without it {1000 / rounds.rate('pytest'):.0f} ms",
        ),
        *(
            Row(
                measure=f"paywint {option}, over cyclopts alone",
                measured=rounds.speed(f"cyclopts {option}", f"paywint {option}"),
                at_most=1.3,
                note=f"{1000 / rounds.rate(f'paywint {option}'):.0f} ms",
            )
            for option in ("--version", "--help")
        ),
    ]


if __name__ == "__main__":
    _server.pin(to_last=False)
    report(str(__doc__), rows())
