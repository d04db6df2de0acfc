"""Simulates a year of the example shop in virtual time: buyers, outages, deploys, refunds, books."""

from __future__ import annotations

import asyncio
import csv
import random
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

import attrs
import pytest
from shop_books import PAID, Books, cents
from shop_process import SECRET, ShopProcess
from shop_world import Dangers, EmulatedApi, HeldQueue, WebhookRoute, client_of
from virtual_time import pass_time

from paywint_async import PaywintError
from paywint_async.emulator import Delivery, Emulator, WebhookFaults
from paywint_async.export import Refresh, make_table, reader, transfer
from paywint_async.reconcile import LedgerFormat, Period, ReconcileOptions, reconcile

HOUR, DAY = 3600.0, 86_400.0
BEGIN_US = 1_893_456_000_000_000
"""2030-01-01: ahead of the machine's clock, so that each run has the same dates."""
UNITS: list[tuple[Any, Any]] = [("cents", "cents"), ("dollars", "dollars"), ("text", None)]
"""(the unit of webhooks' amounts, the receiver's setting)"""
SETTLING_DAYS = 4
"""Days from a month's end to the comparison of its books: its payments are final by then."""
RECHECKED_NIGHTLY = timedelta(days=2)
CHANGES_AFTER = timedelta(days=30)
"""No payment changes more than this time after its creation: refunds come within 25 days."""


@attrs.frozen(kw_only=True)
class Scale:
    """The number of events in a year."""

    days: int
    payments: int
    sweep_hours: float = 6.0
    outages: int = 4
    deploys: int = 20
    clock_jumps: int = 3


