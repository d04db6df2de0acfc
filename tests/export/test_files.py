"""The file sinks: the output and its checkpoint always agree, and a rerun loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paywint_async import IncompleteHistoryError, Payment
from paywint_async.export import (
    PAYMENTS,
    AtomicFile,
    CheckpointFile,
    ExportError,
    Format,
    ResumableFile,
    make_sink,
    partial_path,
    transfer,
)

Read = Callable[..., Any]
DiskOf = Callable[[int], AbstractContextManager[None]]
FORMATS = list(Format)


@pytest.mark.parametrize("name", ["checkpoint.tmp", "output.part"])
async def test_temporary_files_beside_the_output_never_follow_a_link(
    tmp_path: Path, read: Read, name: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("years of work")
    (tmp_path / name).symlink_to(precious)  # as anyone who may write into the folder can do
    make = replaced if name == "output.part" else resumable

    problem = await failure_of(transfer(read(), make(tmp_path)))

    assert precious.read_text() == "years of work"
    assert problem is not None
    assert problem.startswith(f"cannot open {tmp_path / name}: ")


def resumable(folder: Path, format: Format = Format.JSONL) -> ResumableFile[Payment]:
    checkpoint = CheckpointFile(str(folder / "checkpoint"), format=format, direction="sent")
    return ResumableFile(str(folder / "output"), PAYMENTS[format], checkpoint)


def replaced(folder: Path, format: Format = Format.JSONL) -> AtomicFile[Payment]:
    return AtomicFile(str(folder / "output"), PAYMENTS[format])


def whole(payments: list[Payment], format: Format = Format.JSONL) -> bytes:
    return PAYMENTS[format].header + PAYMENTS[format].encode(payments)


def stop_at(number: int) -> Callable[[int], Any]:
    async def before_page(first: int) -> None:
        if first >= number:
            raise IncompleteHistoryError("simulated")

    return before_page


async def stopped(read: Read, sink: Any, number: int) -> None:
    with pytest.raises(IncompleteHistoryError):
        await transfer(read(before_page=stop_at(number)), sink)


async def failure_of(work: Coroutine[Any, Any, Any]) -> str | None:
    """Return the message of the work's ExportError; None if it succeeds."""
    try:
        await work
    except ExportError as error:
        return str(error)
    return None


# -- with a checkpoint ---------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
async def test_a_stopped_and_continued_export_equals_one_run(
    tmp_path: Path, read: Read, payments: list[Payment], format: Format
) -> None:
    for number in (0, 30, 60, 200):
        await stopped(read, resumable(tmp_path, format), number)

    await transfer(read(), resumable(tmp_path, format))

    assert (tmp_path / "output").read_bytes() == whole(payments, format)


async def test_an_empty_history_has_a_header_once(tmp_path: Path, read: Read) -> None:
    for _ in range(2):
        await transfer(read([]), resumable(tmp_path, Format.CSV))

    assert (tmp_path / "output").read_bytes() == PAYMENTS[Format.CSV].header


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=3000), format=st.sampled_from(Format))
async def test_an_unconfirmed_tail_is_truncated(
    tmp_path_factory: pytest.TempPathFactory,
    read: Read,
    payments: list[Payment],
    tail: bytes,
    format: Format,
) -> None:
    folder = tmp_path_factory.mktemp("export")
    await stopped(read, resumable(folder, format), 50)
    with (folder / "output").open("ab") as output:
        output.write(tail)

    await transfer(read(), resumable(folder, format))

    assert (folder / "output").read_bytes() == whole(payments, format)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
