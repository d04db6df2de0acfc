"""The page of a payment link, where a payer pays or declines."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import web

from paywint_async.emulator import _form_body, _rendering, _transitions
from paywint_async.emulator._controls import Controls
from paywint_async.emulator._payment import EmulatedPayment

_Act = Callable[[str], Awaitable[Any]]


class PayerPage:
    """`/pay/{payment_id}`: a view changes the payment to `opened`; buttons pay, decline or expire it.

    Args:
        controls: The account.
        redirect_url: Where the payer is sent afterwards, with `id` and `status`; None: nowhere.
    """

    def __init__(self, controls: Controls, redirect_url: str | None) -> None:
        self._controls = controls
        self._redirect_url = redirect_url

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/pay/{payment_id}", self._show)
        router.add_post("/pay/{payment_id}", self._act)

    async def _show(self, request: web.Request) -> web.Response:
        payment = self._find(request)
        if payment is None:
            return _rendering.page("no_payment.html", status=404)
        if payment.status in ("pending", "initiated"):
            await self._controls.open(payment.payment_id)
            payment = self._controls.payment(payment.payment_id)
        return self._render(payment)

    async def _act(self, request: web.Request) -> web.Response:
        payment = self._find(request)
        if payment is None:
            return _rendering.page("no_payment.html", status=404)
        action = (await _form_body.fields(request)).get("action", "")
        try:
            await self._do(action, payment.payment_id)
        except (
            _transitions.IllegalChange
        ):  # changed meanwhile in another tab; the page shows the current state
            return self._render(self._controls.payment(payment.payment_id), status=409)
        raise web.HTTPSeeOther(self._after(self._controls.payment(payment.payment_id)))

    async def _do(self, action: str, payment_id: str) -> None:
        if action == "pay":
            await self._controls.process(payment_id)
            await self._controls.pay(payment_id)
        elif action == "fail":
            await self._controls.process(payment_id)
            await self._controls.fail(payment_id, "Insufficient wallet balance")
        elif action == "decline":
            await self._controls.reject(payment_id, "Declined by the payer")
        elif action == "expire":
            await self._controls.expire(payment_id)
        else:
            raise web.HTTPBadRequest

    def _find(self, request: web.Request) -> EmulatedPayment | None:
        try:
            return self._controls.payment(request.match_info["payment_id"])
        except LookupError:
            return None

    def _render(self, payment: EmulatedPayment, status: int = 200) -> web.Response:
        return _rendering.page(
            "pay.html",
            status=status,
            payment=payment,
            is_open=payment.status in _transitions.UNPAID,
            back=self._redirect_url and self._after(payment),
        )

    def _after(self, payment: EmulatedPayment) -> str:
        """The address to which the payer is sent next.

        An expired link redirects to none, as none is published.
        """
        if self._redirect_url is None or payment.status not in ("success", "failed", "rejected"):
            return f"/pay/{payment.payment_id}"
        parts = urlsplit(self._redirect_url)
        added = urlencode({"id": payment.payment_id, "status": payment.status})
        return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))
