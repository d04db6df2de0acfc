"""The console at `/`: pages with payments, their timelines, requests, webhooks and settings.

All pages are rendered on the server and work without a script; the script only reloads the content of
the page every second.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import attrs
from aiohttp import web

from paywint_async.emulator import _form_body, _rendering, _transitions
from paywint_async.emulator._controls import Controls
from paywint_async.emulator._fault_settings import FaultSettings
from paywint_async.emulator._identity import DIRECTIONS
from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._traffic import Journal
from paywint_async.emulator._webhooks import WebhookFaults, Webhooks

_ROWS = 50
_LOOKED_AT = 20_000  # payments; after so many a filter stops searching
_ACTIONS = {"opened": "Open", "processing": "Process", "success": "Pay", "failed": "Fail"} | {
    "settling": "Settle",
    "rejected": "Reject",
    "expired": "Expire",
    "retried": "Retry",
}


class Console:
    """The pages for the person who runs the emulator.

    Args:
        controls: The account.
        journal: The requests.
        webhooks: The deliveries.
        fault_settings: Latency, request limit and failures.
    """

    def __init__(
        self,
        controls: Controls,
        journal: Journal,
        webhooks: Webhooks,
        fault_settings: FaultSettings,
    ) -> None:
        self._controls = controls
        self._journal = journal
        self._webhooks = webhooks
        self._fault_settings = fault_settings

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/", self._payments)
        router.add_get("/console/payments/{payment_id}", self._payment)
        router.add_post("/console/payments/{payment_id}", self._change)
        router.add_post("/console/payments/{payment_id}/refund", self._refund)
        router.add_get("/console/requests", self._requests)
        router.add_get("/console/webhooks", self._deliveries)
        router.add_post("/console/webhooks/{number}", self._resend)
        router.add_get("/console/settings", self._settings)
        router.add_post("/console/settings", self._set)
        router.add_get("/console/static/{name}", _rendering.static)

    async def _payments(self, request: web.Request) -> web.Response:
        direction = request.query.get("direction", "received")
        status, text = request.query.get("status", ""), request.query.get("q", "").strip()
        if direction not in DIRECTIONS:
            raise web.HTTPBadRequest
        from_rank = request.query.get("from", "")
        found = self._matching(direction, status, text.lower(), from_rank)
        rows = list(islice(found, _ROWS + 1))
        older = rows[_ROWS][0] if len(rows) > _ROWS else None
        return _rendering.page(
            "payments.html",
            tab="payments",
            total={name: self._controls.count(name) for name in DIRECTIONS},
            payments=[payment for _rank, payment in rows[:_ROWS]],
            filters={"direction": direction, "status": status, "q": text},
            statuses=_transitions.STATUSES,
            older=older,
            is_start=not from_rank,
        )

    def _matching(
        self, direction: Any, status: str, text: str, from_rank: str
    ) -> Iterator[tuple[int, EmulatedPayment]]:
        newest = int(from_rank[:20]) if from_rank.isdecimal() else None
        for rank, payment in islice(self._controls.newest(direction, newest), _LOOKED_AT):
            searched = (
                payment.payment_id,
                payment.payer_name,
                payment.payee_name,
                payment.description,
            )
            has_text = any(text in (value or "").lower() for value in searched)
            if has_text and status in ("", payment.status):
                yield rank, payment

    async def _payment(self, request: web.Request) -> web.Response:
        payment = self._find(request)
        return _rendering.page(
            "payment.html",
            tab="payments",
            payment=payment,
            timeline=self._controls.changes(payment.payment_id),
            actions={s: _ACTIONS[s] for s in _transitions.next_statuses(payment) if s in _ACTIONS},
            refundable_cents=_transitions.refundable_cents(payment),
            deliveries=[d for d in self._webhooks.deliveries if d.payment_id == payment.payment_id],
        )

    async def _change(self, request: web.Request) -> web.Response:
        payment_id = self._find(request).payment_id
        status = (await _form_body.fields(request)).get("status", "")
        try:
            if status == _transitions.RETRIED:
                payment_id = await self._controls.retry(payment_id)
            else:
                await self._controls.move(payment_id, status)
        except ValueError as error:
            raise web.HTTPConflict(text=str(error)) from None
        raise web.HTTPSeeOther(f"/console/payments/{payment_id}")

    async def _refund(self, request: web.Request) -> web.Response:
        payment_id = self._find(request).payment_id
        given = await _form_body.fields(request)
        try:
            if given.get("what") == "fee":
                await self._controls.refund_fee(payment_id)
            else:
                await self._controls.refund(payment_id, given.get("amount") or None)
        except ValueError as error:
            raise web.HTTPConflict(text=str(error)) from None
        raise web.HTTPSeeOther(f"/console/payments/{payment_id}")

    async def _requests(self, request: web.Request) -> web.Response:
        return _rendering.page(
            "requests.html",
            tab="requests",
            exchanges=list(self._journal.exchanges)[: -_ROWS * 4 - 1 : -1],
            journal=self._journal,
        )

    async def _deliveries(self, request: web.Request) -> web.Response:
        return _rendering.page(
            "webhooks.html",
            tab="webhooks",
            url=self._webhooks.url,
            deliveries=list(self._webhooks.deliveries)[: -_ROWS * 4 - 1 : -1],
            count=len(self._webhooks.deliveries),
        )

    async def _resend(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        found = (each for each in self._webhooks.deliveries if str(each.number) == number)
        delivery = next(found, None)
        if delivery is None:
            raise web.HTTPNotFound
        self._webhooks.begin_resend(delivery)
        raise web.HTTPSeeOther("/console/webhooks")

    async def _settings(self, request: web.Request) -> web.Response:
        return self._render_settings()

    async def _set(self, request: web.Request) -> web.Response:
        given = await _form_body.fields(request)
        try:
            self._apply(given)
        except ValueError as error:
            return self._render_settings(given, problem=str(error), status=422)
        raise web.HTTPSeeOther("/console/settings")

    def _apply(self, given: dict[str, str]) -> None:
        """Apply all settings, or none if one is invalid; then advance the clock."""
        fields = [field.name for field in attrs.fields(WebhookFaults)]
        faults = WebhookFaults(**{name: float(given.get(name) or 0) for name in fields})
        advance = float(given.get("advance") or 0)
        self._controls.check_advance(advance)
        url = given.get("webhook_url") or None
        self._webhooks.check(url)
        self._fault_settings.set(
            latency=float(given.get("latency") or 0),
            rate_limit=float(given["rate_limit"]) if given.get("rate_limit") else None,
            failures=float(given.get("failures") or 0),
        )
        self._webhooks.url, self._webhooks.faults = url, faults
        self._controls.advance(advance)

    def _render_settings(
        self, given: dict[str, str] | None = None, *, problem: str = "", status: int = 200
    ) -> web.Response:
        """The form with the current values, or with those that were just entered."""
        settings = self._fault_settings
        numbers = {"latency": settings.latency, "failures": settings.failures}
        numbers |= attrs.asdict(self._webhooks.faults)
        limit = "" if settings.rate_limit is None else f"{settings.rate_limit:g}"
        values = {"rate_limit": limit, "webhook_url": self._webhooks.url or "", "advance": ""}
        values |= {name: f"{number:g}" for name, number in numbers.items()}
        return _rendering.page(
            "settings.html",
            status=status,
            tab="settings",
            problem=problem,
            values=values | (given or {}),
            now_us=self._controls.now_us(),
        )

    def _find(self, request: web.Request) -> EmulatedPayment:
        try:
            return self._controls.payment(request.match_info["payment_id"])
        except LookupError:
            raise web.HTTPNotFound from None
