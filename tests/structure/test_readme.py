"""The README's Python blocks run, it has the documented commands, and its links and answers exist."""

from __future__ import annotations

import ast
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
    """The README's code blocks in these languages, named by their first line's number."""
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
def test_a_command_is_on_its_own_line_in_the_readme(command: str) -> None:
    commands = [block.values[0] for block in blocks("", "bash", "console", "sh", "shell")]

    assert command in "".join(map(str, commands)).splitlines()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)|src=\"([^\"]+)", README))))
def test_a_link_or_picture_is_a_file_of_the_repository(target: tuple[str, str]) -> None:
    assert (CHECKOUT / "".join(target)).is_file()


def test_the_pictures_have_a_moderate_size() -> None:
    pictures = [CHECKOUT / name for name in re.findall(r'src="([^"]+)', README)]

    assert len(pictures) == 2
    assert all(picture.stat().st_size < 150_000 for picture in pictures)


@pytest.mark.parametrize(
    ("question", "module", "name"),
    [
        ("Where does a retry happen?", "_middleware/retry.py", "Retry.__call__"),
        ("Where does a page become records?", "_protocol.py", "read_page"),
        ("Where does an export commit?", "export/_resumable.py", "commit"),
        ("Where does the emulator sign?", "emulator/_webhooks.py", "sign"),
        ("What proves that nothing is missing?", "_pagination/planner.py", "The proof"),
    ],
)
def test_a_newcomers_question_is_answered_in_one_step(
    question: str, module: str, name: str
) -> None:
    (answer,) = [line for line in README.splitlines() if line.startswith(f"| {question}")]
    source = (CHECKOUT / "paywint_async" / module).read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    functions = {node.name for node in ast.walk(ast.parse(source)) if hasattr(node, "name")}

    assert f"(paywint_async/{module})" in answer
    assert name in docstring or functions.issuperset(name.split("."))


def test_the_continuous_check_runs_the_readmes_command() -> None:
    assert CHECK_IT in (CHECKOUT / ".ci" / "run").read_text("utf-8").splitlines()
