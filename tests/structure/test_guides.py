"""The commands and programs of the guides run unchanged, in the order of the guide."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator_thread import environment_of_an_account

import paywint_async

pytestmark = pytest.mark.slow

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Replaces `timeout --signal=INT SECONDS COMMAND`: waits for the command's first line instead of a fixed
# time, in which the command may not have started on a busy machine.
TIMEOUT = """
import signal, subprocess, sys
with subprocess.Popen(sys.argv[3:], stderr=subprocess.PIPE, text=True) as process:
    print(process.stderr.readline(), file=sys.stderr)
    process.send_signal(signal.SIGINT)
    print(process.stderr.read(), file=sys.stderr)
sys.exit(124)
"""
FENCED = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# `nox -s frameworks` runs the programs of docs/frameworks under their servers.
GUIDES = [page.name for page in sorted(DOCS.glob("*.md")) if FENCED.search(page.read_text("utf-8"))]


# In these guides the reader pays the payment links.
PAID = {"tutorial.md": [(0.1, "opened"), (0.2, "success")]}


@pytest.fixture
def credentials(guide: str) -> Iterator[dict[str, str]]:
    """A separate account for each guide, so that no guide sees the payments of another."""
    timetable = PAID.get(guide, [])
    with environment_of_an_account(payments=250, redis=True, timetable=timetable) as variables:
        yield variables


@pytest.fixture
def environment(tmp_path: Path, credentials: dict[str, str]) -> dict[str, str]:
    """The environment of a caller who has an account, with `paywint` and `python` on the path."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, options in (("paywint", "-W error -m paywint_async"), ("python", "-W error")):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {options} "$@"\n')
        script.chmod(0o755)
    (commands / "timeout").write_text(f"#!{sys.executable}\n{TIMEOUT}")
    (commands / "timeout").chmod(0o755)
    package = str(Path(paywint_async.__file__).parents[1])
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    # Readers do not have these plugins, and importing them takes seconds.
    plugins = "-p no:schemathesis -p no:hypothesispytest -p no:xdist"
    own = {"PATH": path, "PYTHONPATH": package, "PYTEST_ADDOPTS": plugins}
    return os.environ | credentials | own


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_runs(guide: str, environment: dict[str, str], tmp_path: Path) -> None:
    blocks = FENCED.findall((DOCS / guide).read_text("utf-8"))
    folder = tmp_path / "work"
    folder.mkdir()
    for language, code in blocks:
        command = ["bash", "-e"] if language == "bash" else ["python"]
        finished = subprocess.run(
            [*command, "-c", code],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert finished.returncode == 0, f"{code}\n{finished.stderr}"
        assert "Traceback" not in finished.stderr
