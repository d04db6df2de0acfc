"""The books about the example shop at the end of a year, and their differences."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

PAID = ("success", "refunded")
"""The statuses of payments that were paid, whether or not they were refunded later."""


@attrs.define
class Books:
    """The books of the emulator, the shop and the database: payments with status and cents, refunds."""

    paid_by_emulator: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    paid_by_shop: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    paid_in_database: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    refunded_by_emulator: dict[str, int] = attrs.field(factory=dict)
    refunded_by_shop: dict[str, int] = attrs.field(factory=dict)
    rows_of_emulator: list[tuple[str, str]] = attrs.field(factory=list)
    rows_in_database: list[tuple[str, str]] = attrs.field(factory=list)
    disagreements: list[str] = attrs.field(factory=list)
    counts: dict[str, int] = attrs.field(factory=dict)

    def differences(self) -> list[str]:
        """The differences between the books, to the cent; empty if they agree."""
        found = list(self.disagreements)
        pairs: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
            ("paid, shop and emulator", self.paid_by_shop, self.paid_by_emulator),
            ("paid, database and emulator", self.paid_in_database, self.paid_by_emulator),
            ("refunds, shop and emulator", self.refunded_by_shop, self.refunded_by_emulator),
        ]
        for name, books, expected in pairs:
            keys = books.keys() | expected.keys()
            wrong = [key for key in keys if books.get(key) != expected.get(key)]
            found += [f"{name}: {key}: {books.get(key)}, {expected.get(key)}" for key in wrong]
        rows = set(self.rows_in_database) ^ set(self.rows_of_emulator)
        found += [f"database or emulator only: {row}" for row in sorted(rows)]
        if len(self.rows_in_database) != len(self.rows_of_emulator):
            found.append("the database has a payment twice or not at all")
        return found


def cents(dollars: Decimal) -> int:
    """Dollars as cents, exactly."""
    scaled = dollars * 100
    assert scaled == int(scaled)
    return int(scaled)
