"""What is told of an export of many accounts, while it runs and at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TypeAlias

import attrs

from paywint_async._errors import PaywintError


class AccountStatus(StrEnum):
    """How far an account is."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class AccountReport:
    """What is known of one account's export.

    ``payments`` are in its output, ``new`` of them since this call; ``changed`` were there and have
    another status now. ``seconds`` count from when a worker first took it up. ``attempts`` are how
    often its longest step was begun, a killed worker's included. ``error`` is why it failed; what was
    written stands, and the next call goes on from there.
    """

    account: str
    status: AccountStatus
    payments: int = 0
    total: int | None = None
    new: int = 0
    changed: int = 0
    seconds: float = 0.0
    attempts: int = 0
    error: PaywintError | None = None

    def __str__(self) -> str:
        told = f"{self.account}: {self.status}, {self.payments:,} payments, {self.new:,} new"
        return told if self.error is None else f"{told} ({type(self.error).__name__}: {self.error})"


OnReport: TypeAlias = Callable[[AccountReport], object]


@attrs.frozen(kw_only=True)
class ExportSummary:
    """What came of all accounts: a report of each, in the order in which they were given."""

    reports: tuple[AccountReport, ...]
    seconds: float

    def __iter__(self) -> Iterator[AccountReport]:
        return iter(self.reports)

    @property
    def failed(self) -> tuple[AccountReport, ...]:
        """The accounts that are not complete; each report says why."""
        return tuple(each for each in self.reports if each.status is AccountStatus.FAILED)

    @property
    def is_complete(self) -> bool:
        """Whether no account failed."""
        return not self.failed

    @property
    def payments(self) -> int:
        """In all outputs together."""
        return sum(each.payments for each in self.reports)

    @property
    def new(self) -> int:
        """In all outputs together, since this call."""
        return sum(each.new for each in self.reports)

    def __str__(self) -> str:
        complete = len(self.reports) - len(self.failed)
        told = (
            f"{complete:,} of {len(self.reports):,} accounts complete, {self.payments:,} payments, "
            f"{self.new:,} new, in {self.seconds:.1f} s"
        )
        return "\n".join([told, *(f"  {each}" for each in self.failed)])
