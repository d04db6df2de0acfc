"""The guarantees of every destination: exact rows, each once, up to date, after any interruption."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
from effort import slow_but
from export_destinations import KINDS, SERVED, output_in, rows_in

from paywint_async import Direction, HistoryEntry, IncompleteHistoryError, Payment, PaymentStatus
from paywint_async.export import ExportError, Table, make_table, transfer

Read = Callable[..., Any]
Make = Callable[..., Payment]
T = TypeVar("T")

pytestmark = pytest.mark.parametrize("kind", slow_but(KINDS, "csv", "parquet", "sqlite"))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run in a separate event loop, since reading PostgreSQL's rows needs one, too."""
    return asyncio.run(work)


async def fill(
    table: Table[Any], pages: Sequence[Sequence[Any]], *, commits: bool = True, close: bool = True
) -> Any:
    """Open a table, write pages with a commit after each, and close it; return its first checkpoint."""
    try:
        start = await table.open()
        for number, page in enumerate(pages):
            await table.write(page)
            if commits:
                await table.commit({"delivered": number})
    finally:
        await table.close(complete=False)
    return start


async def refresh(
    table: Table[Any], payments: Sequence[Payment], since: datetime | None = None
) -> tuple[list[Any], int]:
    checkpoint = await table.open()
    try:
        ids = [each async for found in table.pending(recheck_since=since) for each in found]
        changed = await table.refresh(payments)
        await table.commit(checkpoint)
    finally:
        await table.close(complete=True)
    return ids, changed


def stop_at(number: int) -> Callable[[int], Any]:
    async def before_page(first: int) -> None:
        if first >= number:
            raise IncompleteHistoryError("simulated")

    return before_page


def newest_first(payments: Sequence[Payment]) -> list[Payment]:
    return sorted(payments, key=lambda each: each.created_at, reverse=True)


def test_rows_have_every_field_exactly(tmp_path: Path, kind: str, payment: Make) -> None:
    output = output_in(tmp_path, kind)
    amounts = ["9007199254740993.37", "0.10", "100", "100.00", "0.0000000001", "1" * 28, "1E+3"]
    written = [payment(n, amount=Decimal(text)) for n, text in enumerate(amounts, 1)]
    name = 'Zoë "Z" O\'Neil,\r\nline\u2028end \\ 支付'
    written.append(payment(99, payer_name=name, status=PaymentStatus("a new one")))

    run(fill(make_table(output, "sent"), [written[::-1]]))

    rows = rows_in(output)[::-1]
    columns = [field.name for field in attrs.fields(Payment)]
    assert [name for name in rows[0] if name != "direction"] == columns
    assert [row["payment_id"] for row in rows] == [str(each.payment_id) for each in written]
    assert [Decimal(row["amount"]) for row in rows] == [each.amount for each in written]
    assert (rows[-1]["payer_name"], rows[-1]["status"]) == (name, "a new one")
    assert rows[0]["created_at"].replace(" ", "T")[:19] == "2025-01-01T00:01:00"
    assert rows[0]["payer_id"] is None


def test_the_character_0_is_written_or_replaced_and_never_dropped(
    tmp_path: Path, kind: str, payment: Make
) -> None:
    output = output_in(tmp_path, kind)
    odd = payment(1, description="a\0b")

    run(fill(make_table(output, "sent"), [[odd]]))

    # PostgreSQL cannot store this character.
    kept = "a\ufffdb" if kind == "postgresql" else "a\0b"
    assert [row["description"] for row in rows_in(output)] == [kept]


def test_a_stopped_and_continued_export_equals_one_run(
    tmp_path: Path, kind: str, read: Read, payments: list[Payment]
) -> None:
    output = output_in(tmp_path, kind)
    history = newest_first(payments)
    for number in (0, 30, 60, 200):
        with pytest.raises(IncompleteHistoryError):
            run(transfer(read(history, before_page=stop_at(number)), make_table(output, "sent")))

    run(transfer(read(history), make_table(output, "sent")))

    ids = [row["payment_id"] for row in rows_in(output)]
    assert ids == [str(each.payment_id) for each in history]


def test_uncommitted_rows_are_dropped(tmp_path: Path, kind: str, payment: Make) -> None:
    output = output_in(tmp_path, kind)
    run(fill(make_table(output, "sent"), [[payment(3)], [payment(2)]]))
    run(fill(make_table(output, "sent"), [[payment(1)]], commits=False))

    start = run(fill(make_table(output, "sent"), [[payment(1)]]))

    assert start == {"delivered": 1}
    assert [row["payment_id"][-1] for row in rows_in(output)] == ["3", "2", "1"]


