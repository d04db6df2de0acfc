"""Parquet and Arrow: exact columns, complete parts, and the checkpoint in the last part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paywint_async import (
    Payment,
    PaymentStatus,
    PaywintClient,
    PrecisionError,
    payments_to_arrow,
)
from paywint_async.emulator import Emulator
from paywint_async.export import ExportError, Table, make_table, transfer

Read = Callable[..., Any]
Make = Callable[..., Payment]


def table_in(folder: Path, direction: str = "sent") -> Table[Any]:
    return make_table(f"{folder}/payments.parquet", direction)


async def fill(table: Table[Any], *pages: Sequence[Payment]) -> Any:
    try:
        start = await table.open()
        for number, page in enumerate(pages):
            await table.write(page)
            await table.commit({"delivered": number})
    finally:
        await table.close(complete=False)
    return start


def parts_of(folder: Path) -> list[str]:
    return sorted(os.listdir(folder / "payments.parquet"))


def test_amounts_are_decimals_and_times_have_their_zone(payment: Make) -> None:
    moment = datetime(2025, 6, 1, 12, 0, 0, 739761, tzinfo=timezone(timedelta(hours=2)))

    batch = payments_to_arrow([payment(1, amount=Decimal("0.10"), created_at=moment)])

    assert batch.schema.names == [field.name for field in attrs.fields(Payment)]
    assert batch.schema.field("amount").type == pa.decimal128(38, 10)
    assert batch.schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert batch["amount"][0].as_py() == Decimal("0.10")
    assert batch["created_at"][0].as_py() == moment.astimezone(UTC)


@pytest.mark.parametrize("amount", ["0.00000000001", "1E+28", "9" * 29, "1E+400"])
def test_an_amount_that_does_not_fit_is_refused_and_never_rounded(
    payment: Make, amount: str
) -> None:
    wrong = payment(2, amount=Decimal(amount))

    with pytest.raises(PrecisionError) as caught:
        payments_to_arrow([payment(1), wrong])

    assert str(caught.value) == (
        f"payment {wrong.payment_id} has an amount of {Decimal(amount)}, which decimal128(38, 10) "
        "cannot hold exactly: use JSON lines, CSV or SQL"
    )


async def test_a_refused_amount_loses_only_uncommitted_rows(tmp_path: Path, payment: Make) -> None:
    with pytest.raises(PrecisionError):
        await fill(table_in(tmp_path), [payment(1)], [payment(2, amount=Decimal("1E-11"))])

    assert await fill(table_in(tmp_path)) == {"delivered": 0}
    assert pq.read_table(tmp_path / "payments.parquet").num_rows == 1


async def test_a_listing_comes_as_arrow_batches_a_page_each() -> None:
    async with (
        Emulator(hostile=True, payments=250) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        batches = [each async for each in client.payments.received().arrow_batches()]
        entries = [each async for each in client.payments.history().arrow_batches()]
        ids = emulator.history("received")

    assert [batch.num_rows for batch in batches] == [100, 100, 50]
    assert pa.Table.from_batches(batches)["payment_id"].to_pylist() == ids
    both = pa.Table.from_batches(entries)
    assert both.num_rows == 500
    assert both.filter(pa.compute.equal(both["direction"], "received"))["payment_id"] == (
        pa.chunked_array([ids])
    )


async def test_leaving_the_batches_early_ends_the_requests() -> None:
    async with (
        Emulator(hostile=True, payments=5000, latency=0.01) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        async with client.payments.received() as listing:
            async for _batch in listing.arrow_batches():
                break
        asked = emulator.request_count
        assert emulator.in_flight == 0

    assert asked < 30


def test_without_the_extra_the_error_names_it() -> None:
    program = (
        "import sys\n"
        "sys.modules['pyarrow'] = sys.modules['sqlalchemy'] = None\n"
        "from paywint_async import ConfigurationError\n"
        "from paywint_async.export import make_table\n"
        "for output in ('a.parquet', 'sqlite:///a.db'):\n"
        "    try:\n"
        "        make_table(output, 'sent')\n"
        "    except ConfigurationError as error:\n"
        "        print(error)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )

    assert finished.stdout == (
        "Arrow and Parquet need an extra: pip install 'paywint-async[parquet]'\n"
        "databases need an extra: pip install 'paywint-async[sql]'\n"
    )


async def test_each_commit_is_one_part_once_a_part_has_many_rows(
    tmp_path: Path, payment: Make
) -> None:
    many = [payment(n) for n in range(1, 10_001)]

    await fill(table_in(tmp_path), many, many, [payment(10_001)])

    assert parts_of(tmp_path) == [f"part-00000{n}.parquet" for n in range(3)]


async def test_small_commits_do_not_make_a_part_each(tmp_path: Path, payment: Make) -> None:
    for number in range(1, 30):
        await fill(table_in(tmp_path), [payment(number)])

    assert parts_of(tmp_path) == ["part-000000.parquet"]
    assert pq.read_table(tmp_path / "payments.parquet").num_rows == 29


async def test_a_reader_always_finds_complete_parts(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    folder = tmp_path / "payments.parquet"
    seen = []

    def check(done: int, total: int | None) -> None:
        if os.listdir(folder):
            footer = pq.read_metadata(folder / parts_of(tmp_path)[-1]).metadata
            listing = json.loads(footer[b"paywint"])["listing"]
            seen.append(pq.read_table(folder).num_rows)
            assert listing == {"delivered": seen[-1]}

    await transfer(read(), table_in(tmp_path), commit_every=0, on_progress=check)

    assert seen == [*range(10, 205, 10), 205]


async def test_temporary_files_of_a_killed_process_are_removed(
    tmp_path: Path, payment: Make
) -> None:
    await fill(table_in(tmp_path), [payment(1)])
    (tmp_path / "payments.parquet.tmp").write_bytes(b"half a part")

    await fill(table_in(tmp_path))

    assert os.listdir(tmp_path) == ["payments.parquet"]


async def test_a_refresh_replaces_only_the_parts_it_concerns(tmp_path: Path, payment: Make) -> None:
    many = [payment(n) for n in range(1, 10_002)]
    open_ = payment(20_000, status=PaymentStatus.OPENED)
    await fill(table_in(tmp_path), many, [*many, open_], many)
    before = [(tmp_path / "payments.parquet" / name).stat().st_ino for name in parts_of(tmp_path)]

    table = table_in(tmp_path)
    checkpoint = await table.open()
    assert [ids async for ids in table.pending()] == [[open_.payment_id]]
    await table.refresh([payment(20_000)])
    await table.commit(checkpoint)
    await table.close(complete=True)

    after = [(tmp_path / "payments.parquet" / name).stat().st_ino for name in parts_of(tmp_path)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert await fill(table_in(tmp_path)) == {"delivered": 2}


async def test_a_directory_with_other_files_is_refused_unchanged(tmp_path: Path) -> None:
    (tmp_path / "payments.parquet").mkdir()
    (tmp_path / "payments.parquet" / "diary.txt").write_text("dear diary")

    with pytest.raises(ExportError, match="has files that are not of an export"):
        await fill(table_in(tmp_path))

    assert parts_of(tmp_path) == ["diary.txt"]


async def test_the_root_directory_is_refused() -> None:
    with pytest.raises(ExportError, match=r"^/ has files that are not of an export"):
        await fill(make_table("/", "sent"))


async def test_a_missing_part_is_detected(tmp_path: Path, payment: Make) -> None:
    many = [payment(n) for n in range(1, 10_001)]
    await fill(table_in(tmp_path), many, many)
    (tmp_path / "payments.parquet" / "part-000000.parquet").unlink()

    with pytest.raises(ExportError, match="has lost a part"):
        await fill(table_in(tmp_path))


@pytest.mark.parametrize("content", [b"", b"PAR1 no more"])
async def test_a_damaged_part_is_detected(tmp_path: Path, payment: Make, content: bytes) -> None:
    await fill(table_in(tmp_path), [payment(1)])
    (tmp_path / "payments.parquet" / "part-000000.parquet").write_bytes(content)

    with pytest.raises(ExportError, match="is not a part of an export"):
        await fill(table_in(tmp_path))


async def test_a_part_with_damaged_data_is_named(tmp_path: Path, payment: Make) -> None:
    await fill(table_in(tmp_path), [payment(n) for n in range(1, 200)])
    part = tmp_path / "payments.parquet" / "part-000000.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:4] + bytes(2000) + whole[2004:])
    table = table_in(tmp_path)
    await table.open()

    with pytest.raises(ExportError, match=f"^cannot read {part}: "):
        _ = [ids async for ids in table.pending()]

    await table.close(complete=False)


@pytest.mark.slow
async def test_each_changed_bit_of_a_parts_data_is_detected(tmp_path: Path, payment: Make) -> None:
    open_ = [payment(n, status=PaymentStatus.PENDING) for n in range(1, 50)]
    await fill(table_in(tmp_path), open_)
    part = tmp_path / "payments.parquet" / "part-000000.parquet"
    whole = part.read_bytes()
    expected = pq.read_table(part).to_pylist()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # has no checksum

    for place in range(4, footer, 7):
        part.write_bytes(whole[:place] + bytes([whole[place] ^ 0x80]) + whole[place + 1 :])
        table = table_in(tmp_path)
        try:
            await table.open()
            _ = [ids async for ids in table.pending()]
        except ExportError:
            continue
        finally:
            await table.close(complete=False)
        assert pq.read_table(part).to_pylist() == expected


async def test_a_time_that_python_cannot_read_again_is_reported(
    tmp_path: Path, payment: Make
) -> None:
    late = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))
    await fill(table_in(tmp_path), [payment(1, status=PaymentStatus.PENDING, created_at=late)])
    table = table_in(tmp_path)
    await table.open()

    with pytest.raises(ExportError, match=r"^cannot read .*: date value out of range"):
        _ = [ids async for ids in table.pending()]

    await table.close(complete=False)


async def test_a_part_is_written_next_to_the_directory_and_not_next_to_a_link_to_it(
    tmp_path: Path, payment: Make
) -> None:
    (tmp_path / "disk" / "real").mkdir(parents=True)  # may be another file system
    (tmp_path / "payments.parquet").symlink_to("disk/real")
    table = table_in(tmp_path)
    await table.open()

    await table.write([payment(1)])

    assert sorted(os.listdir(tmp_path / "disk")) == ["real", "real.tmp"]
    assert sorted(os.listdir(tmp_path)) == ["disk", "payments.parquet"]
    await table.close(complete=False)
    assert os.listdir(tmp_path / "disk") == ["real"]


async def test_the_directorys_name_need_not_be_utf_8(tmp_path: Path, payment: Make) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    open_ = payment(1, status=PaymentStatus.PENDING)
    folder.mkdir()
    await fill(table_in(folder), [open_])
    table = table_in(folder)
    checkpoint = await table.open()

    ids = [ids async for ids in table.pending()]
    assert await table.refresh([payment(1)]) == 1
    await table.commit(checkpoint)
    await table.close(complete=True)

    assert ids == [[open_.payment_id]]
    with open(folder / "payments.parquet" / "part-000000.parquet", "rb") as file:
        assert pq.read_table(file)["status"].to_pylist() == ["success"]


async def test_another_directions_directory_is_refused(tmp_path: Path, payment: Make) -> None:
    await fill(table_in(tmp_path), [payment(1)])

    with pytest.raises(ExportError, match="belongs to a direction of 'sent', not 'both'"):
        await fill(table_in(tmp_path, "both"))


async def test_a_file_as_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "payments.parquet").write_bytes(b"PAR1")

    with pytest.raises(ExportError, match=r"cannot open .*payments\.parquet: File exists"):
        await fill(table_in(tmp_path))


@pytest.mark.slow
async def test_after_a_full_disk_a_rerun_completes_the_export(
    tmp_path_factory: pytest.TempPathFactory,
    read: Read,
    payments: list[Payment],
    disk_of: Callable[[int], Any],
) -> None:
    whole = tmp_path_factory.mktemp("export")
    await transfer(read(), table_in(whole), commit_every=0)
    full = (whole / "payments.parquet" / "part-000000.parquet").stat().st_size

    for size in range(0, full, full // 25):
        folder = tmp_path_factory.mktemp("export")
        with disk_of(size), pytest.raises(ExportError, match="File too large"):
            await transfer(read(), table_in(folder), commit_every=0)

        await transfer(read(), table_in(folder))

        ids = pq.read_table(folder / "payments.parquet")["payment_id"].to_pylist()
        assert ids == [str(each.payment_id) for each in payments]
