"""The guide "Close a month" shows the output of its commands, for the account in its picture."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SESSIONS = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
LEFT_OUT = "…\n"

pytestmark = pytest.mark.slow


def commands_of(guide: str) -> list[tuple[str, str]]:
    """Each command with the output shown in the guide."""
    found: list[tuple[str, str]] = []
    for session in SESSIONS.findall(guide):
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def is_shown(output: str, shown: str) -> bool:
    """Whether the output has the shown parts in this order, with others only where they are omitted."""
    parts = [re.escape(part) for part in shown.split(LEFT_OUT)]
    return re.fullmatch(r"(?:.*\n)*?".join(parts), output) is not None


async def run(command: str, folder: Path, environment: dict[str, str]) -> tuple[int | None, str]:
    program, *words = command.split()
    assert program == "paywint"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "paywint_async", *words),
        cwd=folder,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def run_all(commands: list[tuple[str, str]], folder: Path) -> None:
    from close_a_month import account_and_books  # type: ignore[import-not-found]

    async with account_and_books(folder) as environment:
        for command, shown in commands:
            code, output = await run(command, folder, environment)
            is_compared = "reconcile" in command and "--explain" not in command
            assert (code, command) == (3 if is_compared else 0, command), output
            assert is_shown(output, shown), output


def test_the_guide_shows_what_its_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    commands = commands_of((DOCS / "close-a-month.md").read_text("utf-8"))
    assert len(commands) == 5

    asyncio.run(run_all(commands, tmp_path))  # in real time, since it runs other processes

    assert "Invoice INV-2734" in (tmp_path / "may.html").read_text("utf-8")
    assert (tmp_path / "payments.xlsx").stat().st_size > 10_000


def test_the_picture_has_a_moderate_size() -> None:
    assert 10_000 < (DOCS / "_static" / "month.png").stat().st_size < 200_000
