"""Excel files: exact amounts, texts that are not formulas, several sheets, continued exports."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from python_calamine import CalamineWorkbook

from paywint_async import (
    Direction,
    HistoryEntry,
    IncompleteHistoryError,
    Payment,
    PaymentStatus,
)
from paywint_async.export import (
    ExportError,
    make_export_sink,
    make_table,
    partial_path,
    transfer,
)
from paywint_async.export import _workbook as workbook

Read = Callable[..., Any]
Make = Callable[..., Payment]
Rows = list[list[Any]]


def rows_in(path: Path | str) -> Rows:
    """The rows after the header, of all sheets."""
    book = CalamineWorkbook.from_path(str(path))
    return [
        row for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python()[1:]
    ]


def ids_in(path: Path | str) -> list[str]:
    return [row[0] for row in rows_in(path)]


def ids_of(payments: Sequence[Payment]) -> list[str]:
    return [str(each.payment_id) for each in payments]


async def export(read: Any, path: Path) -> int:
    return await transfer(read, make_export_sink(str(path), "sent"))


async def sync(read: Any, path: Path) -> int:
    return await transfer(read, make_table(str(path), "sent"))


@pytest.mark.parametrize("write", [export, sync])
async def test_a_workbook_has_the_columns_and_rows_of_an_export(
    tmp_path: Path, read: Read, payments: list[Payment], write: Any
) -> None:
    path = tmp_path / "payments.xlsx"

    assert await write(read(), path) == 205

    book = CalamineWorkbook.from_path(str(path))
    header, first, *_ = book.get_sheet_by_index(0).to_python()
    assert book.sheet_names == ["Payments"]
    assert header == [field.name for field in attrs.fields(Payment)]
    assert first[0] == str(payments[0].payment_id)
    assert first[header.index("created_at")] == datetime(2025, 1, 1, 0, 1)
    assert ids_in(path) == ids_of(payments)


@pytest.mark.parametrize(
    ("amount", "cell"),
    [
        ("150.75", 150.75),
        ("0.10", 0.1),
        ("-1.50", -1.5),
        ("7017", 7017.0),
        ("1E+3", 1000.0),
        ("0.0000001", 1e-7),
        ("1234567890123.45", 1234567890123.45),
        ("1.50000000000000000000", 1.5),
        ("12345678901234.56", "12345678901234.56"),
        ("9007199254740993.37", "9007199254740993.37"),
        ("1234567890123456", "1234567890123456"),
        ("1E-410", "1E-410"),
    ],
)
async def test_an_amount_is_a_number_of_up_to_15_digits_and_otherwise_text(
    tmp_path: Path, payment: Make, read: Read, amount: str, cell: float | str
) -> None:
    path = tmp_path / "a.xlsx"

    await sync(read([payment(1, amount=Decimal(amount))]), path)

    ((*_, written),) = [row[:6] for row in rows_in(path)]
    assert written == cell
    assert type(written) is type(cell)
    assert Decimal(str(written)) == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x","y")',
        "+1+1",
        "-2",
        "@SUM(A1)",
        "{=1}",
        "12345678901234567890",
        "http://example.com",
        "<r><t>x</t></r>",
        "<r>&</r>",
        "_x0041_",
        " spaces ",
        "line\nbreak",
        "支付 😀 \u202e",
    ],
)
async def test_a_text_is_written_exactly_and_never_as_a_formula(
    tmp_path: Path, payment: Make, read: Read, text: str
) -> None:
    path = tmp_path / "a.xlsx"

    await export(read([payment(1, description=text)]), path)

    assert rows_in(path)[0][7] == text
    with zipfile.ZipFile(path) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
        assert "xl/hyperlinks" not in "".join(archive.namelist())


async def test_characters_that_xml_does_not_allow_are_escaped_like_in_excel(
    tmp_path: Path, payment: Make, read: Read
) -> None:
    await export(read([payment(1, description="a\x01b\ufffe")]), tmp_path / "a.xlsx")

    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        assert b"<t>a_x0001_b_xFFFE_</t>" in archive.read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("write", [export, sync])
async def test_a_text_too_long_for_a_cell_is_refused_naming_its_payment(
    tmp_path: Path, payment: Make, read: Read, write: Any
) -> None:
    long = payment(2, description="😀" * 16_384)

    with pytest.raises(ExportError, match=f"^cannot write payment {long.payment_id} into .*32,767"):
        await write(read([payment(1), long]), tmp_path / "a.xlsx")


async def test_a_text_that_just_fits_is_kept(tmp_path: Path, payment: Make, read: Read) -> None:
    await export(read([payment(1, description="x" * 32_767)]), tmp_path / "a.xlsx")

    assert rows_in(tmp_path / "a.xlsx")[0][7] == "x" * 32_767


async def test_a_time_before_the_calendar_of_excel_is_text(
    tmp_path: Path, payment: Make, read: Read
) -> None:
    early = payment(1, created_at=datetime(1899, 12, 31, tzinfo=UTC))

    await export(read([early]), tmp_path / "a.xlsx")

    assert rows_in(tmp_path / "a.xlsx")[0][10] == "1899-12-31T00:00:00.000000Z"


async def test_rows_continue_in_another_sheet_when_one_is_full(
    tmp_path: Path, read: Read, payments: list[Payment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "ROWS_PER_SHEET", 100)
    path = tmp_path / "a.xlsx"

    await export(read(), path)

    book = CalamineWorkbook.from_path(str(path))
    assert book.sheet_names == ["Payments", "Payments 2", "Payments 3"]
    sizes = [len(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names]
    assert sizes == [101, 101, 6]
    assert ids_in(path) == ids_of(payments)


async def stop_at_50(first: int) -> None:
    if first >= 50:
        raise IncompleteHistoryError("simulated")


async def test_a_stopped_export_keeps_the_previous_file_and_a_part(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    path = tmp_path / "a.xlsx"
    await export(read(payments[:20]), path)

    with pytest.raises(IncompleteHistoryError):
        await export(read(before_page=stop_at_50), path)

    assert ids_in(path) == ids_of(payments[:20])
    part = tmp_path / "part.xlsx"
    os.rename(partial_path(str(path)), part)
    assert ids_in(part) == ids_of(payments[:50])
    assert sorted(os.listdir(tmp_path)) == ["a.xlsx", "part.xlsx"]


async def test_a_stopped_and_continued_table_equals_one_run(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    path = tmp_path / "a.xlsx"
    with pytest.raises(IncompleteHistoryError):
        await sync(read(before_page=stop_at_50), path)
    assert not path.exists()

    assert await sync(read(), path) == 155

    assert ids_in(path) == ids_of(payments)
    assert sorted(os.listdir(tmp_path)) == ["a.xlsx", "a.xlsx.checkpoint", "a.xlsx.rows.jsonl.gz"]


async def test_a_later_run_adds_new_payments_and_updates_rows(
    tmp_path: Path, read: Read, payment: Make
) -> None:
    path = tmp_path / "a.xlsx"
    open_ = payment(1, status=PaymentStatus.PENDING)
    await sync(read([open_, payment(2)]), path)
    table = make_table(str(path), "sent")
    checkpoint = await table.open()
    assert [ids async for ids in table.pending()] == [[open_.payment_id]]
    assert await table.refresh([payment(1)]) == 1
    await table.commit(checkpoint)
    await table.write([payment(3)])
    await table.commit({"delivered": 3})
    await table.close(complete=True)

    assert [(row[0][-1], row[12]) for row in rows_in(path)] == [
        ("1", "success"),
        ("2", "success"),
        ("3", "success"),
    ]


async def test_a_workbook_without_changes_is_not_written_again(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.xlsx"
    await sync(read(), path)
    before = path.stat()

    assert await sync(read(), path) == 0

    assert path.stat().st_ino == before.st_ino


async def test_a_removed_workbook_is_written_again(
    tmp_path: Path, read: Read, payments: list[Payment]
) -> None:
    path = tmp_path / "a.xlsx"
    await sync(read(), path)
    path.unlink()

    await sync(read(), path)

    assert ids_in(path) == ids_of(payments)


@pytest.mark.parametrize("change", ["saved", "other", "text"])
async def test_a_workbook_that_another_program_has_changed_is_never_overwritten(
    tmp_path: Path, read: Read, payments: list[Payment], change: str
) -> None:
    path = tmp_path / "a.xlsx"
    await sync(read(payments[:10]), path)
    if change == "saved":
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = b""
    elif change == "other":
        await export(read(), tmp_path / "b.xlsx")
        os.replace(tmp_path / "b.xlsx", path)
    else:
        path.write_text("dear diary")
    content = path.read_bytes()

    with pytest.raises(ExportError, match="was changed by another program"):
        await sync(read(), path)

    assert path.read_bytes() == content


async def test_an_export_of_both_directions_has_a_column_of_directions(
    tmp_path: Path, payment: Make
) -> None:
    path = tmp_path / "a.xlsx"
    table = make_table(str(path), "both")
    await table.open()
    await table.write([HistoryEntry(direction=each, payment=payment(1)) for each in Direction])
    await table.commit({"delivered": 2})
    await table.close(complete=True)

    assert [row[0] for row in rows_in(path)] == ["sent", "received"]


async def test_damaged_rows_are_reported(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.xlsx"
    await sync(read(), path)
    path.unlink()
    rows = tmp_path / "a.xlsx.rows.jsonl.gz"
    data = bytearray(rows.read_bytes())
    data[20] ^= 0xFF
    rows.write_bytes(data)

    with pytest.raises(ExportError, match=r"rows\.jsonl\.gz"):
        await sync(read(), path)


async def test_a_cancellation_during_the_write_keeps_the_previous_workbook(
    tmp_path: Path, read: Read, payments: list[Payment], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.xlsx"
    await sync(read(payments[:10]), path)
    add = workbook.WorkbookWriter.add

    def add_and_cancel(self: Any, rows: Any) -> None:
        add(self, rows)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    with monkeypatch.context() as patch, pytest.raises(asyncio.CancelledError):
        patch.setattr(workbook.WorkbookWriter, "add", add_and_cancel)
        await sync(read(), path)

    assert ids_in(path) == ids_of(payments[:10])
    assert sorted(os.listdir(tmp_path)) == ["a.xlsx", "a.xlsx.checkpoint", "a.xlsx.rows.jsonl.gz"]
    assert await sync(read(), path) == 0
    assert ids_in(path) == ids_of(payments)


@pytest.mark.parametrize("write", [make_table, make_export_sink])
def test_a_device_is_refused_as_a_workbook(tmp_path: Path, write: Any) -> None:
    os.mkfifo(tmp_path / "a.xlsx")

    with pytest.raises(ExportError, match="is not a regular file"):
        write(str(tmp_path / "a.xlsx"), "sent")
