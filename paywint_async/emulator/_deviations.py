"""Deviations of the API from what clients assume of it, each as a change of the responses.

They are applied to complete responses, so the rest of the emulator does not know them.
"""

import re
from collections.abc import Callable, Collection

import attrs
from aiohttp import web

from paywint_async.emulator import _wire
from paywint_async.emulator._wire import cents

_CAPPED_ROWS = 50
_AMOUNT = re.compile(rb'"amount":([0-9.]+)')
_WEBHOOK_AMOUNT = re.compile(rb'("amount":"?)([0-9.]+)')
_STATUS = re.compile(rb'"status":"[a-z]+"')
_CURRENCY = re.compile(rb'"currency":"[A-Z]+"')
_TIME = re.compile(rb'("(?:created_at|payment_date)":"[^"]*)Z"')
_PAYMENT_ID = re.compile(rb'"payment_id":"[^"]{8}([^"]*)"')
_GENERATED = re.compile(rb'(?<="queryGeneratedTime":)[0-9]+')
_TOTAL = re.compile(rb'"totalRecords":[0-9]+')
_ROW = b'{"payment_id":'
_PORTAL = "<!doctype html><title>Log in</title><p>Log in to use this network."
_OTHER_SITE = "<!doctype html><title>Welcome</title><p>This is another web site."

_ResponseEdit = Callable[[web.Response, str | None], web.Response]


@attrs.frozen
class _Deviation:
    """A deviation: its description, and its change of the response of an operation."""

    description: str
    change: _ResponseEdit


def _of_bodies(change: Callable[[bytes], bytes], *operations: str) -> _ResponseEdit:
    """Rewrite the bodies of successful responses, of these operations or of all."""

    def apply(response: web.Response, operation: str | None) -> web.Response:
        body = response.body
        is_meant = not operations or operation in operations
        if is_meant and response.status == 200 and isinstance(body, bytes):
            response.body = change(body)
        return response

    return apply


def _of_status(status: int, instead: int) -> _ResponseEdit:
    def apply(response: web.Response, _operation: str | None) -> web.Response:
        if response.status == status:
            response.set_status(instead)
        return response

    return apply


def _page(status: int, html: str) -> _ResponseEdit:
    return lambda _response, _operation: web.Response(
        status=status, text=html, content_type="text/html"
    )


def _refuse_keys(_response: web.Response, _operation: str | None) -> web.Response:
    body = _wire.failure("Invalid API key or API secret")
    return web.Response(status=401, body=body, content_type="application/json")


def _close(response: web.Response, _operation: str | None) -> web.Response:
    response.force_close()
    return response


def _compress(response: web.Response, _operation: str | None) -> web.Response:
    response.enable_compression(web.ContentCoding.gzip)
    return response


def _count_page(body: bytes) -> bytes:
    return _TOTAL.sub(b'"totalRecords":%d' % body.count(_ROW), body)


def _in_cents(body: bytes) -> bytes:
    return _AMOUNT.sub(lambda found: b'"amount":%d' % cents(found[1].decode()), body)


def _an_hour_ago(found: re.Match[bytes]) -> bytes:
    return b"%d" % (int(found[0]) - 3600)


_ALL: dict[str, _Deviation] = {
    "clock-behind": _Deviation(
        "queryGeneratedTime is an hour ago.",
        _of_bodies(lambda body: _GENERATED.sub(_an_hour_ago, body)),
    ),
    "keys-refused": _Deviation("No credentials are accepted (401).", _refuse_keys),
    "another-site": _Deviation("An HTML page answers everything.", _page(200, _OTHER_SITE)),
    "network-login": _Deviation("The network asks to log in first (511).", _page(511, _PORTAL)),
    "amounts-as-text": _Deviation(
        "Amounts are strings.",
        _of_bodies(lambda body: _AMOUNT.sub(rb'"amount":"\1"', body)),
    ),
    "amounts-twice": _Deviation(
        "Each payment has two amounts.",
        _of_bodies(lambda body: _AMOUNT.sub(rb'"amount":\1,"amount":1\1', body)),
    ),
    "get-in-cents": _Deviation("Get Payment has amounts in cents.", _of_bodies(_in_cents, "get")),
    "euros": _Deviation(
        "Payments are in EUR.",
        _of_bodies(lambda body: _CURRENCY.sub(b'"currency":"EUR"', body)),
    ),
    "null-status": _Deviation(
        "The first payment of each answer has no status.",
        _of_bodies(lambda body: _STATUS.sub(b'"status":null', body, count=1)),
    ),
    "times-without-zone": _Deviation(
        "Times do not say their zone.",
        _of_bodies(lambda body: _TIME.sub(rb'\1"', body)),
    ),
    "short-ids": _Deviation(
        "Ids of payments in lists are not UUIDs.",
        _of_bodies(
            lambda body: _PAYMENT_ID.sub(rb'"payment_id":"pay_\1"', body),
            "list_sent",
            "list_received",
        ),
    ),
    "totals-of-pages": _Deviation(
        "totalRecords counts the page.",
        _of_bodies(_count_page, "list_sent", "list_received"),
    ),
    "small-pages": _Deviation(f"A page has {_CAPPED_ROWS} payments at most.", lambda each, _: each),
    "other-webhook-amounts": _Deviation(
        "The amount of a webhook is not that of its payment.", lambda each, _: each
    ),
    "missing-is-400": _Deviation("An unknown payment is answered 400.", _of_status(404, 400)),
    "invalid-is-400": _Deviation("An invalid request is answered 400.", _of_status(422, 400)),
    "connections-close": _Deviation("Each answer ends its connection.", _close),
    "always-gzip": _Deviation("Answers are compressed, whether asked for or not.", _compress),
}

DEVIATIONS = {name: each.description for name, each in _ALL.items()}
"""The meaning of each name."""


class Deviations:
    """The deviations of an emulator.

    Args:
        names: Keys of `DEVIATIONS`.

    Raises:
        ValueError: A name is unknown.
    """

    def __init__(self, names: Collection[str]) -> None:
        for name in [names] if isinstance(names, str) else names:
            # A single text is refused, too: it would be taken for a collection of letters.
            if name not in _ALL or isinstance(names, str):
                raise ValueError(f"deviations must be a list of {', '.join(_ALL)}, not {names!r}")
        self._names = frozenset(names)
        self._changes = [each.change for name, each in _ALL.items() if name in self._names]

    def rows(self, asked: int) -> int:
        """The highest number of payments on a page for which ``asked`` were requested."""
        return min(asked, _CAPPED_ROWS) if "small-pages" in self._names else asked

    def webhook(self, body: bytes) -> bytes:
        """The body of a webhook with the deviations applied."""
        if "other-webhook-amounts" not in self._names:
            return body
        return _WEBHOOK_AMOUNT.sub(rb"\g<1>1\g<2>", body)

    def apply(self, response: web.StreamResponse, operation: str | None) -> web.StreamResponse:
        """The response with all deviations applied."""
        for change in self._changes:
            if isinstance(response, web.Response):
                response = change(response, operation)
        return response
