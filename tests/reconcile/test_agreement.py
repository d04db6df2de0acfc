"""Rows parsed column by column give the same report as rows parsed one by one."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest
import pytest_asyncio
from account_server import account
from effort import tries

from paywint_async import HistoryEntry, PaywintClient
from paywint_async.reconcile import (
    Columns,
    Evidence,
    Kind,
    LedgerError,
    LedgerFormat,
    Matching,
    PaymentFact,
    Period,
    ReconcileOptions,
    Report,
    _column_parser,
    _csv_records,
    json_chunks,
    reconcile,
    text_lines,
)
from paywint_async.reconcile._activity import Activity
from paywint_async.reconcile._coverage import Coverage
from paywint_async.reconcile._ledger import OpenedLedger

HEADER = ("payment_id", "direction", "amount", "currency", "created_at", "payment_date", "status")
ZONES = (UTC, UTC, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/New_York"))


@pytest_asyncio.fixture
async def entries() -> AsyncIterator[tuple[PaywintClient, list[HistoryEntry]]]:
    async with account(150) as (_, client):
        yield client, [entry async for entry in client.payments.history()]


def one_by_one(entries: Sequence[HistoryEntry], options: ReconcileOptions) -> Report:
    """Compare with rows that are all parsed one by one."""
    ledger = OpenedLedger(options.ledger, options.format)
    coverage = Coverage(options.directions, options.period)
    matching = Matching(
        directions=options.directions, period=options.period, date_window=options.date_window
    )
    for row in ledger.read():
        coverage.take(row)
        matching.add_row(row)
    by, hint = ledger.directions_by()
    coverage.refuse_too_little(options.name, directions_by=by, hint=hint)
    activities = {direction: Activity() for direction in options.directions}
    for entry in entries:
        payment, direction = entry.payment, entry.direction.value
        if direction not in options.directions or not is_read(payment.created_at, options):
            continue
        when = (payment.payment_date or payment.created_at).astimezone(options.format.zone)
        fact = PaymentFact(
            payment_id=payment.payment_id,
            direction=direction,
            amount=payment.amount,
            status=payment.status.value,
            when=when,
            party=payment.payer_name if direction == "received" else payment.payee_name,
            description=payment.description,
            reason=payment.failure_reason,
        )
        matching.add_payment(fact)
        if options.period.has(fact.day):
            paid = payment.payment_date
            activities[direction].take(fact, paid - payment.created_at if paid else None)
    result = matching.finish()
    more = coverage.notes_with_history(result, date_window=options.date_window)
    notes = (*ledger.notes(), *coverage.notes(), *more)
    places = {row.place for each in result.differences for row in each.rows}
    places |= {each.row.place for each in result.payouts}
    return Report(
        options=options,
        result=result,
        activities=activities,
        made_at=datetime.now(UTC),
        notes=notes,
        sources=ledger.sources(places),
        found_options=ledger.found_options(),
        unit=ledger.unit,
    )


def is_read(created_at: datetime, options: ReconcileOptions) -> bool:
    span = options.span
    return (
        span.get("since", created_at)
        <= created_at
        < span.get("until", datetime.max.replace(tzinfo=UTC))
    )


def shown(report: Report) -> tuple[Any, ...]:
    """Return the content of a report without its time and its note about the span."""
    comparable = attrs.evolve(
        report,
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        notes=tuple(
            each for each in report.notes if not each.startswith("payments created before")
        ),
    )
    activities = [
        (name, dict(each.paid), each.by_status, [*each.ended()], each.durations._steps)
        for name, each in comparable.activities.items()
    ]
    return b"".join(json_chunks(comparable)), [*text_lines(comparable, 10_000)], activities


class Books:
    """A ledger made from an account's history, with some rows changed, repeated or omitted."""

    def __init__(self, chance: random.Random, entries: Sequence[HistoryEntry]) -> None:
        self._chance = chance
        self._oddness = chance.choice((0, 0.02, 0.2, 0.6))
        self._has_errors = chance.random() < 0.2
        self._is_zulu = chance.random() < 0.8
        self._entries = entries

    def _is_odd(self) -> bool:
        return self._chance.random() < self._oddness

    def text(self) -> str:
        file = io.StringIO()
        header = [*HEADER, "description"]
        left_out = self._chance.sample(("direction", "currency", "created_at", "status"), k=1)
        names = [name for name in header if name not in left_out or self._chance.random() < 0.6]
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in self._rows():
            writer.writerow(row)
        return file.getvalue()

    def _rows(self) -> Iterator[dict[str, str]]:
        chance = self._chance
        for entry in self._entries:
            row = self._row(entry)
            if self._is_odd():
                self._spoil(row)
            if not self._is_odd():
                yield row
            if self._is_odd() and chance.random() < 0.3:
                yield row | {"amount": chance.choice((row["amount"], "1.00"))}
            if self._is_odd() and chance.random() < 0.2:
                yield {"payment_id": "", "amount": "", "description": "A heading"}

    def _row(self, entry: HistoryEntry) -> dict[str, str]:
        payment = entry.payment
        paid = payment.payment_date.isoformat() if payment.payment_date else ""
        row = {
            "payment_id": str(payment.payment_id),
            "direction": entry.direction.value,
            "amount": f"{payment.amount:.2f}"
            if self._chance.random() < 0.9
            else f"{payment.amount:f}",
            "currency": "USD",
            "created_at": payment.created_at.isoformat(),
            "payment_date": paid,
            "status": payment.status.value,
            "description": (payment.description or "").replace("\x00", ""),
        }
        if self._is_zulu:
            for name in ("created_at", "payment_date"):
                row[name] = row[name].replace("+00:00", "Z")
        return row

    def _spoil(self, row: dict[str, str]) -> None:
        chance, identity, amount = self._chance, row["payment_id"], row["amount"]
        changes = [
            ("payment_id", (identity.upper(), f"{{{identity}}}", identity.replace("-", ""), "")),
            (
                "payment_id",
                (str(UUID(int=5)), str(chance.choice(self._entries).payment.payment_id)),
            ),
            ("amount", ("7.00", f"${amount}", f"{amount}0", "0.00", "1,234.50", "12.34")),
            ("payment_date", ("2015-01-05", "", "2015-01-05T01:30:00+02:00")),
            ("payment_date", ("2015-01-07 10:00:00", " 2015-01-08", "2015-01-09T01:02:03.5Z")),
            ("status", ("failed", "success", "Cleared", "SUCCESS", "pending", "expired")),
            ("currency", ("", "usd")),
            ("direction", ("sent", "received", "credit")),
            ("description", ("Two\nlines", 'A "quote"', "")),
        ]
        if self._has_errors:
            changes += [
                ("payment_id", ("none", f"{identity}\n{identity}")),
                ("amount", (f"-{amount}", "1.00\n2.00", "1_0.00", "\u0661.00", "")),
                ("payment_date", ("2015-01-05\n2015-01-06", "2015-02-30", "2015-01-05T24:61:00Z")),
                ("status", ("",)),
                ("currency", ("EUR",)),
            ]
        name, values = chance.choice(changes)
        row[name] = chance.choice(values)


