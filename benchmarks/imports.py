"""How long does the package take to import: alone, and with the client over its dependencies?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

import _server
from _measure import RUNS, Row, report

DEPENDENCIES = "aiohttp, attrs, backoff, cattrs.preconf.msgspec, msgspec"
PROGRAM = f"import paywint_async, {DEPENDENCIES}\nimport paywint_async._client"
_LINE = re.compile(r"import time: +(\d+) \| +(\d+) \| ( *)(\S+)")


def milliseconds(cache: str) -> tuple[float, float, float]:
    """Import times of the package alone, its client and its dependencies, in a new interpreter."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-X", f"pycache_prefix={cache}", "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=env,
    )
    # The outermost level lists each top import with its cumulated time, without earlier imports.
    taken = {m[4]: int(m[2]) / 1000 for m in _LINE.finditer(finished.stderr) if not m[3]}
    others = DEPENDENCIES.replace(" ", "").split(",")
    dependencies = sum(taken.get(name.partition(".")[0], 0.0) for name in others)
    return taken["paywint_async"], taken["paywint_async._client"], dependencies


def rows() -> list[Row]:
    """The rows, with medians."""
    with TemporaryDirectory() as cache:
        milliseconds(cache)  # compiles everything, like an installation
        alone, ours, theirs = zip(*(milliseconds(cache) for _ in range(2 * RUNS)), strict=True)
    return [
        Row(measure="import paywint_async", measured=median(alone), unit="ms", at_most=5),
        Row(
            measure="import the client, over its dependencies",
            measured=median(ours),
            unit="ms",
            at_most=15,
            note=f"the dependencies take {median(theirs):.0f} ms",
        ),
    ]


if __name__ == "__main__":
    _server.pin(to_last=False)
    report(str(__doc__), rows())
