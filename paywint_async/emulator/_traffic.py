"""The request limit and the journal of requests. Both are told the time; neither knows HTTP."""

import math
import re
from collections import deque
from collections.abc import Callable, Sequence

import attrs

JOURNAL_LENGTH = 10_000
BODY_LENGTH = 1000
"""Characters of a body that are remembered."""


@attrs.frozen(kw_only=True)
class RecordedExchange:
    """One request that was served.

    `at_us` is when it came, in Unix microseconds of the emulator's clock; `started` and `finished`
    are seconds of the event loop's. `operation` is what was asked for, such as "create_link"; None
    where it is none of the API's. `status` is None where the client went away before the answer;
    `page_no` is set for listings. Of the bodies there is the beginning, without credentials.
    """

    at_us: int
    method: str
    path: str
    operation: str | None
    status: int | None
    started: float
    finished: float
    page_no: int | None
    # As text, ten thousand of them would take 40 MB: one emoji makes every character four bytes.
    _request: bytes = attrs.field(alias="request")
    _response: bytes = attrs.field(alias="response")

    @property
    def request_body(self) -> str:
        """Its beginning."""
        return self._request.decode()

    @property
    def response_body(self) -> str:
        """Its beginning; empty where there was no answer."""
        return self._response.decode()

    @property
    def duration(self) -> float:
        """Seconds from its coming to its answer, the latency included."""
        return self.finished - self.started


class Journal:
    """Counts every request, and remembers the latest `JOURNAL_LENGTH`.

    Args:
        secrets: What is blotted out wherever it stands, besides checkout tokens.
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
        """A request has come."""
        self.request_count += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def close(self, exchange: RecordedExchange) -> None:
        """A request has been served, or given up by its client."""
        self.in_flight -= 1
        self.exchanges.append(exchange)
        for listener in tuple(self._listeners):
            listener(exchange)

    def subscribe(self, listener: Callable[[RecordedExchange], object]) -> Callable[[], None]:
        """Call it with every exchange; it must not raise. What comes back ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def blot(self, text: str) -> str:
        """The text without credentials."""
        return self._secrets.sub("***", text)

    def excerpt(self, body: bytes) -> bytes:
        """The beginning of a body as UTF-8, fit to be kept."""
        # More than is kept is searched: a secret may lie across the cut.
        beginning = body[: BODY_LENGTH + self._longest].decode(errors="replace")
        return self.blot(beginning)[:BODY_LENGTH].encode()


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
