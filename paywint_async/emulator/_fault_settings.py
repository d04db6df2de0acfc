"""Settings that can be changed while the emulator runs: latency, request limit, share of failures."""

from typing import Any

from paywint_async.emulator._identity import Identity
from paywint_async.emulator._traffic import TokenBucket


class FaultSettings:
    """Latency, request limit and failures of the API.

    Args:
        identity: Its seed decides which requests fail.
        latency: Seconds by which each request is delayed before it is processed.
        rate_limit: Requests per second; None: no limit.
        failures: The share of requests that get a 503, from 0 to 1.
    """

    def __init__(
        self, identity: Identity, *, latency: float, rate_limit: float | None, failures: float
    ) -> None:
        self._identity = identity
        self._asked = 0
        self.bucket: TokenBucket | None = None
        self.rate_limit: float | None = None
        self.set(latency=latency, rate_limit=rate_limit, failures=failures)

    def set(self, *, latency: float, rate_limit: float | None, failures: float) -> None:
        """Set all of them, or none.

        Raises:
            ValueError: One of them is out of its range; the message names it.
        """
        _check("latency", latency, 0, 3600)
        _check("failures", failures, 0, 1)
        if rate_limit is not None:
            _check("rate_limit", rate_limit, 0.001, 1_000_000)
        if rate_limit != self.rate_limit:
            self.bucket = None if rate_limit is None else TokenBucket(rate_limit)
        self.latency, self.rate_limit, self.failures = latency, rate_limit, failures

    def fails(self) -> bool:
        """Decide whether the next request fails; each call counts as one request."""
        if not self.failures:
            return False
        self._asked += 1
        bits = self._identity.bits(f"failure {self._asked}")
        return int.from_bytes(bits[:8], "big") < self.failures * 2**64


def _check(name: str, value: Any, least: float, most: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}, not {value!r}")
