"""Finds the supported Pythons of this machine, so that nox can run the tests on each of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13", "3.14", "3.15")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

# Without ssl pip cannot install anything; pre-releases are not supported.
PROBE = "import ssl, sys; v = sys.version_info; print(f'{v.major}.{v.minor} {v.releaselevel}')"


def find_interpreters() -> list[str]:
    """Returns the versions to test on, oldest first, and puts the folder of each first on PATH.

    Nox looks for a version on PATH and would fail at a pyenv shim that does not run. The version
    that runs nox is always included; nox finds it by itself.
    """
    found = {RUNNING}
    for version in set(SUPPORTED) - found:
        python = next((path for path in candidates(version) if runs(path, version)), None)
        if python is not None:
            found.add(version)
            os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return sorted(found, key=lambda version: int(version.partition(".")[2]))


def candidates(version: str) -> Iterator[Path]:
    """Paths where a Python of that version may be: PATH, then pyenv, the newest patch release first."""
    for folder in os.get_exec_path():
        yield Path(folder, f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = (pyenv / "versions").glob(f"{version}.*[0-9]/bin/python{version}")
    yield from sorted(installed, key=patch_number, reverse=True)


def patch_number(python: Path) -> int:
    """The patch number of a path: 12 for `versions/3.13.12/bin/python3.13`."""
    return int(re.split(r"\D+", python.parts[-3])[2])


def runs(python: Path, version: str) -> bool:
    """Whether the file runs as a Python of that version; a pyenv shim may exist and not run."""
    if not python.is_file():
        return False
    try:
        answer = subprocess.run(
            [python, "-I", "-c", PROBE], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.stdout.split() == [version, "final"]
