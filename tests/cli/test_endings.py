"""A name that no destination has: nothing is asked, nothing is written, and the line says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

NAMES = ["a.xml", "a.json", "a.JSON", "a.parquet.gz", "a.txt.gz"]
COMMANDS = pytest.mark.parametrize("command", [["sync"], ["export", "--output"]])


@COMMANDS
@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_before_anything_is_asked(
    serve: Command, use: Command, paywint: Command, tmp_path: Path, command: list[str], name: str
) -> None:
    account = serve(payments=10)
    use(account.environment)

    outcome = paywint(*command, tmp_path / name)

    assert (outcome.code, outcome.out, os.listdir(tmp_path)) == (2, "", [])
    assert f"{name}: no destination has the ending ." in outcome.err
    assert outcome.err.endswith("or say --format\n")
    assert account.request_count == 0


@COMMANDS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("format", "start"), [("csv", b"payment_id,"), ("jsonl", b'{"payment_id"')]
)
def test_the_format_says_what_it_is(
    paywint: Command, tmp_path: Path, command: list[str], name: str, format: str, start: bytes
) -> None:
    outcome = paywint(*command, tmp_path / name, "--emulator", 10, "--format", format)

    assert outcome.code == 0
    written = (tmp_path / name).read_bytes()
    assert written.startswith(b"\x1f\x8b" if name.endswith(".gz") else start)


@COMMANDS
@pytest.mark.parametrize("name", ["a.parquet", "a/"])
def test_a_directory_has_no_format(
    paywint: Command, tmp_path: Path, command: list[str], name: str
) -> None:
    outcome = paywint(*command, f"{tmp_path}/{name}", "--emulator", 10, "--format", "csv")

    assert (outcome.code, os.listdir(tmp_path)) == (2, [])
    assert "--format is for files" in outcome.err


@pytest.mark.parametrize("command", ["sync", "export"])
def test_the_help_shows_each_destination(paywint: Command, command: str) -> None:
    outcome = paywint(command, "--help")

    words = " ".join(outcome.out.replace("│", " ").split())
    for example in ("payments.jsonl", "payments.csv", "payments.parquet", "sqlite:///payments.db"):
        assert f"{example}:" in words
