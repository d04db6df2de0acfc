"""The API's operations over HTTP: authentication, request limit, validation and responses.

The account's state is in the `PaymentBook`; `Emulator` starts and stops the server. A request first waits
for the latency; then state is read and the response is made in one step.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from hmac import compare_digest

from aiohttp import web

from paywint_async.emulator import _wire
from paywint_async.emulator._deviations import Deviations
from paywint_async.emulator._fault_settings import FaultSettings
from paywint_async.emulator._form import InvalidBody
from paywint_async.emulator._identity import DirectionName, Identity
from paywint_async.emulator._lifecycle import Lifecycle
from paywint_async.emulator._options import EmulatorOptions
from paywint_async.emulator._payment_book import PaymentBook
from paywint_async.emulator._traffic import Journal, RecordedExchange
from paywint_async.emulator._validation import (
    check_token_request,
    link_request,
    page_request,
)

PAYMENTS = "/api/user-api/payment"
RECEIVED_PATH = f"{PAYMENTS}/list/payment-received"
SENT_PATH = f"{PAYMENTS}/list/payment-sent"
"""Assumed by symmetry."""
CHECKOUT_TOKEN = "/api/checkout/token/developer"

_GUARDED = "/api/"
_PAGES = ("/pay/", "/console/")
_LARGEST_BODY = 65_536
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_BODY = web.RequestKey("body", bytes)
_IS_PAYER = web.RequestKey("is_payer", bool)
_OTHER_SIDE: dict[DirectionName, DirectionName] = {"sent": "received", "received": "sent"}
_PAGE_NO = web.RequestKey("page_no", int)

_RouteHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The operations of one account.

    Args:
        book: The account's state.
        lifecycle: Changes its payments.
        identity: The accepted credentials.
        journal: Records each request.
        clock: Returns the event loop's time, in seconds.
        now_us: Returns the emulator's time, in Unix microseconds.
        settle: Applies all changes that are due; returns the time, in Unix microseconds.
        changed: Called after each change, before the response.
        origin: Returns the server's address, with which payment links begin.
        fault_settings: Latency, request limit and failures.
        deviations: Differences of the responses from what is assumed of the API.
        options: The path of the list of sent payments, and the form of an empty page.
    """

    def __init__(
        self,
        book: PaymentBook,
        lifecycle: Lifecycle,
        identity: Identity,
        *,
        journal: Journal,
        clock: Callable[[], float],
        now_us: Callable[[], int],
        settle: Callable[[], int],
        changed: Callable[[], None],
        origin: Callable[[], str],
        fault_settings: FaultSettings,
        deviations: Deviations,
        options: EmulatorOptions,
    ) -> None:
        self._options = options
        self._book = book
        self._lifecycle = lifecycle
        self._now_us = now_us
        self._settle = settle
        self._changed = changed
        self._account = (identity.api_key.encode(), identity.api_secret.encode())
        self._payer = (identity.payer_key.encode(), identity.payer_secret.encode())
        self._journal = journal
        self._clock = clock
        self._origin = origin
        self._fault_settings = fault_settings
        self._deviations = deviations

    def application(self) -> web.Application:
        """Makes the application: the routes, with the journal and the checks as middlewares."""
        app = web.Application(middlewares=[self._note, self._guard], client_max_size=_LARGEST_BODY)
        post, get = app.router.add_post, app.router.add_get
        post(f"{PAYMENTS}/create-payment-link", self._create_link, name="create_link")
        get(f"{PAYMENTS}/get/{{payment_id:[^/]+}}", self._get, name="get", allow_head=False)
        post(RECEIVED_PATH, self._list("received"), name="list_received")
        post(self._options.sent_path, self._list("sent"), name="list_sent")
        post(CHECKOUT_TOKEN, self._create_token, name="create_token")
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: _RouteHandler) -> web.StreamResponse:
        if _is_page(request):
            return await handler(request)
        self._journal.open()
        at_us, started = self._now_us(), self._clock()
        response: web.StreamResponse | None = None
        try:
            response = await handler(request)
            response = self._deviations.apply(response, request.match_info.route.name)
            return response
        finally:
            body = response.body if isinstance(response, web.Response) else None
            exchange = RecordedExchange(
                at_us=at_us,
                method=request.method,
                path=self._journal.blot(request.path),
                operation=request.match_info.route.name,
                status=None if response is None else response.status,
                started=started,
                finished=self._clock(),
                page_no=request.get(_PAGE_NO),
                request=self._journal.excerpt(request.get(_BODY, b"")),
                response=self._journal.excerpt(body if isinstance(body, bytes) else b""),
            )
            self._journal.close(exchange)

    @web.middleware
    async def _guard(self, request: web.Request, handler: _RouteHandler) -> web.StreamResponse:
        # Keys and limit are checked on arrival, as by a gateway, before the latency.
        if _is_page(request):
            return await _page(request, handler)
        refusal = self._refusal(request)
        if self._fault_settings.latency:
            await asyncio.sleep(self._fault_settings.latency)
        if refusal is not None:
            return refusal
        try:
            return await handler(request)
        except InvalidBody as error:
            return _json(_wire.problems(error.problems), 422)
        except web.HTTPException as error:
            return _http_error(error)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if not request.path.startswith(_GUARDED):
            return None
        is_account = _has_keys(request, self._account)
        request[_IS_PAYER] = _has_keys(request, self._payer)
        if not is_account and not request[_IS_PAYER]:
            return _failure(401, "Invalid API key or API secret")
        bucket = self._fault_settings.bucket
        wait = bucket.take(self._clock()) if bucket else 0
        if wait:
            message = f"Too many requests, try again in {wait} s"
            return _failure(429, message, {"Retry-After": str(wait)})
        if self._fault_settings.fails():
            return _failure(503, "The emulator is set to fail some requests")
        return None

    async def _create_link(self, request: web.Request) -> web.Response:
        asked = link_request(await _body(request))
        now_us = self._settle()
        payment = self._book.create_link(
            _seen_by(request, "received"),
            amount=asked.amount,
            description=asked.description,
            invoice_number=asked.invoice_number,
            now_us=now_us,
        )
        self._lifecycle.create(payment)
        self._changed()
        link = f"{self._origin()}/pay/{payment.payment_id}"
        data = _wire.payment_link(payment.payment_id, link)
        return _json(_wire.envelope(data, "Payment link created", now_us))

    async def _get(self, request: web.Request) -> web.Response:
        payment_id = request.match_info["payment_id"]
        if not _UUID.fullmatch(payment_id):
            problem = (("path", "payment_id"), "Input should be a valid UUID", "uuid_parsing")
            return _json(_wire.problems([problem]), 422)
        now_us = self._settle()
        row = self._book.find(payment_id)
        if row is None:
            return _failure(404, "Payment not found")
        return _json(_wire.envelope(row, "Payment retrieved", now_us))

    def _list(self, direction: DirectionName) -> _RouteHandler:
        async def answer(request: web.Request) -> web.Response:
            asked = page_request(await _body(request))
            request[_PAGE_NO] = asked.page_no
            now_us = self._settle()
            rows = self._deviations.rows(asked.rows_per_page)
            page = self._book.page(_seen_by(request, direction), asked.page_no, rows)
            body = _wire.payment_list(
                page.rows,
                page.total,
                now_us,
                empty_records=self._options.empty_records,
                empty_total=self._options.empty_total,
            )
            return _json(body)

        return answer

    async def _create_token(self, request: web.Request) -> web.Response:
        check_token_request(await _body(request))
        now_us = self._settle()
        issued = self._book.create_token(now_us)
        self._changed()
        data = _wire.checkout_token(issued.token, issued.expires_at_us)
        return _json(_wire.envelope(data, "Checkout token created", now_us))


