"""The errors of a comparison."""

from __future__ import annotations

from paywint_async import PaywintError


class ReconcileError(PaywintError):
    """The books cannot be compared; there is no result."""


class LedgerError(ReconcileError):
    """A ledger cannot be read, or none of its rows can be compared.

    ``place`` is the ledger or one of its rows (``books.csv, line 7``); ``column`` is None if the
    problem is not in one column; ``hint`` says what to do, for example which option to use.
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
