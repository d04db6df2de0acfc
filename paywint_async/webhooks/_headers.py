"""The headers of one request: case-insensitive names, repeated ones joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from paywint_async import WebhookSignatureError

_Text: TypeAlias = str | bytes
HeadersLike: TypeAlias = Mapping[str, str] | Iterable[tuple[_Text, _Text]]


class Headers(Mapping[str, str]):
    """A mapping with case-insensitive names; the values of a repeated name are joined by a comma.

    The repr shows only the names, since a value may be a secret.

    Raises:
        WebhookSignatureError: they are malformed.
    """

    def __init__(self, headers: HeadersLike) -> None:
        values = _read(headers)
        del headers  # a traceback shows local variables, and a header may contain a secret
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
    """The headers, or None if they are malformed, so that the caller can delete them and then raise."""
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
    except Exception:  # also errors of a foreign mapping or generator
        return None
    return values


def _text(value: _Text) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")  # HTTP's encoding, which decodes any bytes
    if not isinstance(value, str):
        raise TypeError
    return value
