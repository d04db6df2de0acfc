"""The values that are sent to a worker and come back, none of which has a secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import attrs

from paywint_async._accounts.account import Account
from paywint_async._client import PaywintClient
from paywint_async._config import Credentials, RateLimit, RetryPolicy
from paywint_async._errors import PaywintError

OnCount: TypeAlias = Callable[[int], object]


@attrs.frozen(kw_only=True)
class Options:
    """The options for reading each account; `export_accounts` documents them."""

    max_concurrency: int = 8
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    rate_limit: RateLimit | None = None
    split_above: int = 100_000
    attempts: int = 3
    since: datetime | None = None
    until: datetime | None = None
    oldest_first: bool = False
    pause: float = 5.0  # seconds before the second attempt; before the third twice that, and so on


@attrs.frozen(kw_only=True)
class Job:
    """One account with its output."""

    account: Account
    output: str
    options: Options

    @property
    def selection(self) -> dict[str, Any]:
        """The listing's options: the span of time, and the order."""
        options = self.options
        return {
            "since": options.since,
            "until": options.until,
            "oldest_first": options.oldest_first,
        }

    def open_client(self) -> PaywintClient:
        """The client of the account; resolves its secrets on this worker.

        Raises:
            ConfigurationError: this worker has no such secret, or it cannot be used.
        """
        # Wrapped at once, as `PaywintClient.from_env` does: no frame has the values as local variables.
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
    """A range of a large account: its direction, and its number among the ranges of that direction."""

    direction: str
    number: int


@attrs.frozen(kw_only=True)
class Plan:
    """The plan for an account.

    The output already has ``exported_count`` of the account's ``total`` payments; how many of them are
    in a span of time is not known yet. The ``parts`` must be read before the output can be written;
    without any, the account is read in one piece. ``is_split_now``: they were planned just now, so
    none has a payment that an earlier call read.
    """

    exported_count: int
    total: int
    is_of_span: bool = False
    parts: tuple[Part, ...] = ()
    is_split_now: bool = False


@attrs.frozen(kw_only=True)
class Written:
    """The number of payments in the finished output, and how many of them had changed."""

    payments: int
    changed: int


@attrs.frozen(kw_only=True)
class StepOutcome:
    """The result of a step: its value or the error, and the number of attempts."""

    value: Any = None
    error: PaywintError | None = None
    attempts: int = 1