async def test_after_a_full_disk_at_any_byte_a_rerun_completes_the_export(
    tmp_path_factory: pytest.TempPathFactory,
    read: Read,
    payments: list[Payment],
    disk_of: DiskOf,
    format: Format,
) -> None:
    full = len(whole(payments, format))
    failures = 0
    for size in range(0, full + 200, full // 70):
        folder = tmp_path_factory.mktemp("export")
        with disk_of(size):
            problem = await failure_of(transfer(read(), resumable(folder, format), commit_every=0))
        assert problem is None or problem.endswith("File too large")
        failures += problem is not None

        await transfer(read(), resumable(folder, format))

        assert (folder / "output").read_bytes() == whole(payments, format)
    assert failures > 50


async def test_at_each_commit_the_checkpoint_fits_the_file(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    output = tmp_path / "output"
    sizes = []

    def check(done: int, total: int | None) -> None:
        confirmed = json.loads((tmp_path / "checkpoint").read_bytes())
        sizes.append(confirmed["size"])
        assert output.read_bytes()[: confirmed["size"]] == whole(
            payments[: confirmed["listing"]["delivered"]]
        )

    await transfer(read(), resumable(tmp_path), commit_every=0, on_progress=check)

    assert sizes == sorted(set(sizes))
    assert len(sizes) == 21


@pytest.mark.parametrize("length", [0, 5000])
async def test_an_output_that_lost_bytes_is_never_continued(
    tmp_path: Path, read: Read, length: int
) -> None:
    await stopped(read, resumable(tmp_path), 100)
    size = (tmp_path / "output").stat().st_size
    os.truncate(tmp_path / "output", length)

    with pytest.raises(ExportError) as caught:
        await transfer(read(), resumable(tmp_path))

    assert f"has {length:,} bytes, but {tmp_path}/checkpoint says {size:,}" in str(caught.value)


async def test_a_missing_output_is_not_continued(tmp_path: Path, read: Read) -> None:
    await stopped(read, resumable(tmp_path), 100)
    (tmp_path / "output").unlink()

    with pytest.raises(ExportError, match="has 0 bytes"):
        await transfer(read(), resumable(tmp_path))

    assert os.listdir(tmp_path) == ["checkpoint"]


async def test_another_file_is_neither_truncated_nor_appended_to(
    tmp_path: Path, read: Read
) -> None:
    await stopped(read, resumable(tmp_path), 100)
    other = b"x" * 100_000
    (tmp_path / "output").write_bytes(other)

    with pytest.raises(ExportError, match="is not the file that"):
        await transfer(read(), resumable(tmp_path))

    assert (tmp_path / "output").read_bytes() == other


async def test_an_existing_file_without_a_checkpoint_is_refused(tmp_path: Path, read: Read) -> None:
    (tmp_path / "output").write_bytes(b"my diary")

    with pytest.raises(ExportError, match=r"is not empty and .* is new"):
        await transfer(read(), resumable(tmp_path))

    assert (tmp_path / "output").read_bytes() == b"my diary"


async def test_a_file_replaced_meanwhile_is_detected_at_the_next_commit(
    tmp_path: Path, read: Read
) -> None:
    async def replace(first: int) -> None:
        if first == 50:
            (tmp_path / "new").write_bytes(b"")
            os.replace(tmp_path / "new", tmp_path / "output")

    with pytest.raises(ExportError, match="was moved, removed or replaced during the export"):
        await transfer(read(before_page=replace), resumable(tmp_path))


async def test_one_output_serves_one_export_at_a_time(tmp_path: Path, read: Read) -> None:
    checkpoint = CheckpointFile(str(tmp_path / "other"), format="jsonl", direction="sent")
    other = ResumableFile(str(tmp_path / "output"), PAYMENTS[Format.JSONL], checkpoint)
    first = resumable(tmp_path)
    await first.open()

    for second in (resumable(tmp_path), other):
        with pytest.raises(ExportError, match="is being written by another export"):
            await transfer(read(), second)

    await first.close(complete=False)
    await transfer(read(), resumable(tmp_path))


async def test_a_symbolic_link_to_the_output_is_followed(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    (tmp_path / "output").symlink_to(tmp_path / "far away")

    await transfer(read(), resumable(tmp_path))

    assert (tmp_path / "output").is_symlink()
    assert (tmp_path / "far away").read_bytes() == whole(payments)


async def test_an_output_that_cannot_be_opened_is_named(tmp_path: Path, read: Read) -> None:
    checkpoint = CheckpointFile(str(tmp_path / "checkpoint"), format="jsonl", direction="sent")
    path = tmp_path / "missing" / "output"

    with pytest.raises(ExportError) as caught:
        await transfer(read(), make_sink(str(path), PAYMENTS[Format.JSONL], checkpoint))

    assert str(caught.value) == f"cannot open {path}: No such file or directory"


# -- without a checkpoint ------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
async def test_the_file_appears_when_it_is_complete(
    tmp_path: Path, read: Read, payments: list[Payment], format: Format
) -> None:
    seen = []

    await transfer(
        read(),
        replaced(tmp_path, format),
        on_progress=lambda done, total: seen.append((tmp_path / "output").exists()),
    )

    assert seen == [False] * 21
    assert (tmp_path / "output").read_bytes() == whole(payments, format)
    assert os.listdir(tmp_path) == ["output"]


async def test_a_stopped_export_keeps_the_previous_file_and_a_part(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    (tmp_path / "output").write_bytes(b"last month")

    await stopped(read, replaced(tmp_path), 50)

    assert (tmp_path / "output").read_bytes() == b"last month"
    assert Path(partial_path(str(tmp_path / "output"))).read_bytes() == whole(payments[:50])


async def test_an_old_part_is_overwritten(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    await stopped(read, replaced(tmp_path), 200)

    await transfer(read(payments[:20]), replaced(tmp_path))

    assert (tmp_path / "output").read_bytes() == whole(payments[:20])
    assert os.listdir(tmp_path) == ["output"]


async def test_no_part_is_left_without_payments(tmp_path: Path, read: Read) -> None:
    await stopped(read, replaced(tmp_path, Format.CSV), 0)

    assert os.listdir(tmp_path) == []


async def test_two_exports_into_one_file_do_not_mix(tmp_path: Path, read: Read) -> None:
    first = replaced(tmp_path)
    await first.open()

    with pytest.raises(ExportError, match="is being written by another export"):
        await transfer(read(), replaced(tmp_path))

    await first.close(complete=False)
    await first.close(complete=False)


async def test_permissions_and_links_are_kept_by_the_replacement(
    tmp_path: Path, read: Read
) -> None:
    target = tmp_path / "private"
    target.touch(mode=0o600)
    (tmp_path / "output").symlink_to(target)

    await transfer(read(), replaced(tmp_path))

    assert (tmp_path / "output").is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.stat().st_size > 0


async def test_a_full_disk_keeps_the_previous_file(
    tmp_path: Path, read: Read, payments: list[Payment], disk_of: DiskOf
) -> None:
    (tmp_path / "output").write_bytes(b"last month")

    for size in range(0, len(whole(payments)), 4001):
        with disk_of(size), pytest.raises(ExportError, match="File too large"):
            await transfer(read(), replaced(tmp_path))

        assert (tmp_path / "output").read_bytes() == b"last month"


async def test_a_directory_as_output_is_refused(tmp_path: Path, read: Read) -> None:
    (tmp_path / "output").mkdir()

    with pytest.raises(ExportError) as caught:
        await transfer(read(), make_sink(str(tmp_path / "output"), PAYMENTS[Format.JSONL], None))

    assert str(caught.value) == f"cannot open {tmp_path}/output: Is a directory"


async def test_a_file_that_becomes_a_directory_meanwhile_is_reported(
    tmp_path: Path, read: Read
) -> None:
    sink = replaced(tmp_path)

    with pytest.raises(ExportError, match="cannot write"):
        await transfer(
            read(),
            sink,
            on_progress=lambda done, total: (tmp_path / "output").mkdir(exist_ok=True),
        )
    with suppress(FileNotFoundError):
        (tmp_path / "output").rmdir()
