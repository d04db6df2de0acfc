"""What the README shows works: its Python runs as it stands, its commands are the checks' own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import paywint_async

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text("utf-8")
TRY_IT = (
    "python3 -m venv .venv && .venv/bin/pip install '.[cli]'"
    " && .venv/bin/paywint export --emulator 10000 --output payments.jsonl"
)
CHECK_IT = "python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox"

FENCED = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> list[pytest.ParameterSet]:
    """The README's code blocks in those languages, named by the line they start on."""
    return [
        pytest.param(block["code"], id=f"line-{README.count(chr(10), 0, block.start()) + 1}")
        for block in FENCED.finditer(README)
        if block["language"] in languages
    ]


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("python"))
def test_a_python_block_runs(code: str, credentials: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(code, "utf-8")

    finished = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=os.environ | credentials | {"PYTHONPATH": str(Path(paywint_async.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (finished.returncode, finished.stderr) == (0, "")


def test_there_are_python_blocks_to_run() -> None:
    assert blocks("python") != []


@pytest.mark.parametrize("command", [TRY_IT, CHECK_IT])
def test_a_command_stands_in_the_readme_on_a_line_of_its_own(command: str) -> None:
    commands = [block.values[0] for block in blocks("", "bash", "console", "sh", "shell")]

    assert command in "".join(map(str, commands)).splitlines()


def test_the_continuous_check_runs_the_readmes_command() -> None:
    assert CHECK_IT in (CHECKOUT / ".ci" / "run").read_text("utf-8").splitlines()
