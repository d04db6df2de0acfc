"""The continuous integration runs existing nox sessions, so that each job can also be run locally."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
NOXFILE = ast.parse((CHECKOUT / "noxfile.py").read_text("utf-8"))
SESSIONS = {
    node.name
    for node in NOXFILE.body
    if isinstance(node, ast.FunctionDef)
    for decorator in node.decorator_list
    if ast.unparse(decorator).startswith("nox.session")
}


def sessions_named(workflow: Path) -> set[str]:
    """The names after `nox -s`, with the values of the matrix in place of expressions."""
    named: set[str] = set()
    jobs: dict[str, Any] = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    for job in jobs.values():
        matrix: dict[str, Any] = job.get("strategy", {}).get("matrix", {})
        for step in job.get("steps", []):
            for word in re.findall(r"nox -s (\$\{\{.*?\}\}|\S+)", step.get("run", "")):
                expression = re.fullmatch(r"\$\{\{ matrix\.(\w+) \}\}", word)
                named |= set(matrix[expression[1]]) if expression else {word.partition("-$")[0]}
    return named


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_each_session_that_a_workflow_names_exists(workflow: Path) -> None:
    assert sessions_named(workflow) - SESSIONS == set()


def test_each_session_that_contributing_names_exists() -> None:
    text = (CHECKOUT / "CONTRIBUTING.md").read_text("utf-8")
    named = {name for each in re.findall(r"nox -s ([\w ]+)", text) for name in each.split()}

    assert len(named) > 10
    assert named - SESSIONS == set()


def test_every_session_is_run_by_some_workflow() -> None:
    run = set().union(*map(sessions_named, WORKFLOWS))

    # Other sessions run `wheel`, benchmarks of a shared machine would be meaningless, and pictures are
    # made when their content has changed.
    assert SESSIONS - run == {"bench", "pictures", "wheel"}


def test_each_supported_python_is_tested() -> None:
    ci = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text("utf-8"))
    pyproject = (CHECKOUT / "pyproject.toml").read_text("utf-8")

    pythons = ci["jobs"]["tests"]["strategy"]["matrix"]["python"]

    assert pythons == re.findall(r"Python :: (3\.\d+)\"", pyproject)
