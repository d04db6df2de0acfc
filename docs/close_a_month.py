"""The account and the books of the guide "Close a month": `docs/pictures.py` draws them.

The test of the guide runs its commands against the same account and books.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from paywint_async import Payment, PaymentStatus, PaywintClient
from paywint_async.emulator import Emulator

TODAY = date(2026, 6, 2)
MONTH = (2026, 5)
HEADER = ["Date", "Transaction Type", "Num", "Name", "Memo/Description", "Account", "Amount"]


@asynccontextmanager
async def account_and_books(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The environment of a caller with an account; the books of its month are put into the folder."""
    async with Emulator(payments=2600, seed=1, today=TODAY) as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            payments = await client.payments.received().collect()
        (folder / "quickbooks.csv").write_text(quickbooks(payments), "utf-8", newline="")
        yield {
            "PAYWINT_API_KEY": keys[0],
            "PAYWINT_API_SECRET": keys[1],
            "PAYWINT_BASE_URL": emulator.url,
        }


def quickbooks(payments: Iterable[Payment]) -> str:
    """A report of QuickBooks Online: one payment is missing, one entered twice, one mistyped."""
    rows = [_row(number, *each) for number, each in enumerate(sorted(_paid_in_month(payments)))]
    invoiced = [row for row in rows if row[4].startswith("Invoice")]
    missing, doubled, mistyped = invoiced[10], invoiced[25], invoiced[40]
    rows.remove(missing)
    rows.insert(rows.index(doubled) + 1, doubled)
    mistyped[6] = f"{_amount(mistyped) + 90:,.2f}"
    total = sum(map(_amount, rows), Decimal(0))
    lines: list[list[str]] = [
        ["Copper & Pine Furniture LLC"],
        ["Transaction List by Date"],
        ["May 1-31, 2026"],
        [],
        HEADER,
        *rows,
        ["TOTAL", *[""] * 5, f"${total:,.2f}"],
        [],
        ["Tuesday, Jun 2, 2026 09:00:12 AM GMT-7"],
    ]
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def _paid_in_month(payments: Iterable[Payment]) -> Iterable[tuple[datetime, str, str, Decimal]]:
    for each in payments:
        when = each.payment_date
        if each.status is PaymentStatus.SUCCESS and when and (when.year, when.month) == MONTH:
            yield when, each.payer_name or "", each.description or "", each.amount


def _row(number: int, when: datetime, payer: str, description: str, amount: Decimal) -> list[str]:
    day, account = f"{when:%m/%d/%Y}", "Undeposited Funds"
    return [day, "Payment", str(1001 + number), payer, description, account, f"{amount:,.2f}"]


def _amount(row: list[str]) -> Decimal:
    return Decimal(row[6].replace(",", ""))