def test_the_last_checkpoint_is_kept_even_without_new_rows(
    tmp_path: Path, kind: str, payment: Make
) -> None:
    output = output_in(tmp_path, kind)

    async def commit(checkpoint: Any) -> Any:
        table = make_table(output, "sent")
        start = await table.open()
        await table.commit(checkpoint)
        await table.close(complete=True)
        return start

    assert run(commit({"a": 1})) is None
    run(fill(make_table(output, "sent"), [[payment(1)]]))
    assert run(commit({"b": 2})) == {"delivered": 0}
    assert run(commit({"b": 2})) == {"b": 2}
    assert [row["payment_id"][-1] for row in rows_in(output)] == ["1"]


@pytest.mark.parametrize("commits", [True, False])
def test_a_repeated_payment_replaces_its_row_if_rows_have_a_key(
    tmp_path: Path, kind: str, payment: Make, commits: bool
) -> None:
    if kind not in ("sqlite", *SERVED):
        kind = "sqlite"  # files and Parquet have no key: listings deliver each payment once
    output = output_in(tmp_path, kind)
    texts = iter(["first", "second", "third", "last"])
    pages = [[payment(n, description=next(texts)) for n in (1, 1)] for _ in range(2)]

    async def fill_and_commit() -> None:
        table = make_table(output, "sent")
        await table.open()
        for page in pages:
            await table.write(page)
            if commits:
                await table.commit({"delivered": 1})
        await table.commit({"delivered": 2})
        await table.close(complete=True)

    run(fill_and_commit())

    assert [row["description"] for row in rows_in(output)] == ["last"]


def test_an_empty_history_can_be_read(tmp_path: Path, kind: str, read: Read) -> None:
    output = output_in(tmp_path, kind)

    run(transfer(read([]), make_table(output, "sent")))

    assert rows_in(output) == []


def test_payments_that_are_not_final_are_reported_and_updated_in_place(
    tmp_path: Path, kind: str, payments: list[Payment]
) -> None:
    output = output_in(tmp_path, kind)
    chance = random.Random(1)
    written = [
        attrs.evolve(each, status=chance.choice(list(PaymentStatus))) for each in payments[::-1]
    ]
    run(fill(make_table(output, "sent"), [written[:90], written[90:]]))
    before = rows_in(output)
    pending = [each for each in written if not each.status.is_final]
    fresh = [attrs.evolve(each, status=PaymentStatus.SUCCESS) for each in pending[::2]]

    ids, changed = run(refresh(make_table(output, "sent"), fresh))

    assert sorted(ids) == sorted(each.payment_id for each in pending)
    assert changed == len(fresh)
    now = {str(each.payment_id) for each in fresh}
    wanted = [row | {"status": "success"} if row["payment_id"] in now else row for row in before]
    assert rows_in(output) == wanted


def test_a_recheck_updates_final_payments_created_since_its_time(
    tmp_path: Path, kind: str, payment: Make
) -> None:
    output = output_in(tmp_path, kind)
    run(fill(make_table(output, "sent"), [[payment(4), payment(3)], [payment(2), payment(1)]]))
    refunded = PaymentStatus("refunded")
    fresh = [payment(4), payment(3, status=refunded), payment(2, status=refunded), payment(9)]

    found = run(refresh(make_table(output, "sent"), fresh, since=payment(2).created_at))

    assert found == ([], 2)
    assert [(row["payment_id"][-1], row["status"]) for row in rows_in(output)] == [
        ("4", "success"),
        ("3", "refunded"),
        ("2", "refunded"),
        ("1", "success"),
    ]


@pytest.mark.parametrize("status", ["refunded", "partially_refunded", *PaymentStatus])
def test_a_status_that_the_sdk_considers_final_is_not_reported(
    tmp_path: Path, kind: str, payment: Make, status: str
) -> None:
    output = output_in(tmp_path, kind)
    written = payment(1, status=PaymentStatus(status))
    run(fill(make_table(output, "sent"), [[written]]))

    ids, _changed = run(refresh(make_table(output, "sent"), []))

    assert ids == ([] if written.status.is_final else [written.payment_id])


