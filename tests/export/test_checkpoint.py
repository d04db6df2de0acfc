"""The checkpoint file: replaced atomically, locked by one export, and bound to its output."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from paywint_async.export import CheckpointFile, ExportError
from paywint_async.export._checkpoint import Confirmed

LISTING = {"version": 1, "delivered": 100}


def checkpoint_at(path: Path, format: str = "jsonl", direction: str = "sent") -> CheckpointFile:
    return CheckpointFile(str(path), format=format, direction=direction)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payments.checkpoint"


@pytest.fixture
def held(path: Path) -> Iterator[CheckpointFile]:
    with closing(checkpoint_at(path)) as checkpoint:
        assert checkpoint.open() is None
        yield checkpoint


def test_a_saved_checkpoint_is_read_by_the_next_export(path: Path) -> None:
    with closing(checkpoint_at(path)) as first:
        first.open()
        first.save(size=10, tail="ab", listing=None)
        first.save(size=4711, tail="cd", listing=LISTING)

    with closing(checkpoint_at(path)) as second:
        confirmed = second.open()

    assert confirmed == Confirmed(
        format="jsonl", direction="sent", size=4711, tail="cd", listing=LISTING
    )
    assert os.listdir(path.parent) == [path.name]


def test_an_empty_file_is_a_new_export(path: Path) -> None:
    path.touch()

    with closing(checkpoint_at(path)) as checkpoint:
        assert checkpoint.open() is None


def test_closing_twice_has_no_effect(held: CheckpointFile) -> None:
    held.close()
    held.close()


@pytest.mark.parametrize("saves", [0, 1, 2])
def test_a_second_export_is_refused_before_and_after_each_save(
    held: CheckpointFile, path: Path, saves: int
) -> None:
    for _ in range(saves):
        held.save(size=0, tail=None, listing=None)

    with closing(checkpoint_at(path)) as second, pytest.raises(ExportError) as caught:
        second.open()

    assert str(caught.value) == f"{path} is being written by another export"


def test_a_file_that_was_removed_while_it_was_opened_is_in_use(tmp_path: Path) -> None:
    from paywint_async.export._files import is_still

    path = tmp_path / "gone"
    with path.open("wb") as file:
        path.unlink()

        assert not is_still(file.fileno(), str(path))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"payment_id": 1}', "Object missing required field `format`"),
        (b"no json", "JSON is malformed"),
        (b'{"version": 2}', "Invalid enum value 2"),
        (b"\xff\xfe", "JSON is malformed"),
        (b'{"format": "\xff"}', "'utf-8' codec can't decode byte 0xff"),
        # The depth that Python parses depends on its version and the stack; the refusal does not.
        (b'{"listing": {"a": ' + b"[" * 100_000, ""),
    ],
)
def test_another_file_is_refused_unchanged(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)

    with closing(checkpoint_at(path)) as checkpoint, pytest.raises(ExportError) as caught:
        checkpoint.open()

    assert str(caught.value).startswith(f"{path} is not an export's checkpoint: {problem}")
    assert path.read_bytes() == content


def test_another_exports_checkpoint_is_refused(held: CheckpointFile, path: Path) -> None:
    held.save(size=0, tail=None, listing=None)
    held.close()

    with closing(checkpoint_at(path, format="csv")) as other, pytest.raises(ExportError) as caught:
        other.open()
    assert str(caught.value) == f"{path} belongs to a format of 'jsonl', not 'csv'"

    with (
        closing(checkpoint_at(path, direction="both")) as other,
        pytest.raises(ExportError) as caught,
    ):
        other.open()
    assert str(caught.value) == f"{path} belongs to a direction of 'sent', not 'both'"


def test_a_symbolic_link_and_permissions_are_kept(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.touch(mode=0o600)
    path.symlink_to(target)

    with closing(checkpoint_at(path)) as checkpoint:
        checkpoint.open()
        checkpoint.save(size=1, tail=None, listing=None)

    assert path.is_symlink()
    assert json.loads(target.read_bytes())["size"] == 1
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_device_is_never_replaced() -> None:
    with closing(checkpoint_at(Path("/dev/null"))) as checkpoint, pytest.raises(ExportError) as why:
        checkpoint.open()

    assert str(why.value) == "/dev/null is not a regular file"
    assert Path("/dev/null").is_char_device()


def test_the_error_names_a_missing_directory(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "checkpoint"

    with closing(checkpoint_at(path)) as checkpoint, pytest.raises(ExportError) as caught:
        checkpoint.open()

    assert str(caught.value) == f"cannot open {path}: No such file or directory"


def test_a_full_disk_keeps_the_previous_checkpoint(
    held: CheckpointFile, path: Path, disk_of: Callable[[int], AbstractContextManager[None]]
) -> None:
    held.save(size=1, tail=None, listing=LISTING)
    former = path.read_bytes()

    for size in range(len(former)):
        with disk_of(size), pytest.raises(ExportError, match="File too large"):
            held.save(size=2, tail=None, listing=LISTING)

        assert path.read_bytes() == former
    assert os.listdir(path.parent) == [path.name]
