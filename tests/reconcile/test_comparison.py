"""`reconcile` reads a ledger and an account's history, and compares them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from paywint_async import Payment, PaywintClient, PaywintError
from paywint_async.emulator import Emulator
from paywint_async.export import PAYMENTS, find_destination, make_table, reader, transfer
from paywint_async.reconcile import (
    LedgerFormat,
    Period,
    ReconcileError,
    ReconcileOptions,
    Report,
    reconcile,
)


def options(path: Path, direction: str = "received", **settings: Any) -> ReconcileOptions:
    return ReconcileOptions(ledger=str(path), format=LedgerFormat(direction=direction), **settings)


async def compare_with_emulator(path: Path, direction: str, spoil: Any, **settings: Any) -> Report:
    """Change a table that a sync wrote, and compare it with its account."""
    async with (
        Emulator(hostile=True, payments=400) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        read = reader(client.payments, direction)
        await transfer(read, make_table(str(path), direction))
        spoil(path)
        return await reconcile(client.payments, options(path, direction, **settings))


def leave_unchanged(path: Path) -> None:
    """Change nothing."""


async def test_both_directions_are_compared_separately(tmp_path: Path) -> None:
    report = await compare_with_emulator(tmp_path / "a.csv", "both", leave_unchanged)

    assert report.agrees
    assert [each.direction for each in report.statements] == ["received", "sent"]
    for statement in report.statements:
        activity = report.activities[statement.direction]
        assert sum(activity.by_status.values()) == 400
        assert sum(each.amount for each in activity.paid.values()) == statement.paywint.amount
        assert activity.durations.count == statement.paywint.count


async def test_plots_show_only_the_period(tmp_path: Path) -> None:
    only = Period(since=date(2015, 1, 2), until=date(2015, 1, 2))

    report = await compare_with_emulator(
        tmp_path / "a.csv", "received", leave_unchanged, period=only
    )

    assert list(report.activities["received"].paid) == [date(2015, 1, 2)]
    assert report.statements[0].paywint.count == report.activities["received"].durations.count


@pytest.mark.slow
async def test_a_period_reads_only_its_span_and_margins(tmp_path: Path) -> None:
    ledger, zone = tmp_path / "a.csv", ZoneInfo("Asia/Kathmandu")
    async with (
        Emulator(payments=200_000) as emulator,
        PaywintClient(emulator.api_key, emulator.api_secret, base_url=emulator.url) as client,
    ):
        middle = (await client.payments.page("received", 1000)).records[0].created_at
        period = Period(since=middle.date(), until=middle.date())
        given = ReconcileOptions(
            ledger=str(ledger), format=LedgerFormat(direction="received", zone=zone), period=period
        )
        table = make_table(str(ledger), "received")
        await transfer(reader(client.payments, "received", **given.span), table)
        count = await count_of(client, given.span)
        before = emulator.request_count
        report = await reconcile(client.payments, given)
        pages = count // 100 + 1
        assert pages < 1500
        assert emulator.request_count - before <= pages + 2 * 11 + 4
    assert report.agrees
    assert report.statements[0].paywint.count > 0
    day = middle.date() - timedelta(days=44)
    assert (
        report.notes[-1]
        == f"payments created before {day} were not read, even if they were paid later"
    )


async def count_of(client: PaywintClient, span: dict[str, datetime]) -> int:
    listing = client.payments.received(**span)
    await listing.collect(limit=1)
    assert listing.total is not None
    return listing.total


async def test_a_period_at_the_ends_of_the_calendar_reads_up_to_them(tmp_path: Path) -> None:
    for period in (Period(since=date.min, until=date.max), Period(), Period(since=date(2, 1, 1))):
        given = options(tmp_path / "a.csv", period=period)
        assert "since" not in given.span
        assert "until" not in given.span


async def test_exactly_the_changes_of_a_ledger_are_reported(tmp_path: Path) -> None:
    def cut(path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        row = next(n for n, line in enumerate(lines) if b",success," in line and b'"' not in line)
        path.write_bytes(b"".join(lines[:row] + lines[row + 1 :]))

    report = await compare_with_emulator(tmp_path / "a.csv", "sent", cut)

    assert [each.kind for each in report.result.differences] == ["missing_in_ledger"]


class Scripted:
    """A listing of fixed payments in place of an account's."""

    def __init__(self, *payments: Payment) -> None:
        self._payments = payments

    def received(self, **options: Any) -> Any:
        if not self._payments:
            raise PaywintError("asked")
        return ScriptedListing(self._payments)


@attrs.define
class ScriptedListing:
    records: tuple[Payment, ...]
    total: int = 1

    async def pages(self, limit: int | None) -> Any:
        yield self

    async def __aenter__(self) -> ScriptedListing:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass


async def test_a_payments_day_is_that_of_its_payment_in_the_ledgers_zone(
    tmp_path: Path, make_payment: Any
) -> None:
    ledger = tmp_path / "a.csv"
    ledger.write_text("date,amount\n2026-02-01,10\n")
    payment = make_payment(payment_date=datetime(2026, 1, 31, 23, 30, tzinfo=UTC))
    given = LedgerFormat(zone=ZoneInfo("Europe/Berlin"))
    compared = ReconcileOptions(ledger=str(ledger), format=given, date_window=0)

    report = await reconcile(Scripted(payment), compared)  # type: ignore[arg-type]

    assert report.agrees
    assert list(report.activities["received"].paid) == [date(2026, 2, 1)]


async def test_a_payment_beyond_the_calendar_is_named(tmp_path: Path, make_payment: Any) -> None:
    ledger = tmp_path / "a.csv"
    ledger.write_text("date,amount\n")
    payment = make_payment(created_at=datetime(1, 1, 1, tzinfo=UTC))
    compared = ReconcileOptions(
        ledger=str(ledger), format=LedgerFormat(zone=ZoneInfo("America/New_York"))
    )

    with pytest.raises(
        ReconcileError, match=f"payment {payment.payment_id} .* out of the calendar"
    ):
        await reconcile(Scripted(payment), compared)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", ["0.0000001", "1E+3"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
async def test_an_exported_amount_with_a_possible_exponent_agrees(
    tmp_path: Path, make_payment: Any, name: str, amount: str
) -> None:
    ledger = tmp_path / name
    payment = make_payment(amount=Decimal(amount))
    encoding = PAYMENTS[find_destination(name).format(None)]
    ledger.write_bytes(encoding.header + encoding.encode([payment]))

    report = await reconcile(Scripted(payment), options(ledger))  # type: ignore[arg-type]

    assert report.agrees


async def test_a_payment_in_another_currency_is_refused(tmp_path: Path, make_payment: Any) -> None:
    ledger = tmp_path / "a.csv"
    ledger.write_text("payment_id,amount\n")
    payment = make_payment(currency="EUR", amount=Decimal(5))

    with pytest.raises(ReconcileError, match=r"is in EUR: only US dollars are compared"):
        await reconcile(Scripted(payment), options(ledger))  # type: ignore[arg-type]


async def test_reading_a_long_ledger_does_not_block_the_event_loop(tmp_path: Path) -> None:
    ledger = tmp_path / "a.csv"
    ledger.write_text("date,amount\n" + "2026-01-01,1\n" * 5000)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    with pytest.raises(PaywintError, match="asked"):
        await reconcile(Scripted(), options(ledger))  # type: ignore[arg-type]
    counting.cancel()

    assert turns >= 5
