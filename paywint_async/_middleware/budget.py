"""Limits the retries of a whole client, so that they do not multiply the load of an outage."""

from __future__ import annotations


class RetryBudget:
    """A token bucket of retries, shared by all operations of a client (as in gRPC and the AWS SDKs).

    A retry takes one token, an answer that needs no retry puts one back. While most requests succeed,
    the bucket never becomes empty; when all fail, `capacity` retries are sent in total, and every
    further operation fails after its first attempt. Retries after a 429 take no token, as the cooldown
    limits them.

    Args:
        capacity: 100 lets a hundred tasks fail at the same time and retry, and hardly adds to an outage.
    """

    def __init__(self, capacity: int = 100) -> None:
        self._capacity = capacity
        self._left = capacity

    def __repr__(self) -> str:
        return f"<RetryBudget {self._left}/{self._capacity}>"

    def spend(self) -> bool:
        """Takes one token; returns False if none is left."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def refill(self) -> None:
        """Puts one token back, up to the capacity."""
        self._left = min(self._capacity, self._left + 1)
