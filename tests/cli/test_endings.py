"""File name endings: formats, spreadsheets and Excel files; an unknown ending is wrong usage."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import slow_but
from python_calamine import CalamineWorkbook

from paywint_async._cli import main

Command = Callable[..., Any]

NAMES = ["a.xml", "a.json", "a.JSON", "a.parquet.gz", "a.txt.gz"]
COMMANDS = pytest.mark.parametrize("command", [["sync"], ["export", "--output"]])
SHOWN_COMMANDS = [
    "export",
    "sync",
    "reconcile",
    "doctor",
    "link create",
    "payment list",
    "emulator",
]


@COMMANDS
@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_ending_is_refused_before_anything_is_requested(
    serve: Command, use: Command, paywint: Command, tmp_path: Path, command: list[str], name: str
) -> None:
    account = serve(payments=10)
    use(account.environment)

    outcome = paywint(*command, tmp_path / name)

    assert (outcome.code, outcome.out, os.listdir(tmp_path)) == (2, "", [])
    assert f"{name}: no destination has the ending ." in outcome.err
    assert outcome.err.endswith("or use --format\n")
    assert account.request_count == 0


@COMMANDS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("format", "start"), [("csv", b"payment_id,"), ("jsonl", b'{"payment_id"')]
)
def test_format_replaces_an_unknown_ending(
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


@COMMANDS
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a"])
def test_a_spreadsheet_is_csv_with_a_byte_order_mark(
    paywint: Command, tmp_path: Path, command: list[str], name: str
) -> None:
    arguments = (*command, tmp_path / name, "--spreadsheet")
    assert paywint(*arguments, "--emulator", 10).code == 0

    data = (tmp_path / name).read_bytes()
    text = gzip.decompress(data) if name.endswith(".gz") else data
    assert text.startswith(b"\xef\xbb\xbfpayment_id,")
    assert text.count(b"\n") >= 11


def test_a_spreadsheet_is_continued_as_a_spreadsheet_and_not_as_other_csv(
    paywint: Command, tmp_path: Path
) -> None:
    output = tmp_path / "a.csv"
    assert paywint("sync", output, "--spreadsheet", "--emulator", 10).code == 0
    assert paywint("sync", output, "--spreadsheet", "--emulator", 20).code == 0

    other = paywint("sync", output, "--emulator", 20)

    assert output.read_bytes().count(b"\xef\xbb\xbf") == 1
    assert other.code == 1
    assert "belongs to a format of 'spreadsheet', not 'csv'" in other.err


@COMMANDS
@pytest.mark.parametrize("name", ["a.jsonl", "a.xlsx", "a.parquet"])
def test_spreadsheet_is_refused_for_other_formats_than_csv(
    paywint: Command, tmp_path: Path, command: list[str], name: str
) -> None:
    outcome = paywint(*command, tmp_path / name, "--spreadsheet", "--emulator", 10)

    assert (outcome.code, os.listdir(tmp_path)) == (2, [])
    assert "--spreadsheet is for CSV" in outcome.err


def test_stdout_for_a_spreadsheet_is_csv(paywint: Command) -> None:
    assert paywint("export", "--spreadsheet", "--emulator", 3).out.startswith("\ufeffpayment_id,")


def test_an_excel_file_is_exported_continued_and_kept_up_to_date(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=30)
    use(account.environment)
    checkpoint = ("--checkpoint", tmp_path / "cp")
    assert paywint("export", "--output", tmp_path / "a.xlsx", *checkpoint).code == 0
    assert paywint("sync", tmp_path / "b.xlsx").code == 0
    old = account.ids()
    account.arrive(5)

    assert paywint("export", "--output", tmp_path / "a.xlsx", *checkpoint).code == 0
    assert paywint("sync", tmp_path / "b.xlsx").code == 0

    for name in ("a.xlsx", "b.xlsx"):
        book = CalamineWorkbook.from_path(str(tmp_path / name))
        ids = [row[0] for row in book.get_sheet_by_index(0).to_python()[1:]]
        assert ids == old + [each for each in account.ids() if each not in old]


@pytest.mark.parametrize(
    "arguments", slow_but([["a.xlsx"], ["a.csv", "--spreadsheet"]], ["a.xlsx"])
)
def test_a_file_written_for_excel_can_be_reconciled(
    paywint: Command, tmp_path: Path, arguments: list[str]
) -> None:
    ledger, *options = tmp_path / arguments[0], *arguments[1:]
    emulated = ("--emulator", 200, "--direction", "both")
    assert paywint("sync", ledger, *options, *emulated).code == 0

    assert paywint("reconcile", ledger, *emulated).code == 0


@pytest.mark.parametrize("encoding", slow_but(["ascii", "cp437", "cp1252", "cp932"], "cp932"))
@pytest.mark.parametrize("command", ["", *SHOWN_COMMANDS])
def test_the_help_is_shown_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, command: str, encoding: str
) -> None:
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", shown)

    assert main([*command.split(), "--help"]) == 0
    assert shown.buffer.getvalue().startswith(f"Usage: paywint {command}".strip().encode())


@pytest.mark.parametrize("command", SHOWN_COMMANDS)
def test_the_help_shows_no_negated_options(paywint: Command, command: str) -> None:
    outcome = paywint(*command.split(), "--help")

    assert not {word for word in outcome.out.split() if word.startswith(("--no-", "--empty-"))}


@pytest.mark.parametrize("command", ["sync", "export"])
def test_the_help_shows_each_destination(paywint: Command, command: str) -> None:
    outcome = paywint(command, "--help")

    words = " ".join(outcome.out.replace("│", " ").split())
    for example in ("payments.jsonl", "payments.csv", "payments.parquet", "sqlite:///payments.db"):
        assert f"{example}:" in words