class Year:
    """One run of the simulation.

    Args:
        seed: decides everything that happens.
        scale: the number of events.
        folder: the folder of the database and the ledgers.
    """

    def __init__(self, seed: int, scale: Scale, folder: Path) -> None:
        self._seed = seed
        self._chance = random.Random(seed)
        self._scale = scale
        self._folder = folder
        self._skew = 0.0
        sent, unit = UNITS[seed % len(UNITS)]
        self._emulator = Emulator(
            seed=seed,
            webhook_url="http://127.0.0.1:1/webhooks",
            webhook_secret=SECRET,
            webhook_faults=WebhookFaults(drop=0.03, duplicate=0.05, reorder=0.2),
            webhook_amounts=sent,
            refund_event=("payment.refunded", "payment.refund")[seed % 2],
            refunded_status="refunded" if seed % 4 in (1, 2) else "success",
            extra_fields=seed % 5 == 0,
            order=("newest", "oldest")[seed % 7 == 6],
        )
        self._emulator._clock._reached_us = BEGIN_US
        self._api = EmulatedApi(self._emulator, self._chance, Dangers())
        self._process = ShopProcess(self._api, lambda: self._now() + self._skew, unit)
        self._books = Books()
        self._syncs_killed = 0
        self._refunds_to_tell: list[Delivery] = []
        self._deliveries_seen = 0

    async def run(self) -> Books:
        """Simulate the year, and return the books at its end."""
        random.seed(self._seed)  # for the SDK's jitter
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("aiosqlite.core.SimpleQueue", HeldQueue)
            await self._run()
        return self._books

    async def _run(self) -> None:
        async with self._emulator:
            await self._process.start()
            await self._route_webhooks()
            self._began = self._rechecked = self._now()
            async with asyncio.TaskGroup() as group:
                for trouble in self._troubles():
                    group.create_task(trouble)
                group.create_task(self._days(group))
                group.create_task(self._sweeps())
                group.create_task(self._nights())
            await self._emulator.delivered()
            await self._end()

    async def _route_webhooks(self) -> None:
        webhooks: Any = self._emulator._webhooks
        await webhooks._session.close()
        webhooks._session = WebhookRoute(self._process.receive)

    def _now(self) -> float:
        return self._emulator.now_us() / 1e6

    async def _days(self, group: asyncio.TaskGroup) -> None:
        """Start the buyers day by day, so that memory does not hold those of the whole year."""
        chance, scale = self._chance, self._scale
        days = sorted(chance.randrange(scale.days) for _ in range(scale.payments))
        for index, day in enumerate(days):
            await pass_time(max(0.0, self._began + day * DAY - self._now()))
            group.create_task(self._buyer(chance.uniform(0, DAY)), name=f"buyer {index}")

    async def _buyer(self, comes_after: float) -> None:
        chance, emulator = self._chance, self._emulator
        await pass_time(comes_after)
        item = chance.choice(self._process.items)
        try:
            link = await self._process.do(lambda shop: shop.order(item))
        except (PaywintError, OSError):
            return  # an error page: this buyer leaves
        payment_id = link.rpartition("/")[2]
        await pass_time(chance.uniform(5, 300))
        fate = chance.random()
        if fate < 0.06:
            return  # this buyer lets the link expire
        await emulator.process(payment_id)
        await pass_time(chance.uniform(1, 60))
        if fate < 0.12:
            await emulator.fail(payment_id)
            if fate < 0.09:
                return
            await pass_time(chance.uniform(5, 300))
            payment_id = await emulator.retry(payment_id)
        elif fate < 0.3:
            await emulator.settle(payment_id)
            await pass_time(chance.uniform(1, 6) * HOUR)
        await emulator.pay(payment_id)
        if chance.random() < 0.5:
            await self._come_back(payment_id)
        if chance.random() < 0.05:
            await self._refund(payment_id)

    async def _come_back(self, payment_id: str) -> None:
        async def back(shop: Any) -> None:
            shop.settle(await shop.client.payments.get(payment_id))

        try:
            await self._process.do(back)
        except (PaywintError, OSError):
            return

    async def _refund(self, payment_id: str) -> None:
        chance, emulator = self._chance, self._emulator
        await pass_time(chance.uniform(0, 20) * DAY)
        if chance.random() < 0.3:
            await emulator.refund_fee(payment_id)
        for part in ("1.10", "2.05")[: chance.randrange(3)]:
            await emulator.refund(payment_id, part)
            await pass_time(chance.uniform(0, 2) * DAY)
        if chance.random() < 0.6:
            await emulator.refund(payment_id)

    def _troubles(self) -> list[Coroutine[Any, Any, None]]:
        scale = self._scale
        return (
            [self._at_some_time(self._outage) for _ in range(scale.outages)]
            + [self._at_some_time(self._deploy) for _ in range(scale.deploys)]
            + [self._at_some_time(self._clock_jump) for _ in range(scale.clock_jumps)]
        )

    async def _at_some_time(self, trouble: Callable[[], Awaitable[None]]) -> None:
        await pass_time(self._chance.uniform(0, self._scale.days) * DAY)
        await trouble()

    async def _outage(self) -> None:
        self._api.is_down = True
        await pass_time(self._chance.uniform(0.5, 5) * HOUR)
        self._api.is_down = False

    async def _deploy(self) -> None:
        self._process.kill()

    async def _clock_jump(self) -> None:
        self._skew = self._chance.choice([-3, -1, 1, 3]) * self._chance.uniform(200, 3600)
        await pass_time(self._chance.uniform(1, 12) * HOUR)
        self._skew = 0.0

    async def _sweeps(self) -> None:
        while self._now() < self._began + (self._scale.days + 2) * DAY:
            await pass_time(self._scale.sweep_hours * HOUR)
            await self._sweep()

    async def _sweep(self) -> None:
        began = datetime.fromtimestamp(self._now(), UTC)
        try:
            await self._process.do(lambda shop: shop.sweep())
        except (PaywintError, OSError):
            return
        # Orders are given up only after a complete sweep.
        self._process.orders.give_up(began - timedelta(days=2))

    async def _nights(self) -> None:
        for night in range(1, self._scale.days + 1):
            await pass_time(max(0.0, self._began + night * DAY - self._now()))
            is_month_end = night % 30 == SETTLING_DAYS and night > 30
            await self._sync(is_killed=self._chance.random() < 0.2, rechecks_all=is_month_end)
            await self._resend_refunds()
            if is_month_end:
                await self._reconcile(night - SETTLING_DAYS)

    async def _sync(self, *, is_killed: bool = False, rechecks_all: bool = False) -> None:
        now = self._now()
        recheck_since = datetime.fromtimestamp(now, UTC) - RECHECKED_NIGHTLY
        if rechecks_all:
            recheck_since = datetime.fromtimestamp(self._rechecked, UTC) - CHANGES_AFTER
        async with client_of(self._api) as client:
            table = make_table(f"sqlite:///{self._folder / 'year.sqlite'}", "received")
            refresh = Refresh(client.payments, "received", recheck_since=recheck_since)
            work = transfer(
                reader(client.payments, "received"),
                table,
                before=lambda checkpoint: refresh.run(table, checkpoint),
            )
            try:
                if is_killed:
                    self._syncs_killed += 1
                    await asyncio.wait_for(work, self._chance.uniform(0, 5))
                else:
                    await work
            except (PaywintError, TimeoutError):
                return  # the next night's sync makes up for it
        if rechecks_all:
            self._rechecked = now

    async def _resend_refunds(self) -> None:
        """Have lost webhooks of refunds sent again, as a person would: no API call shows refunds."""
        sent = self._refunds_to_tell
        sent += [each for each in self._new_deliveries() if "refund" in each.event]
        self._refunds_to_tell = [each for each in sent if each.outcome != "delivered"]
        for delivery in self._refunds_to_tell:
            if delivery.outcome in ("failed", "dropped"):
                await self._emulator.resend(delivery)

    def _new_deliveries(self) -> list[Delivery]:
        deliveries, seen = self._emulator.deliveries, self._deliveries_seen
        new = list(takewhile(lambda each: each.number > seen, reversed(deliveries)))
        self._deliveries_seen = deliveries[-1].number if deliveries else 0
        return new[::-1]

    async def _reconcile(self, last_night: int) -> None:
        until = date.fromtimestamp(self._began) + timedelta(days=last_night - 1)
        period = Period(since=until - timedelta(days=29), until=until)
        ledger = self._folder / f"until_{until}.csv"
        options = ReconcileOptions(ledger=str(ledger), format=LedgerFormat(), period=period)
        # Differences are checked again later: a refund may have come since the orders were read.
        for _attempt in range(24):
            await self._resend_refunds()
            self._write_ledger(ledger, options)
            try:
                async with client_of(self._api) as client:
                    report = await reconcile(client.payments, options)
            except PaywintError as error:
                found = [f"{period}: {error}"]
            else:
                found = [f"{period}: {each}" for each in report.result.differences[:3]]
                if report.agrees:
                    return
            await pass_time(HOUR)
        self._books.disagreements += found

    def _write_ledger(self, ledger: Path, options: ReconcileOptions) -> None:
        """Write the orders that were paid and not refunded, of the month and around its edges."""
        span = options.span
        with ledger.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["payment_id", "amount", "created_at", "description"])
            for order in self._process.paid:
                if order.status == "success" and span["since"] <= order.created_at < span["until"]:
                    price = Decimal(self._process.cents_of(order)) / 100
                    rows.writerow([order.payment_id, price, order.created_at, order.number])

    async def _end(self) -> None:
        """Sweep and sync once more, without failures."""
        self._api.is_down, self._api._dangers = False, Dangers(0, 0, 0)
        await pass_time(60)  # until a killed process is restarted
        await self._resend_refunds()
        await self._process.do(lambda shop: shop.sweep())
        await self._sync(rechecks_all=True)
        self._fill_books()

    def _fill_books(self) -> None:
        books, emulator = self._books, self._emulator
        for _rank, payment in emulator.newest("received"):
            status = payment.status
            books.rows_of_emulator.append((payment.payment_id, status))
            if status in PAID:
                books.paid_by_emulator[payment.payment_id] = status, cents(Decimal(payment.amount))
            for change in emulator.changes(payment.payment_id):
                if change.refund is not None and not change.refund.is_fee:
                    amount = cents(Decimal(change.refund.amount))
                    books.refunded_by_emulator[change.refund.refund_transaction_id] = amount
        books.paid_by_shop = {
            str(order.payment_id): (str(order.status), self._process.cents_of(order))
            for order in self._process.paid
        }
        books.refunded_by_shop = self._process.refunds
        with sqlite3.connect(self._folder / "year.sqlite") as database:
            rows = database.execute(
                "SELECT payment_id, status, amount FROM paywint_payments"
            ).fetchall()
        database.close()
        books.rows_in_database = [(payment_id, status) for payment_id, status, _ in rows]
        books.paid_in_database = {
            payment_id: (status, cents(Decimal(str(amount))))
            for payment_id, status, amount in rows
            if status in PAID
        }
        outcomes = [delivery.outcome for delivery in emulator.deliveries]
        books.counts = {
            "payments": len(books.rows_of_emulator),
            "requests": self._api.requests,
            "kills": self._process.kills,
            "syncs_killed": self._syncs_killed,
            "refunds": len(books.refunded_by_emulator),
            "refunded whole": sum(status == "refunded" for _, status in books.rows_in_database),
            **{name: outcomes.count(name) for name in set(outcomes)},
        }
