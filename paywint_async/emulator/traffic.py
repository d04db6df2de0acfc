"""The request limit and the journal of requests. Both are told the time; neither knows HTTP."""

import math
from collections import deque

import attrs

JOURNAL_LENGTH = 10_000


@attrs.frozen(kw_only=True)
class Exchange:
    """One request that was served, in the times of the event loop's clock (seconds).

    `status` is None where the client went away before the answer; `page_no` is set for listings.
    """

    method: str
    path: str
    status: int | None
    started: float
    finished: float
    page_no: int | None


class Journal:
    """Counts every request, and remembers the latest `JOURNAL_LENGTH`."""

    def __init__(self) -> None:
        self.request_count = 0
        self.in_flight = 0
        self.peak_in_flight = 0
        self.exchanges: deque[Exchange] = deque(maxlen=JOURNAL_LENGTH)

    def open(self) -> None:
        """A request has come."""
        self.request_count += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def close(self, exchange: Exchange) -> None:
        """A request has been served, or given up by its client."""
        self.in_flight -= 1
        self.exchanges.append(exchange)


class TokenBucket:
    """Lets so many requests through a second, after a burst of one second's worth.

    Args:
        rate: Requests per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate)
        self._tokens = self._burst
        self._filled_at = 0.0

    def take(self, now: float) -> int:
        """Ask for one request at this monotonic time.

        Returns:
            0 where it may pass, else the whole seconds after which there is room, at least 1.
        """
        grown = self._tokens + (now - self._filled_at) * self._rate
        self._tokens, self._filled_at = min(self._burst, grown), now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) / self._rate))
