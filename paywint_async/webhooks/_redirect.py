"""Parses the URL of a payer who returns to the shop, which can be forged. Knows no web framework."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl
from uuid import UUID

import attrs

from paywint_async import InvalidRequestError, Payment, PaymentStatus, PaywintClient
from paywint_async._strict_json import UUID_PATTERN
from paywint_async.webhooks._frozen import FrozenDict

MAX_URL = 8_192
"""The largest size of a URL in bytes; published ones have 80."""

_UUID = re.compile(UUID_PATTERN)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@attrs.frozen(kw_only=True)
class Redirect:
    """The content of the URL to which a payer was redirected. Anyone can forge it: trust only `confirm`.

    Attributes:
        payment_id: the payment that the URL names; None if it names none, several, or no UUID.
        status: the status that the URL claims, such as ``success``, ``failed``, ``rejected`` or
            ``processing``; None if there is none.
        params: all parameters of the query; of a repeated one the last value.

    Source: published.
    """

    payment_id: UUID | None
    status: PaymentStatus | None
    params: Mapping[str, str]

    async def confirm(self, client: PaywintClient) -> Payment:
        """Requests the payment (Get Payment), and returns its current state.

        Check that it belongs to this payer's order: the URL may name another payment of the account.

        Raises:
            InvalidRequestError: the address names no payment, or several.
            NotFoundError: there is no such payment in this account.
            APIError, TransportError, ResponseDecodeError, ClientClosedError: as `Payments.get`.

        Cancellation: as `Payments.get`.
        """
        if self.payment_id is None:
            raise InvalidRequestError("payment_id", "the address names no payment, or several")
        return await client.payments.get(self.payment_id)


def parse_redirect(url_or_query: str | bytes) -> Redirect:
    """Parses the URL to which Paywint has redirected a payer; accepts any content.

    Args:
        url_or_query: the whole URL, its path and query, or the query alone.

    Raises:
        InvalidRequestError: it has more than 8 KiB, or is not a text.
    """
    pairs = parse_qsl(_query(_text(url_or_query)), keep_blank_values=True, errors="replace")
    named = {value.lower() for name, value in pairs if name == "id" and _UUID.fullmatch(value)}
    params = FrozenDict(pairs)
    status = params.get("status")
    return Redirect(
        payment_id=UUID(named.pop()) if len(named) == 1 else None,
        status=PaymentStatus(status) if status else None,
        params=params,
    )


def _text(url_or_query: object) -> str:
    if isinstance(url_or_query, str):
        size = len(url_or_query.encode("utf-8", "surrogatepass"))
        text = _SURROGATE.sub("\ufffd", url_or_query)
    elif isinstance(url_or_query, bytes):
        size, text = len(url_or_query), url_or_query.decode("utf-8", "replace")
    else:
        kind = type(url_or_query).__name__
        raise InvalidRequestError("url_or_query", f"must be text or bytes, not {kind}")
    if size > MAX_URL:
        raise InvalidRequestError("url_or_query", f"has {size:,} bytes, more than {MAX_URL:,}")
    return text


def _query(text: str) -> str:
    """The part of a URL after the first ``?``, or a query itself; without the fragment."""
    text = text.partition("#")[0]
    head, mark, tail = text.partition("?")
    is_query = "=" in head and "/" not in head.partition("=")[0]
    if is_query or (not mark and "/" not in head):
        return text
    return tail