def test_a_recheck_does_not_report_final_payments(tmp_path: Path, kind: str, payment: Make) -> None:
    output = output_in(tmp_path, kind)
    run(fill(make_table(output, "sent"), [[payment(2, status=PaymentStatus.OPENED), payment(1)]]))

    found = run(refresh(make_table(output, "sent"), [], since=payment(1).created_at))

    assert found == ([payment(2).payment_id], 0)


def test_a_recheck_that_is_not_committed_changes_nothing(
    tmp_path: Path, kind: str, payment: Make
) -> None:
    output = output_in(tmp_path, kind)
    run(fill(make_table(output, "sent"), [[payment(1)]]))

    async def stop_before_the_commit() -> None:
        table = make_table(output, "sent")
        await table.open()
        _ = [ids async for ids in table.pending(recheck_since=payment(1).created_at)]
        await table.refresh([payment(1, status=PaymentStatus("refunded"))])
        await table.close(complete=False)

    run(stop_before_the_commit())
    start = run(fill(make_table(output, "sent"), []))

    assert start == {"delivered": 0}
    assert [row["status"] for row in rows_in(output)] == ["success"]


def test_unchanged_rows_are_not_written_again(tmp_path: Path, kind: str, payment: Make) -> None:
    output = output_in(tmp_path, kind)
    pending = payment(1, status=PaymentStatus.PENDING, description="", amount=Decimal("1.50"))
    run(fill(make_table(output, "sent"), [[pending]]))

    assert run(refresh(make_table(output, "sent"), [pending])) == ([pending.payment_id], 0)


def test_an_export_continues_after_a_refresh(tmp_path: Path, kind: str, payment: Make) -> None:
    output = output_in(tmp_path, kind)
    run(fill(make_table(output, "sent"), [[payment(3)], [payment(2, status=PaymentStatus.OPENED)]]))

    async def refresh_and_go_on() -> None:
        table = make_table(output, "sent")
        checkpoint = await table.open()
        assert [ids async for ids in table.pending()] == [[payment(2).payment_id]]
        assert await table.refresh([payment(2)]) == 1
        await table.commit(checkpoint)
        await table.write([payment(1)])
        await table.commit({"c": 3})
        await table.close(complete=True)

    run(refresh_and_go_on())
    start = run(fill(make_table(output, "sent"), []))

    assert start == {"c": 3}
    assert [(row["payment_id"][-1], row["status"]) for row in rows_in(output)] == [
        ("3", "success"),
        ("2", "success"),
        ("1", "success"),
    ]


def test_a_payment_to_oneself_has_a_row_in_each_direction(
    tmp_path: Path, kind: str, payment: Make
) -> None:
    output = output_in(tmp_path, kind)
    own = payment(1, status=PaymentStatus.PENDING)
    entries = [HistoryEntry(direction=each, payment=own) for each in Direction]
    run(fill(make_table(output, "both"), [entries]))

    final = attrs.evolve(own, status=PaymentStatus.FAILED)
    ids, changed = run(refresh(make_table(output, "both"), [final]))

    assert set(ids) == {own.payment_id}
    assert changed == 2
    assert [(row["direction"], row["status"]) for row in rows_in(output)] == [
        ("sent", "failed"),
        ("received", "failed"),
    ]


def test_two_writers_at_once_do_not_both_succeed(tmp_path: Path, kind: str, payment: Make) -> None:
    output = output_in(tmp_path, kind)

    async def at_once() -> None:
        first = make_table(output, "sent")
        await first.open()
        try:
            with pytest.raises(ExportError, match="is being written by another export"):
                second = make_table(output, "sent")
                await fill(second, [[payment(1)]])
                await first.commit({"delivered": 0})
        finally:
            await first.close(complete=False)

    run(at_once())


def test_a_refused_writer_does_not_affect_the_other(
    tmp_path: Path, kind: str, payment: Make
) -> None:
    output = output_in(tmp_path, kind)

    async def at_once() -> None:
        first = make_table(output, "sent")
        await first.open()
        try:
            second = make_table(output, "received")
            with suppress(ExportError):  # a database allows both writers
                await second.open()
            await first.write([payment(1)])
            await second.close(complete=False)
            await first.commit({"delivered": 1})
        finally:
            await first.close(complete=True)

    run(at_once())

    assert len(rows_in(output)) == 1


def test_closing_twice_has_no_effect(tmp_path: Path, kind: str) -> None:
    output = output_in(tmp_path, kind)

    async def close_twice() -> None:
        table = make_table(output, "sent")
        await table.open()
        await table.close(complete=False)
        await table.close(complete=False)

    run(close_twice())
