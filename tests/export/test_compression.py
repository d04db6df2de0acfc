"""Compressed files: complete at each commit, readable by every tool, truncated to what is confirmed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import slow_but
from export_destinations import rows_in

from paywint_async import IncompleteHistoryError, Payment, PaymentStatus
from paywint_async.export import (
    PAYMENTS,
    ExportError,
    Format,
    StreamSink,
    find_destination,
    make_sink,
    make_table,
    partial_path,
    transfer,
)

Read = Callable[..., Any]
Make = Callable[..., Payment]
ENDINGS = pytest.mark.parametrize(
    "ending", slow_but(["jsonl.gz", "jsonl.zst", "csv.gz", "csv.zst"], "jsonl.gz", "csv.zst")
)


def table_in(folder: Path, ending: str) -> Any:
    return make_table(f"{folder}/payments.{ending}", "sent")


def ids_in(path: Path) -> list[str]:
    return [row["payment_id"] for row in rows_in(str(path))]


async def fail(first: int) -> None:
    if first >= 50:
        raise IncompleteHistoryError("simulated")


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv.gz", Format.CSV), ("A.CSV.ZST", Format.CSV), ("a.gz", Format.JSONL)],
)
def test_the_format_is_the_ending_before_the_compression(name: str, format: Format) -> None:
    assert find_destination(name).format(None) is format


@ENDINGS
async def test_the_file_is_complete_at_each_commit(
    tmp_path: Path, read: Read, payments: list[Payment], ending: str
) -> None:
    seen = []

    def check(done: int, total: int | None) -> None:
        seen.append(len(ids_in(tmp_path / f"payments.{ending}")))

    await transfer(read(), table_in(tmp_path, ending), commit_every=0, on_progress=check)

    assert seen == [*range(10, 205, 10), 205]


@ENDINGS
async def test_an_unconfirmed_tail_is_truncated(
    tmp_path: Path, read: Read, payments: list[Payment], ending: str
) -> None:
    output = tmp_path / f"payments.{ending}"
    with pytest.raises(IncompleteHistoryError):
        await transfer(read(before_page=fail), table_in(tmp_path, ending))
    whole = output.read_bytes()
    with output.open("ab") as file:
        file.write(whole[:-7])  # an incomplete member

    await transfer(read(), table_in(tmp_path, ending))

    assert ids_in(output) == [str(each.payment_id) for each in payments]


@ENDINGS
async def test_without_a_checkpoint_it_appears_when_complete(
    tmp_path: Path, read: Read, payments: list[Payment], ending: str
) -> None:
    output = tmp_path / f"payments.{ending}"
    encoding = PAYMENTS[find_destination(str(output)).format(None)]
    with pytest.raises(IncompleteHistoryError):
        await transfer(read(before_page=fail), make_sink(str(output), encoding, None))
    assert not output.exists()
    part = Path(partial_path(str(output)))
    assert len(ids_in(part.rename(tmp_path / f"part.{ending}"))) == 50

    await transfer(read(), make_sink(str(output), encoding, None))

    assert ids_in(output) == [str(each.payment_id) for each in payments]


@ENDINGS
async def test_a_file_damaged_in_its_middle_is_reported(
    tmp_path: Path, read: Read, payment: Make, ending: str
) -> None:
    output = tmp_path / f"payments.{ending}"
    many = [payment(n, status=PaymentStatus.PENDING) for n in range(1, 3000)]
    await transfer(read(many), table_in(tmp_path, ending), commit_every=0)
    damaged = bytearray(output.read_bytes())
    damaged[1000:1200] = bytes(200)
    output.write_bytes(damaged)
    table = table_in(tmp_path, ending)
    await table.open()

    with pytest.raises(ExportError, match=r"cannot read .*: "):
        [ids async for ids in table.pending()]

    await table.close(complete=False)


async def test_the_same_payments_make_the_same_bytes(tmp_path: Path, read: Read) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        await transfer(read(), table_in(tmp_path / folder, "csv.gz"))

    first, second = (tmp_path / folder / "payments.csv.gz" for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


async def test_a_checkpoint_of_a_plain_file_does_not_fit_a_compressed_one(
    tmp_path: Path, read: Read
) -> None:
    await transfer(read(), table_in(tmp_path, "jsonl"))
    (tmp_path / "payments.jsonl.checkpoint").rename(tmp_path / "payments.jsonl.gz.checkpoint")

    with pytest.raises(ExportError, match=r"belongs to a format of 'jsonl', not 'jsonl\.gz'"):
        await transfer(read(), table_in(tmp_path, "jsonl.gz"))


def test_only_regular_files_are_compressed(tmp_path: Path) -> None:
    (tmp_path / "device.gz").symlink_to("/dev/null")

    with pytest.raises(ExportError, match="not a regular file, and only those can be compressed"):
        make_sink(f"{tmp_path}/device.gz", PAYMENTS[Format.JSONL], None)

    assert isinstance(make_sink("-", PAYMENTS[Format.JSONL], None), StreamSink)


def test_without_the_extra_the_error_names_it(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['backports'] = sys.modules['compression.zstd'] = None\n"
        "from paywint_async._cli import main\n"
        "sys.exit(main(['export', '--emulator', '10', '--output', 'payments.jsonl.zst']))\n"
    )

    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr == (
        "paywint: files ending in .zst need an extra: pip install 'paywint-async[zstd]'\n"
    )


# -- a file that is replaced by a refresh --------------------------------------------------------


@pytest.mark.parametrize("took_its_place", [False, True])
@pytest.mark.parametrize("ending", ["jsonl", "csv.gz"])
async def test_after_a_kill_during_the_replacement_the_next_run_recognises_the_file(
    tmp_path: Path, payment: Make, ending: str, took_its_place: bool
) -> None:
    output, saved = tmp_path / f"payments.{ending}", tmp_path / f"payments.{ending}.checkpoint"
    table = table_in(tmp_path, ending)
    await table.open()
    await table.write([payment(1, status=PaymentStatus.PENDING), payment(2)])
    await table.commit({"delivered": 2})
    former, before = output.read_bytes(), json.loads(saved.read_bytes())
    assert [len(ids) async for ids in table.pending()] == [1]
    await table.refresh([payment(1, description="a longer row than the one before it")])
    await table.commit({"delivered": 2})
    await table.close(complete=True)
    latter, after = output.read_bytes(), json.loads(saved.read_bytes())

    successor = {name: after[name] for name in ("size", "tail")}
    saved.write_text(json.dumps(before | {"successor": successor}))
    output.write_bytes(latter if took_its_place else former)
    for number in (3, 4):
        table = table_in(tmp_path, ending)
        assert await table.open() == {"delivered": 2}
        await table.write([payment(number)])
        if number == 4:  # the previous run is killed before its commit
            await table.commit({"delivered": 3})
        await table.close(complete=False)

    statuses = [row["status"] for row in rows_in(str(output))]
    assert statuses == ["success" if took_its_place else "pending", "success", "success"]
    assert ids_in(output)[-1][-1] == "4"


async def table_before_commit_of_a_refresh(folder: Path, payment: Make, ending: str) -> Any:
    """A table with many rows and a refresh of one of them that is not committed yet."""
    table = table_in(folder, ending)
    await table.open()
    await table.write([payment(1, status=PaymentStatus.PENDING)])
    await table.write([payment(number) for number in range(2, 3002)])
    await table.commit({"delivered": 3001})
    assert [len(ids) async for ids in table.pending()] == [1]
    await table.refresh([payment(1)])
    return table


@pytest.mark.parametrize("ending", ["jsonl", "csv.gz"])
async def test_a_full_disk_leaves_the_file_and_its_checkpoint(
    tmp_path: Path, payment: Make, disk_of: Callable[[int], Any], ending: str
) -> None:
    table = await table_before_commit_of_a_refresh(tmp_path, payment, ending)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with disk_of(10_000), pytest.raises(ExportError, match="File too large"):
        await table.commit({"delivered": 3001})
    await table.close(complete=False)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a directory; Windows has a file for each held lock, too."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


@pytest.mark.parametrize("ending", ["jsonl", "csv.gz"])
async def test_a_cancelled_refresh_leaves_the_file_unchanged(
    tmp_path: Path, payment: Make, ending: str
) -> None:
    table = await table_before_commit_of_a_refresh(tmp_path, payment, ending)
    before = contents(tmp_path)

    task = asyncio.create_task(table.commit({"delivered": 3001}))
    for _ in range(3):
        await asyncio.sleep(0)
    assert any(path.suffix == ".tmp" for path in tmp_path.iterdir())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await table.close(complete=False)

    assert contents(tmp_path) == before
