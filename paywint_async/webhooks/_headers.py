"""The headers of one request: names without regard to case, repeated ones joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from paywint_async import WebhookSignatureError

_Text: TypeAlias = str | bytes
HeadersLike: TypeAlias = Mapping[str, str] | Iterable[tuple[_Text, _Text]]


class Headers(Mapping[str, str]):
    """Names without regard to case; of a name that comes twice the values, joined by a comma.

    The repr has the names only: what a header holds may be a secret.

    Raises:
        WebhookSignatureError: they are malformed.
    """

    def __init__(self, headers: HeadersLike) -> None:
        values = _read(headers)
        del headers  # a traceback shows the locals of its frames, and a header may hold a secret
        if values is None:
            raise no_headers()
        self._values = values

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self._values)}>"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_headers(headers: HeadersLike) -> Headers | None:
    """The headers, or None where they are malformed: the caller deletes them before it raises."""
    try:
        return Headers(headers)
    except WebhookSignatureError:
        return None


def no_headers() -> WebhookSignatureError:
    """The error for headers that `read_headers` cannot read."""
    return WebhookSignatureError("headers must be names and values, as text")


def _read(headers: Any) -> dict[str, str] | None:
    values: dict[str, str] = {}
    try:
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            key, text = _text(name).lower(), _text(value)
            values[key] = f"{values[key]}, {text}" if key in values else text
    except Exception:  # also what somebody else's mapping or generator may raise
        return None
    return values


def _text(value: _Text) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")  # as HTTP's own, and it never fails
    if not isinstance(value, str):
        raise TypeError
    return value
