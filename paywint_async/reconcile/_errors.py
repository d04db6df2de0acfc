"""What can go wrong with a comparison, in words."""

from __future__ import annotations

from paywint_async import PaywintError


class ReconcileError(PaywintError):
    """The books cannot be compared; nothing is claimed about them."""


class LedgerError(ReconcileError):
    """A ledger cannot be read as it stands. Nothing of it is guessed, and no row is passed over.

    ``place`` is the ledger, or the row of it (``books.csv, line 7``); ``column`` is None where the
    whole row or file is meant.
    """

    def __init__(self, place: str, problem: str, *, column: str | None = None) -> None:
        super().__init__(f"{place}{f', column {column!r}' if column else ''}: {problem}")
        self.place = place
        self.column = column
        self.problem = problem
