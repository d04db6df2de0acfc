"""How many retries a whole client may spend, so that an outage is not multiplied."""

from __future__ import annotations


class RetryBudget:
    """A bucket of retries, shared by all operations of a client (as gRPC and the AWS SDKs have it).

    A retry takes one, an answer that needs none puts one back. While most requests succeed it never
    runs dry; when everything fails, `capacity` retries are spent in all, and each further operation
    fails with its first outcome. A 429 takes nothing: the cooldown bounds those.

    Args:
        capacity: 100 lets a hundred tasks stumble at once, and triples no outage.
    """

    def __init__(self, capacity: int = 100) -> None:
        self._capacity = capacity
        self._left = capacity

    def __repr__(self) -> str:
        return f"<RetryBudget {self._left}/{self._capacity}>"

    def spend(self) -> bool:
        """Takes one retry; False where none is left."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def refill(self) -> None:
        """Puts one back, up to the capacity."""
        self._left = min(self._capacity, self._left + 1)
