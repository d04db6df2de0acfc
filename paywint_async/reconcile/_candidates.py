"""Keeps the unmatched rows and payments, and groups those that may match each other. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from uuid import UUID

from paywint_async.reconcile._keys import InvoiceNumbers, description_key, invoice_key
from paywint_async.reconcile._payouts import may_be_payout
from paywint_async.reconcile._records import LedgerRow, PaymentFact

Rows = list[LedgerRow]
Facts = list[PaymentFact]
Group = tuple[Rows, Facts]


class OpenItems:
    """The rows and payments that are not matched yet; each is removed in constant time."""

    def __init__(self) -> None:
        self._rows: dict[int, LedgerRow] = {}
        self._payments: dict[tuple[str, UUID], PaymentFact] = {}

    @property
    def rows(self) -> Rows:
        """All open rows, in the order in which they were added."""
        return list(self._rows.values())

    @property
    def payments(self) -> Facts:
        """All open payments, in the order in which they were added."""
        return list(self._payments.values())

    def add_row(self, row: LedgerRow) -> None:
        """Add a row."""
        self._rows[row.place] = row

    def add_payment(self, payment: PaymentFact) -> None:
        """Add a payment."""
        self._payments[payment.direction, payment.payment_id] = payment

    def has_row(self, row: LedgerRow) -> bool:
        """Return whether the row is still open."""
        return row.place in self._rows

    def rows_of(self, rows: Iterable[LedgerRow]) -> Rows:
        """Return the rows that are still open."""
        return [row for row in rows if self.has_row(row)]

    def payments_of(self, payments: Iterable[PaymentFact]) -> Facts:
        """Return the payments that are still open."""
        return [each for each in payments if (each.direction, each.payment_id) in self._payments]

    def remove(self, rows: Iterable[LedgerRow], payments: Iterable[PaymentFact] = ()) -> None:
        """Remove rows and payments, all of which must be open."""
        for row in rows:
            del self._rows[row.place]
        for payment in payments:
            del self._payments[payment.direction, payment.payment_id]


class Interest:
    """Selects the payments that may match a row; the others need not be kept.

    Args:
        rows: those without a payment's id.
    """

    def __init__(self, rows: Iterable[LedgerRow]) -> None:
        rows = list(rows)
        self._invoices = InvoiceNumbers([key for row in rows if (key := invoice_key(row.invoice))])
        self._descriptions = {description_key(row.description) for row in rows} - {None}
        self._amounts = {row.amount for row in rows}
        self.has_payouts = any(map(may_be_payout, rows))

    def has(self, payment: PaymentFact) -> bool:
        """Return whether the payment may match one of the rows."""
        return (
            payment.amount in self._amounts
            or bool(self._invoices.within(payment.description))
            or description_key(payment.description) in self._descriptions
        )


def booked(row: LedgerRow) -> Hashable:
    """Return the content of a row with an invoice, without its day and description."""
    return row.direction, invoice_key(row.invoice), row.amount, row.status


def by_amount(rows: Iterable[LedgerRow], payments: Iterable[PaymentFact]) -> list[Group]:
    """Group rows and payments by amount."""
    return _grouped(
        ((row, (row.direction, row.amount)) for row in rows),
        ((payment, (payment.direction, payment.amount)) for payment in payments),
    )


def description_groups(rows: Iterable[LedgerRow], payments: Iterable[PaymentFact]) -> list[Group]:
    """Group rows and payments by description; groups without rows or payments are left out."""
    groups = _grouped(
        ((row, _described(row)) for row in rows if description_key(row.description)),
        ((each, _described(each)) for each in payments if description_key(each.description)),
    )
    return [group for group in groups if all(group)]


def _described(item: LedgerRow | PaymentFact) -> Hashable:
    return item.direction, description_key(item.description)


def invoice_groups(rows: Iterable[LedgerRow], payments: Iterable[PaymentFact]) -> list[Group]:
    """Group rows and payments by invoice; groups without rows or payments are left out.

    Invoices that are named by the same payment are in one group: otherwise their order would decide
    which of them gets the payment.
    """
    named = [(row, (row.direction, key)) for row in rows if (key := invoice_key(row.invoice))]
    numbers = InvoiceNumbers({key for _, (_, key) in named})
    root: dict[Hashable, Hashable] = {key: key for _, key in named}

    def find(key: Hashable) -> Hashable:
        while root[key] != key:
            root[key] = key = root[root[key]]
        return key

    found: list[tuple[PaymentFact, Hashable]] = []
    for payment in payments:
        within = sorted(numbers.within(payment.description))
        keys = [each for name in within if (each := (payment.direction, name)) in root]
        for each in keys:
            root[find(each)] = find(keys[0])
        if keys:
            found.append((payment, keys[0]))
    groups = _grouped(
        ((row, find(key)) for row, key in named), ((each, find(key)) for each, key in found)
    )
    return [group for group in groups if all(group)]


def _grouped(
    rows: Iterable[tuple[LedgerRow, Hashable]], payments: Iterable[tuple[PaymentFact, Hashable]]
) -> list[Group]:
    groups: defaultdict[Hashable, Group] = defaultdict(lambda: ([], []))
    for row, key in rows:
        groups[key][0].append(row)
    for payment, key in payments:
        groups[key][1].append(payment)
    return list(groups.values())
