"""The request limit and the journal of requests. Neither reads a clock or knows HTTP."""

import math
import re
from collections import deque
from collections.abc import Callable, Sequence

import attrs

JOURNAL_LENGTH = 10_000
BODY_LENGTH = 1000
"""The number of characters of a body that are kept."""


@attrs.frozen(kw_only=True)
class RecordedExchange:
    """A request and its answer.

    `at_us` is the time of the request, in Unix microseconds of the emulator's clock; `started` and
    `finished` are in seconds of the event loop's clock. `operation` is the name of the operation, such
    as "create_link", or None if the API has no such operation. `status` is None if the client
    disconnected before the answer; `page_no` is set for listings. Bodies are shortened, without
    credentials.
    """

    at_us: int
    method: str
    path: str
    operation: str | None
    status: int | None
    started: float
    finished: float
    page_no: int | None
    # As bytes: as text, ten thousand could take 40 MB, since one emoji makes each character four bytes.
    _request: bytes = attrs.field(alias="request")
    _response: bytes = attrs.field(alias="response")

    @property
    def request_body(self) -> str:
        """The beginning of the request's body."""
        return self._request.decode()

    @property
    def response_body(self) -> str:
        """The beginning of the answer's body; empty if there was no answer."""
        return self._response.decode()

    @property
    def duration(self) -> float:
        """Seconds from request to answer, including the latency."""
        return self.finished - self.started


class Journal:
    """Counts every request, and keeps the latest `JOURNAL_LENGTH`.

    Args:
        secrets: Texts that are masked everywhere, like checkout tokens.
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
        """Count a new request."""
        self.request_count += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def close(self, exchange: RecordedExchange) -> None:
        """Record a request that was answered, or aborted by its client."""
        self.in_flight -= 1
        self.exchanges.append(exchange)
        for listener in tuple(self._listeners):
            listener(exchange)

    def subscribe(self, listener: Callable[[RecordedExchange], object]) -> Callable[[], None]:
        """Call a listener for every exchange; it must not raise. Returns a function to unsubscribe."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def blot(self, text: str) -> str:
        """Return a text with credentials masked."""
        return self._secrets.sub("***", text)

    def excerpt(self, body: bytes) -> bytes:
        """Return the beginning of a body as UTF-8, with credentials masked."""
        # More than is kept is searched: a secret may cross the cut.
        beginning = body[: BODY_LENGTH + self._longest].decode(errors="replace")
        return self.blot(beginning)[:BODY_LENGTH].encode()


class TokenBucket:
    """Limits the rate of requests, with a burst of one second's requests.

    Args:
        rate: Requests per second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate)
        self._tokens = self._burst
        self._filled_at = 0.0

    def take(self, now: float) -> int:
        """Request permission for one request at a monotonic time.

        Returns:
            0 if it is allowed, else the whole seconds until the next is, at least 1.
        """
        grown = self._tokens + (now - self._filled_at) * self._rate
        self._tokens, self._filled_at = min(self._burst, grown), now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) / self._rate))