def random_options(chance: random.Random, path: Path) -> ReconcileOptions:
    since = date(2015, 1, chance.randrange(1, 8)) if chance.random() < 0.4 else None
    until = date(2015, 1, chance.randrange(8, 20)) if chance.random() < 0.3 else None
    format = LedgerFormat(
        columns=Columns(description=chance.choice((None, ""))),
        direction=chance.choice(("received", "sent", "both")),
        zone=chance.choice(ZONES),
        paid_statuses=chance.choice(((), ("cleared",))),
        needs_dates=bool(since or until),
    )
    period = Period(since=since, until=until)
    return ReconcileOptions(
        ledger=str(path), format=format, period=period, date_window=chance.choice((0, 3))
    )


async def outcome(made: Any) -> Any:
    try:
        report = made() if not hasattr(made, "__await__") else await made
    except LedgerError as error:
        return str(error)
    return shown(report)


async def test_reports_equal_those_of_rows_parsed_one_by_one(
    entries: tuple[PaywintClient, list[HistoryEntry]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, history = entries
    seen: list[bool] = []
    for seed in range(tries(15, "SEEDS")):
        chance = random.Random(seed)
        monkeypatch.setattr(_csv_records, "_AT_ONCE", chance.choice((1, 7, 50, 1000)))
        monkeypatch.setattr(_column_parser, "_TRIED", chance.choice((3, 5000)))
        path = tmp_path / f"{seed}.csv"
        path.write_text(Books(chance, history).text(), "utf-8", newline="")
        options = random_options(chance, path)

        expected = await outcome(lambda given=options: one_by_one(history, given))

        assert await outcome(reconcile(client.payments, options)) == expected, seed
        seen.append(isinstance(expected, str))
    assert 0 < sum(seen) < len(seen) / 2  # some errors, but more reports


@pytest.mark.parametrize("time", ["01:30:00+02:00", "23:30:00-02:00", "01:30:00.5+02:00"])
async def test_the_day_of_a_time_with_an_offset_is_that_of_the_ledgers_zone(
    entries: tuple[PaywintClient, list[HistoryEntry]], tmp_path: Path, time: str
) -> None:
    client, history = entries
    paid = [each.payment for each in history if each.direction == "received"]
    path = tmp_path / "a.csv"
    rows = [f"{each.payment_id},{each.amount:.2f},2015-01-05T{time}" for each in paid]
    path.write_text("\n".join(["payment_id,amount,date", *rows]))
    period = Period(since=date(2015, 1, 5), until=date(2015, 1, 5))
    format = LedgerFormat(needs_dates=True)
    options = ReconcileOptions(ledger=str(path), format=format, period=period)

    expected = await outcome(lambda: one_by_one(history, options))

    assert await outcome(reconcile(client.payments, options)) == expected


async def test_a_ledger_that_changes_while_it_is_compared_is_refused(
    entries: tuple[PaywintClient, list[HistoryEntry]], tmp_path: Path
) -> None:
    client, history = entries
    payment = next(each.payment for each in history if each.direction == "received")
    path = tmp_path / "a.csv"
    path.write_text(
        "payment_id,amount,date\n"
        f"{payment.payment_id},{payment.amount + 1:.2f},{payment.created_at.isoformat()}\n"
    )

    def change(_done: int, _total: int | None) -> None:
        with path.open("a") as file:
            file.write("\n")

    options = ReconcileOptions(ledger=str(path), format=LedgerFormat())
    with pytest.raises(LedgerError, match="was changed while it was compared; compare it again"):
        await reconcile(client.payments, options, on_progress=change)


async def test_a_row_that_cannot_be_read_is_named_before_later_damage(
    entries: tuple[PaywintClient, list[HistoryEntry]], tmp_path: Path
) -> None:
    client, _ = entries
    path = tmp_path / "a.csv"
    lines = ["payment_id,amount,date"]
    lines += [f"{UUID(int=number)},1.00,2015-01-01" for number in range(1, 1200)]
    path.write_text("\n".join([*lines, "none,1.00,2015-01-01", '"never closed']))

    options = ReconcileOptions(ledger=str(path), format=LedgerFormat())
    with pytest.raises(LedgerError, match="line 1201, column 'payment_id': 'none' is not"):
        await reconcile(client.payments, options)


async def test_a_row_repeated_in_another_form_is_a_duplicate(
    entries: tuple[PaywintClient, list[HistoryEntry]], tmp_path: Path
) -> None:
    client, history = entries
    some = [each.payment for each in history if each.direction == "received"][:2]
    path = tmp_path / "a.csv"
    rows = [f"{each.payment_id},{each.amount:.2f},2015-01-01,{each.status}" for each in some]
    again = f"{{{some[0].payment_id}}},{some[0].amount:.2f},2015-01-01,{some[0].status}"
    path.write_text("\n".join(["payment_id,amount,date,status", *rows, again]))

    options = ReconcileOptions(ledger=str(path), format=LedgerFormat())
    report = await reconcile(client.payments, options)

    duplicates = [each for each in report.result.differences if each.kind is Kind.DUPLICATE]
    assert [[row.place for row in each.rows] for each in duplicates] == [[4, 2]]
    assert report.result.evidence[Evidence.ID] == 2


async def test_unmatched_rows_do_not_block_the_event_loop(
    entries: tuple[PaywintClient, list[HistoryEntry]], tmp_path: Path
) -> None:
    client, history = entries
    payment = next(each.payment for each in history if each.direction == "received")
    path = tmp_path / "a.csv"
    plain = f"{payment.payment_id},0.02,2015-01-01"
    path.write_text("\n".join(["payment_id,amount,date", plain, *[",0.01,2015-01-01"] * 5000]))
    turns = before = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def remember(_done: int, _total: int | None) -> None:
        nonlocal before
        before = turns

    counting = asyncio.ensure_future(count_turns())
    options = ReconcileOptions(ledger=str(path), format=LedgerFormat())
    report = await reconcile(client.payments, options, on_progress=remember)
    counting.cancel()

    assert report.result.evidence[Evidence.ID] == 1
    assert turns - before >= 10


async def test_unpaid_statuses_are_noted_in_an_order_that_does_not_depend_on_the_form_of_rows(
    entries: tuple[PaywintClient, list[HistoryEntry]], tmp_path: Path
) -> None:
    client, history = entries
    path = tmp_path / "a.csv"
    rows = [
        f"{UUID(int=1)},$5.00,2015-01-01,pending",
        f"{UUID(int=2)},5.00,2015-01-01,failed",
    ]
    path.write_text("\n".join(["payment_id,amount,date,status", *rows]))
    options = ReconcileOptions(ledger=str(path), format=LedgerFormat())

    report = await reconcile(client.payments, options)

    assert report.notes == one_by_one(history, options).notes
