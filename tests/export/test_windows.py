"""The export's `_windows` module, under the file rules that `windows_simulation` simulates."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from windows_simulation import simulate

import paywint_async
from paywint_async.export import _windows
from paywint_async.export._errors import ExportError, OutputClosedError, OutputInUseError
from paywint_async.export._files import open_locked, put_in_place, replacement, temporary_path
from paywint_async.export._stream import Stream

HERE = Path(__file__).parent
MODULES = ["checkpoint", "compression", "destinations", "files", "parquet", "refresh", "xlsx"]
# Different on Windows: an open file is never replaced or removed, permissions are the directory's, and
# lock files are in the directories that these tests compare.
ONLY_ON_POSIX = [
    "test_files.py::test_a_file_replaced_meanwhile_is_detected_at_the_next_commit",
    "test_files.py::test_permissions_and_links_are_kept_by_the_replacement",
    "test_checkpoint.py::test_a_file_that_was_removed_while_it_was_opened_is_in_use",
    "test_checkpoint.py::test_a_symbolic_link_and_permissions_are_kept",
    "test_checkpoint.py::test_a_full_disk_keeps_the_previous_checkpoint",
    "test_compression.py::test_a_full_disk_leaves_the_file_and_its_checkpoint",
    "test_compression.py::test_a_cancelled_refresh_leaves_the_file_unchanged",
]
# Slow, and the same on every system.
THE_SAME = [
    "test_compression.py::test_a_file_damaged_in_its_middle_is_reported",
    "test_compression.py::test_without_the_extra_the_error_names_it",
    "test_files.py::test_after_a_full_disk_at_any_byte_a_rerun_completes_the_export",
]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applies Windows' file rules until the test's end."""
    simulate(monkeypatch)


@pytest.fixture
def opened(windows: None, tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    """`opened(name)`: a locked file, its descriptor and its path."""

    def open_file(name: str) -> tuple[int, str]:
        path = str(tmp_path / name)
        return open_locked(path), path

    return open_file


@pytest.mark.slow
@pytest.mark.real_time
@pytest.mark.parametrize("module", MODULES)
def test_the_tests_of_files_hold_on_windows(module: str) -> None:
    deselected = [f"--deselect=tests/export/{name}" for name in ONLY_ON_POSIX + THE_SAME]
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-n", "0"),
            *("-p", "windows_run", "-p", "no:cacheprovider"),
            *deselected,
            f"tests/export/test_{module}.py",
        ],
        cwd=HERE.parents[1],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(
                [
                    str(HERE.parent / "support"),
                    str(HERE),
                    str(Path(paywint_async.__file__).parents[1]),
                ]
            ),
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-2000:]
    assert " passed" in finished.stdout


class TestALock:
    def test_is_refused_while_another_holds_it(self, opened):
        fd, path = opened("a")
        with pytest.raises(OutputInUseError):
            open_locked(path)
        _windows.close(fd)
        _windows.close(open_locked(path))

    def test_leaves_nothing_behind(self, opened, tmp_path):
        fd, _ = opened("a")
        _windows.close(fd)
        assert os.listdir(tmp_path) == ["a"]

    def test_does_not_prevent_reading(self, opened):
        fd, path = opened("a")
        os.write(fd, b"text")
        assert Path(path).read_bytes() == b"text"
        _windows.close(fd)

    def test_of_a_directory_is_refused_while_another_holds_it(self, windows, tmp_path):
        fd = _windows.lock_directory(str(tmp_path))
        assert fd is not None
        assert _windows.lock_directory(str(tmp_path)) is None
        _windows.close(fd)
        assert os.listdir(tmp_path) == []

    def test_of_a_symbolic_link_is_refused(self, windows, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ExportError, match="symbolic link"):
            open_locked(str(tmp_path / "link"))


class TestAReplacement:
    def test_takes_the_name_of_a_file_that_is_open(self, opened, tmp_path):
        former, path = opened("a")
        os.write(former, b"old")
        with replacement(path) as fd:
            os.write(fd, b"new")
            put_in_place(fd, temporary_path(path), path)
        _windows.close(former)
        os.write(fd, b" and more")
        assert Path(path).read_bytes() == b"new and more"
        with pytest.raises(OutputInUseError):
            open_locked(path)
        _windows.close(fd)
        assert os.listdir(tmp_path) == ["a"]

    def test_may_be_replaced_again(self, opened):
        held, path = opened("a")
        for text in (b"1", b"22", b"333"):
            with replacement(path) as fd:
                os.write(fd, text)
                put_in_place(fd, temporary_path(path), path)
            _windows.close(held)
            held = fd
        assert Path(path).read_bytes() == b"333"
        _windows.close(held)

    def test_may_be_replaced_again_while_former_files_are_open(self, opened, tmp_path):
        held, path = opened("a")
        formers = [held]
        for text in (b"1", b"22", b"333"):
            with replacement(path) as fd:
                os.write(fd, text)
                put_in_place(fd, temporary_path(path), path)
            formers.append(fd)
            with pytest.raises(OutputInUseError):
                open_locked(path)
        for former in formers[:-1]:
            _windows.close(former)
        with pytest.raises(OutputInUseError):
            open_locked(path)
        _windows.close(formers[-1])
        assert Path(path).read_bytes() == b"333"
        assert os.listdir(tmp_path) == ["a"]

    def test_that_another_program_prevents_leaves_both_files_as_they_were(self, opened):
        former, path = opened("a")
        os.write(former, b"old")
        with Path(path).open("rb"):  # such as Excel
            with pytest.raises(PermissionError), replacement(path) as fd:
                os.write(fd, b"new")
                put_in_place(fd, temporary_path(path), path)
            os.write(former, b" and more")
            assert Path(path).read_bytes() == b"old and more"
        with replacement(path) as fd:
            os.write(fd, b"new")
            put_in_place(fd, temporary_path(path), path)
        assert Path(path).read_bytes() == b"new"
        _windows.close(former)
        _windows.close(fd)

    def test_of_a_file_that_is_not_open_needs_no_former_file(self, opened, tmp_path):
        fd, path = opened("a.part")
        os.write(fd, b"all")
        put_in_place(fd, path, str(tmp_path / "a"))
        _windows.close(fd)
        assert (tmp_path / "a").read_bytes() == b"all"
        assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_is_open_is_removed(opened, tmp_path):
    fd, path = opened("a.part")
    _windows.remove(path)
    _windows.close(fd)
    assert os.listdir(tmp_path) == []


async def test_a_pipe_whose_reader_has_gone_away_is_reported(windows, monkeypatch):
    def refuse(_fd: int, _data: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "write", refuse)
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb"), pytest.raises(OutputClosedError) as caught:
        await Stream(writer, "stdout").send(b"payment")
    assert str(caught.value) == "cannot write stdout: its reader has gone away"


async def test_a_console_gets_whole_characters(windows):
    controller, console = os.openpty()
    text = "ß" * 100 + "\n"
    with os.fdopen(controller, "rb", 0) as shown, os.fdopen(console, "wb"):
        await Stream(console, "stdout").send(text.encode())
        assert shown.read(1000).decode() == text.replace("\n", "\r\n")


def test_reading_moves_no_position(opened):
    fd, path = opened("a")
    os.write(fd, b"12345")
    assert _windows.read_at(fd, 2, 1) == b"23"
    os.write(fd, b"6")
    assert Path(path).read_bytes() == b"123456"
    _windows.close(fd)
