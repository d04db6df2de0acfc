"""The headers of one request, as HTTP means them: their names in any case, their order of no matter."""

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
        WebhookSignatureError: what was given are no headers.
    """

    def __init__(self, headers: HeadersLike) -> None:
        self._values: dict[str, str] = {}
        try:
            pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
            for name, value in pairs:
                self._add(_text(name).lower(), _text(value))
        except (TypeError, ValueError):
            raise WebhookSignatureError("headers must be names and values, as text") from None

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self._values)}>"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _add(self, name: str, value: str) -> None:
        known = self._values.get(name)
        self._values[name] = value if known is None else f"{known}, {value}"


def _text(value: _Text) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")  # as HTTP's own, and it never fails
    if not isinstance(value, str):
        raise TypeError
    return value