def _is_page(request: web.Request) -> bool:
    """Whether the request is for a page for people, which is neither counted nor delayed."""
    return request.path == "/" or request.path.startswith(_PAGES)


async def _page(request: web.Request, handler: _RouteHandler) -> web.StreamResponse:
    # Protection from cross-site request forgery.
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin not in (None, f"http://{request.host}"):
        raise web.HTTPForbidden
    return await handler(request)


def _has_keys(request: web.Request, keys: tuple[bytes, bytes]) -> bool:
    given = (
        request.headers.get(name, "").encode(errors="surrogateescape")
        for name in ("X-Api-Key", "X-Api-Secret")
    )
    # Both are always compared, so that the time does not reveal which one is wrong.
    matches = [compare_digest(*pair) for pair in zip(given, keys, strict=True)]
    return all(matches)


def _seen_by(request: web.Request, direction: DirectionName) -> DirectionName:
    """The direction as the account names it: what the payer sent, the account received."""
    return _OTHER_SIDE[direction] if request[_IS_PAYER] else direction


async def _body(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        message = "Input should be JSON, sent as application/json"
        raise InvalidBody([(("body",), message, "model_attributes_type")])
    try:
        body = request[_BODY] = await request.read()
    except (web.HTTPRequestEntityTooLarge, web.RequestPayloadError) as error:
        # The API has no 413 or 400: an unreadable body is a 422 as well.
        message = f"Input should be readable JSON: {type(error).__name__}"
        raise InvalidBody([(("body",), message, "json_invalid")]) from None
    return body


def _http_error(error: web.HTTPException) -> web.Response:
    headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return _failure(error.status, error.reason, headers)


def _failure(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json(_wire.failure(message), status, headers)


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
