"""What can go wrong with a comparison, in words."""

from __future__ import annotations

from paywint_async import PaywintError


class ReconcileError(PaywintError):
    """The books cannot be compared; nothing is claimed about them."""


class LedgerError(ReconcileError):
    """A ledger cannot be read as it stands, or too little of it can be compared.

    ``place`` is the ledger, or the row of it (``books.csv, line 7``); ``column`` is None where the
    whole row or file is meant; ``hint`` names what the reader can do, such as the option that decides.
    """

    def __init__(
        self, place: str, problem: str, *, column: str | None = None, hint: str | None = None
    ) -> None:
        where = f"{place}{f', column {column!r}' if column else ''}"
        super().__init__(f"{where}: {problem}{f'; {hint}' if hint else ''}")
        self.place = place
        self.column = column
        self.problem = problem
        self.hint = hint
