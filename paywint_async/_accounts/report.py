"""The reports of an export of many accounts, while it runs and at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TypeAlias

import attrs

from paywint_async._errors import PaywintError


class AccountStatus(StrEnum):
    """The state of an account."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class AccountReport:
    """The progress or the result of the export of one account.

    ``payments`` counts those in its output, ``total`` those that it is to have (None: not known yet, as
    of a span of time until it is complete), ``new`` those that this call has added, ``changed`` those
    whose status this call has updated. ``seconds`` counts from when a worker began the account.
    ``attempts`` is how often its longest step was begun, including on workers that were killed.
    ``error`` is the reason of a failure; what was committed stays, and the next call continues there.
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
        text = f"{self.account}: {self.status}, {self.payments:,} payments, {self.new:,} new"
        return text if self.error is None else f"{text} ({type(self.error).__name__}: {self.error})"


OnReport: TypeAlias = Callable[[AccountReport], object]


@attrs.frozen(kw_only=True)
class ExportSummary:
    """The reports of all accounts, in the order in which the accounts were given."""

    reports: tuple[AccountReport, ...]
    seconds: float

    def __iter__(self) -> Iterator[AccountReport]:
        return iter(self.reports)

    @property
    def failed(self) -> tuple[AccountReport, ...]:
        """The accounts that are not complete; each report has the error."""
        return tuple(each for each in self.reports if each.status is AccountStatus.FAILED)

    @property
    def is_complete(self) -> bool:
        """Whether every account is complete."""
        return not self.failed

    @property
    def payments(self) -> int:
        """The number of payments in all outputs."""
        return sum(each.payments for each in self.reports)

    @property
    def new(self) -> int:
        """The number of payments that this call has added to all outputs."""
        return sum(each.new for each in self.reports)

    def __str__(self) -> str:
        complete = len(self.reports) - len(self.failed)
        summary = (
            f"{complete:,} of {len(self.reports):,} accounts complete, {self.payments:,} payments, "
            f"{self.new:,} new, in {self.seconds:.1f} s"
        )
        return "\n".join([summary, *(f"  {each}" for each in self.failed)])
