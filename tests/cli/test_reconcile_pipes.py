"""`paywint reconcile` reads a ledger from a pipe: stdin, a FIFO, a process substitution."""

from __future__ import annotations

import gzip
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from support.growing_files import size_of

Command = Callable[..., Any]

EMULATED = ("--emulator", 50)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the command keeps temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # discards the cached directory
    return folder


@pytest.fixture
def piped(paywint: Command, temporary: Path) -> Command:
    """`piped(data, *arguments)`: runs the command with these bytes on its stdin, through a pipe."""

    def run(data: bytes, *arguments: object) -> Any:
        with stdin_from(data):
            return paywint("reconcile", *arguments)

    return run


@contextmanager
def stdin_from(data: bytes) -> Iterator[None]:
    """Replaces file descriptor 0 of this process by a pipe with the data."""
    reading, writing = os.pipe()
    former = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)
    thread = threading.Thread(target=_write, args=(writing, data))
    thread.start()
    try:
        yield
    finally:
        os.dup2(former, 0)  # closes the pipe, so that writing ends
        os.close(former)
        thread.join()


def _write(fd: int, data: bytes) -> None:
    with suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(data)


def exported(paywint: Command, folder: Path, ending: str) -> bytes:
    ledger = folder / f"ledger.{ending}"
    assert paywint("export", "--output", ledger, *EMULATED).code == 0
    return ledger.read_bytes()


@pytest.mark.parametrize(
    ("name", "ending"),
    [("-", "csv"), ("-", "csv.gz"), ("-", "jsonl.zst"), ("-", "xlsx"), ("/dev/stdin", "jsonl")],
)
def test_a_ledger_on_stdin_is_compared(
    paywint: Command, piped: Command, temporary: Path, tmp_path: Path, name: str, ending: str
) -> None:
    outcome = piped(exported(paywint, tmp_path, ending), name, *EMULATED)

    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "the books agree")
    assert os.listdir(temporary) == []


def test_a_fifo_is_compared(paywint: Command, tmp_path: Path) -> None:
    ledger = tmp_path / "fifo"
    os.mkfifo(ledger)
    data = exported(paywint, tmp_path, "csv")
    thread = threading.Thread(target=ledger.write_bytes, args=(data,))
    thread.start()

    outcome = paywint("reconcile", ledger, *EMULATED)
    thread.join()

    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "the books agree")


def test_a_piped_ledger_is_explained_and_its_profile_saved(piped: Command, tmp_path: Path) -> None:
    profile = tmp_path / "books.toml"
    books = b"Date;Amount\n31.01.2015;5,00\n"

    outcome = piped(books, "-", "--explain", "--save-profile", profile)

    assert outcome.code == 0
    assert "31.01.2015;5,00" in outcome.out
    assert 'date-format = "dmy"' in profile.read_text()


def test_a_profile_is_saved_after_a_piped_ledger_was_compared(
    piped: Command, tmp_path: Path
) -> None:
    profile = tmp_path / "books.toml"

    outcome = piped(b"Date;Amount\n31.01.2015;5,00\n", "-", *EMULATED, "--save-profile", profile)

    assert outcome.code == 3
    assert 'date-format = "dmy"' in profile.read_text()


@pytest.mark.parametrize(("name", "shown"), [("-", "stdin"), ("/dev/stdin", "/dev/stdin")])
def test_a_piped_ledger_that_cannot_be_read_is_named_as_it_was_given(
    piped: Command, temporary: Path, name: str, shown: str
) -> None:
    outcome = piped(b"Date,Amount\n2015-01-31,five\n", name, *EMULATED)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"paywint: {shown}, line 2, column 'Amount': 'five'")
    assert os.listdir(temporary) == []


def test_the_report_of_a_piped_ledger_names_stdin(piped: Command) -> None:
    outcome = piped(b"Date,Amount\n2015-01-31,5\n", "-", *EMULATED, "--json")

    assert '"ledger":"stdin"' in outcome.out.replace(" ", "")


def test_a_gzip_file_from_a_pipe_that_ends_too_early_is_refused(piped: Command) -> None:
    outcome = piped(gzip.compress(os.urandom(5000).hex().encode())[:2000], "-", *EMULATED)

    assert (outcome.code, outcome.out) == (1, "")
    assert "the compressed file ends too early" in outcome.err


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_waiting_for_a_pipe_is_interrupted_and_nothing_is_left(
    start: Command,
    end: Command,
    wait_until: Command,
    temporary: Path,
    number: signal.Signals,
    code: int,
) -> None:
    reading, writing = os.pipe()
    process = start("reconcile", "-", *EMULATED, stdin=reading)
    os.close(reading)
    os.write(writing, b"Date,Amount\n")
    wait_until(process, lambda: any(map(size_of, temporary.glob("paywint-*/*"))))
    process.send_signal(number)
    outcome = end(process)
    os.close(writing)

    assert (outcome.code, outcome.out) == (code, "")
    assert os.listdir(temporary) == []


@pytest.mark.parametrize(
    "arguments", [("--nope",), ("--nope", "a.csv"), ("a.csv", "--nope"), ("-x",)]
)
def test_an_unknown_option_is_not_treated_as_a_ledger(
    paywint: Command, arguments: tuple[str, ...]
) -> None:
    outcome = paywint("reconcile", *EMULATED, *arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert "option" in outcome.err


def test_options_before_stdin_are_options(piped: Command) -> None:
    outcome = piped(b"Date,Amount\n2015-01-31,5\n", *EMULATED, "--json", "-")

    assert (outcome.code, '"ledger":"stdin"' in outcome.out.replace(" ", "")) == (3, True)
