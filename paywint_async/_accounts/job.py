"""What travels to a worker and what comes back: plain values without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from paywint_async._accounts.account import Account
from paywint_async._client import PaywintClient
from paywint_async._config import Credentials, RateLimit, RetryPolicy
from paywint_async._errors import PaywintError

OnCount: TypeAlias = Callable[[int], object]


@attrs.frozen(kw_only=True)
class Options:
    """How every account is read; `export_accounts` says what each means."""

    max_concurrency: int = 8
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    rate_limit: RateLimit | None = None
    split_above: int = 100_000
    attempts: int = 3
    pause: float = 5.0  # seconds before the second attempt; before the third twice that, and so on


@attrs.frozen(kw_only=True)
class Job:
    """One account with its output."""

    account: Account
    output: str
    options: Options

    def open_client(self) -> PaywintClient:
        """The account's client, with its secrets resolved here.

        Raises:
            ConfigurationError: there is no such secret on this worker, or it cannot be used.
        """
        # Wrapped at once, as `PaywintClient.from_env` does: no frame has the values as locals.
        credentials: Any = Credentials(
            self.account.api_key.resolve(), self.account.api_secret.resolve()
        )
        return PaywintClient(
            credentials,
            "",
            environment=self.account.environment,
            base_url=self.account.base_url,
            max_concurrency=self.options.max_concurrency,
            retry=self.options.retry,
            rate_limit=self.options.rate_limit,
        )


@attrs.frozen(kw_only=True)
class Part:
    """A range of a large account, by its place among those of one direction."""

    direction: str
    number: int


@attrs.frozen(kw_only=True)
class Plan:
    """What is to be done for an account.

    ``held`` payments are in the output already, of ``total`` that the account has now; ``parts`` are
    to be read before the output can be written; none: it is read in one piece.
    """

    held: int
    total: int
    parts: tuple[Part, ...] = ()


@attrs.frozen(kw_only=True)
class Written:
    """What the output has at the end: so many payments, of which some were there and have changed."""

    payments: int
    changed: int


@attrs.frozen(kw_only=True)
class StepOutcome:
    """What came of a step: its value or the error, and how often it was tried."""

    value: Any = None
    error: PaywintError | None = None
    attempts: int = 1
