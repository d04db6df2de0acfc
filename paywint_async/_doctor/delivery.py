"""Reads a recorded webhook delivery: its body, or the whole HTTP request as it was received."""

from __future__ import annotations

import re

import attrs

from paywint_async import PaywintError, WebhookDecodeError
from paywint_async.webhooks import WebhookEvent, parse_event

MAX_BYTES = 256 * 1024
"""Limit for a recorded delivery: far more than the largest that a receiver accepts, with headers."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_HEADER = re.compile(r"([A-Za-z0-9-]{1,60}):\s*(.*)")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@attrs.frozen(kw_only=True)
class RecordedDelivery:
    """A delivered event, and the names of its headers, if those were recorded."""

    event: WebhookEvent
    header_names: tuple[str, ...] = ()

    @property
    def signature_headers(self) -> list[str]:
        """The names of headers that look like a signature."""
        return [name for name in self.header_names if "signature" in name or "hmac" in name]


def read_delivery(data: bytes) -> RecordedDelivery:
    """Parses the content of a file.

    Raises:
        PaywintError: it is not a delivery; the message repeats nothing of the content.
    """
    head, body = _split(data.removeprefix(_BYTE_ORDER_MARK))
    names = [found[1].lower() for line in head.splitlines() if (found := _HEADER.fullmatch(line))]
    try:
        event = parse_event(body, {}, tolerance=None)
    except WebhookDecodeError as error:
        place = f" (at {error.path})" if error.path else ""
        problem = (
            f"holds no delivery of a webhook{place}: it must be the body, or headers, an empty "
        )
        problem += "line and the body"
    else:
        return RecordedDelivery(event=event, header_names=tuple(names))
    raise PaywintError(problem)


def _split(data: bytes) -> tuple[str, bytes]:
    """The lines before the body, and the body."""
    if data.lstrip().startswith(b"{"):
        return "", data
    head, *rest = _BLANK_LINE.split(data, maxsplit=1)
    return head.decode("latin-1"), rest[0] if rest else b""
