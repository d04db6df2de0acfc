"""The request limit and the journal of requests. The caller passes the time; neither knows HTTP."""

import math
import re
from collections import deque
from collections.abc import Callable, Sequence

import attrs

JOURNAL_LENGTH = 10_000
BODY_LENGTH = 1000
"""The number of characters that are kept of a body."""


@attrs.frozen(kw_only=True)
class RecordedExchange:
    """One request that was served.

    `at_us` is the time of arrival, in Unix microseconds of the emulator's clock; `started` and `finished`
    are seconds of the event loop's clock. `operation` is the API operation, such as "create_link", or
    None. `status` is None if the client disconnected before the response; `page_no` is set for listings.
    Bodies are truncated, and contain no credentials.
    """

    at_us: int
    method: str
    path: str
    operation: str | None
    status: int | None
    started: float
    finished: float
    page_no: int | None
    # As bytes, since one emoji makes each character of a text take four bytes: 40 MB in all.
    _request: bytes = attrs.field(alias="request")
    _response: bytes = attrs.field(alias="response")

    @property
    def request_body(self) -> str:
        """The beginning of the request's body."""
        return self._request.decode()

    @property
    def response_body(self) -> str:
        """The beginning of the response's body; empty if there was no response."""
        return self._response.decode()

    @property
    def duration(self) -> float:
        """Seconds from arrival to response, including the latency."""
        return self.finished - self.started


class Journal:
    """Counts all requests, and keeps the latest `JOURNAL_LENGTH`.

    Args:
        secrets: Texts that are masked wherever they occur, besides checkout tokens.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        known = "|".join(map(re.escape, filter(None, secrets)))
        self._secrets = re.compile(f"{known}|chk_[0-9a-f]+" if known else "chk_[0-9a-f]+")
        self._longest = max((64, *map(len, secrets)))
        self._listeners: list[Callable[[RecordedExchange], object]] = []
        self.request_count = 0
        self.in_flight = 0
        self.peak_in_flight = 0
        self.exchanges: deque[RecordedExchange] = deque(maxlen=JOURNAL_LENGTH)

    def open(self) -> None:
        """Count a request that has arrived."""
        self.request_count += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def close(self, exchange: RecordedExchange) -> None:
        """Record a request that was served, or cancelled by its client."""
        self.in_flight -= 1
        self.exchanges.append(exchange)
        for listener in tuple(self._listeners):
            listener(exchange)

    def subscribe(self, listener: Callable[[RecordedExchange], object]) -> Callable[[], None]:
        """Call a function, which must not raise, with every exchange; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def blot(self, text: str) -> str:
        """Mask the credentials in a text."""
        return self._secrets.sub("***", text)

    def excerpt(self, body: bytes) -> bytes:
        """The beginning of a body as UTF-8, with credentials masked."""
        # Searches more than is kept, since a secret may extend across the end.
        beginning = body[: BODY_LENGTH + self._longest].decode(errors="replace")
        return self.blot(beginning)[:BODY_LENGTH].encode()


class TokenBucket:
    """Allows `rate` requests per second, after a burst of those of one second.

    Args:
        rate: Requests per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate)
        self._tokens = self._burst
        self._filled_at = 0.0

    def take(self, now: float) -> int:
        """Take a token for one request at this monotonic time.

        Returns:
            0 if it is allowed, else the seconds until one will be, rounded up, at least 1.
        """
        grown = self._tokens + (now - self._filled_at) * self._rate
        self._tokens, self._filled_at = min(self._burst, grown), now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) / self._rate))
