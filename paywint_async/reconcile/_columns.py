"""Which column of a ledger says what: as told, or by names that ledgers usually have. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from paywint_async.reconcile._errors import LedgerError

# Of several that are there, the first counts; of dates, the first that has a value in a row.
_USUAL = {
    "id": ("payment_id",),
    "invoice": ("invoice_number", "invoice"),
    "description": ("description",),
    "amount": ("amount",),
    "date": ("payment_date", "created_at", "date"),
    "status": ("status",),
    "direction": ("direction",),
    "currency": ("currency",),
}
_TO_FIND_BY = ("id", "invoice", "description", "date")


@attrs.frozen(kw_only=True)
class Columns:
    """The names of a ledger's columns; capitals and outer blanks do not count.

    None: a column of a usual name, where there is one (`payment_id`, `invoice_number` or `invoice`,
    `description`, `amount`, `payment_date` or `created_at` or `date`, `status`, `direction`,
    `currency`). An empty name: no column, whatever there is.
    """

    id: str | None = None
    invoice: str | None = None
    description: str | None = None
    amount: str | None = None
    date: str | None = None
    status: str | None = None
    direction: str | None = None
    currency: str | None = None


@attrs.frozen(kw_only=True)
class Places:
    """Where in a row each thing stands; ``dates`` are looked at in their order."""

    width: int
    names: tuple[str, ...]
    id: int | None
    invoice: int | None
    description: int | None
    amount: int
    dates: tuple[int, ...]
    status: int | None
    direction: int | None
    currency: int | None

    @property
    def used(self) -> list[int]:
        """All of them."""
        single = (self.id, self.invoice, self.description, self.status, self.direction)
        found = {each for each in (*single, self.currency) if each is not None}
        return sorted({self.amount, *self.dates, *found})


def find_columns(header: Sequence[str], columns: Columns, ledger: str) -> Places:
    """The places of the columns in a header.

    Raises:
        LedgerError: one is missing, or there twice, or there is nothing to find a payment by.
    """
    names = [name.strip().casefold() for name in header]

    def place(name: str) -> int | None:
        if names.count(name) > 1:
            raise LedgerError(ledger, f"has {names.count(name)} columns of this name", column=name)
        return names.index(name) if name in names else None

    def find(role: str) -> list[int]:
        told: str | None = getattr(columns, role)
        if told is None:
            return [found for name in _USUAL[role] if (found := place(name)) is not None]
        if not told.strip():
            return []
        found = place(told.strip().casefold())
        if found is None:
            raise LedgerError(ledger, f"is not there; {_there_are(header)}", column=told)
        return [found]

    found = {role: find(role) for role in _USUAL}
    if not found["amount"]:
        raise LedgerError(ledger, f"has no column 'amount', tell its name; {_there_are(header)}")
    if not any(found[role] for role in _TO_FIND_BY):
        raise LedgerError(
            ledger, f"has no column of ids, invoices, descriptions or dates; {_there_are(header)}"
        )
    first = {role: next(iter(places), None) for role, places in found.items()}
    return Places(
        width=len(header),
        names=tuple(header),
        id=first["id"],
        invoice=first["invoice"],
        description=first["description"],
        amount=found["amount"][0],
        dates=tuple(found["date"]),
        status=first["status"],
        direction=first["direction"],
        currency=first["currency"],
    )


def _there_are(header: Sequence[str]) -> str:
    return f"there are {', '.join(map(repr, header))}"
