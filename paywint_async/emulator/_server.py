"""`Emulator`: starts and stops the emulated API, and connects its parts.

It owns the listening socket; the account's state is in `PaymentBook`, and `Api` serves HTTP.
"""

import asyncio
import os
import time
from collections.abc import Collection, Sequence
from datetime import date
from types import TracebackType
from typing import Self

from aiohttp import web

from paywint_async.emulator._api import SENT_PATH, Api
from paywint_async.emulator._calendar import day_of
from paywint_async.emulator._console import Console
from paywint_async.emulator._controls import Controls
from paywint_async.emulator._deviations import Deviations
from paywint_async.emulator._fault_settings import FaultSettings
from paywint_async.emulator._identity import Identity
from paywint_async.emulator._options import EmulatorOptions
from paywint_async.emulator._payer_page import PayerPage
from paywint_async.emulator._payment_book import Arrivals, ListOrder, PaymentBook
from paywint_async.emulator._state import StateFile
from paywint_async.emulator._traffic import Journal, RecordedExchange
from paywint_async.emulator._webhook_controls import WebhookControls
from paywint_async.emulator._webhooks import RETRY_DELAYS, WebhookFaults, Webhooks
from paywint_async.emulator._wire import (
    AmountUnit,
    EmptyRecords,
    EmptyTotal,
    RefundedStatus,
    RefundEvent,
    payment_row,
    with_platform_fields,
)

_SHUTDOWN_SECONDS = 0.25
_LONGEST_WAIT = 3600.0  # seconds: a timer further ahead is set again then


class Emulator(Controls, WebhookControls):
    """The Paywint API on loopback, with a generated account.

    `async with Emulator(payments=10_000) as emulator:` serves until the block ends. The same seed
    gives the same history, byte for byte, on the same day; `today` makes it the same on any day.

    The history is that of a small company: payments of 3 to 25,000 dollars, one every twenty minutes
    (more often if they would go back more than three years). The last one is just after the begin of
    today in UTC, by the system's clock when the emulator is made (in the first hour of a day: of
    yesterday), and nothing is in the future. With `hostile` it has extreme values for tests: trillions,
    digits that a float loses, markup, formulas, many scripts, null fields; one payment every five minutes
    since 2015, independent of the date, and a longer history begins with the shorter one.
    While the emulator runs, its time is that of the event loop, starting at the system's.

    Args:
        payments: The number of payments at the start, in each direction; 0 to 100,000,000.
        seed: Any integer; decides keys, ids and all records.
        hostile: Whether the history has extreme values.
        today: The last day of a history that is not hostile; None: the current day in UTC.
        latency: Seconds by which each request is delayed before it is processed, up to 3600.
        rate_limit: Requests per second, from 0.001, after a burst of those of one second; above it
            the response is 429 with `Retry-After`. None: no limit.
        failures: The share of requests that get a 503, from 0 to 1.
        arrivals: New payments per second in each direction while it runs, up to 10,000.
        host: Address to listen on.
        port: Port to listen on; 0: a free one.
        order: Whether page 1 has the "newest" payments (assumed of Paywint) or the "oldest".
        expire_after: Seconds until a new link expires; default: a day.
        timetable: The scheduled changes of each new link, as (seconds after its creation, status),
            such as `[(2, "opened"), (3, "processing"), (5, "success")]`.
        state: An SQLite file, created if missing, that keeps new and changed payments for the next
            run with the same `payments`, `seed`, `order` and `hostile`. The last day of the history
            stays that of the first run.
        webhook_url: The URL on this machine to which each change is sent; also an attribute.
        webhook_secret: Signs the webhooks, as `webhooks` describes; None: they are not signed.
        webhook_faults: Simulated faults of webhooks.
        webhook_retry_delays: Seconds before the second and the third attempt of a delivery; default:
            one minute and five, as Paywint publishes.
        webhook_amounts: The unit of amounts in webhooks, about which Paywint's pages contradict each
            other: "cents" (`599`), "dollars" (`5.99`) or "text" (`"5.99"`).
        redirect_url: The URL to which the payer's page redirects, with `id` and `status`.
        refund_event: The name of the event of a refund: Paywint's page documents "payment.refunded"
            and shows "payment.refund".
        refunded_status: The status of a payment that was refunded completely; not published.
        sent_path: The path of the list of sent payments, below `/api/`; not published.
        empty_records: `records` of a page without payments: "list" (`[]`) or "null".
        empty_total: `totalRecords` without payments: "zero", "null" or "absent".
        extra_fields: Whether payments and webhooks have fields that are only in Paywint's
            documentation for platforms, such as `processing_fee` and `transaction_id`.
        deviations: Names of deviations from what is assumed of Paywint, such as "amounts-as-text";
            the error for an unknown name lists all. `paywint doctor` finds each.

    Raises:
        ValueError: An argument is out of its range; the message names it.

    Source: `paywint-api.md`; the formats of errors and the limits are assumed there.
    """

    def __init__(
        self,
        *,
        payments: int = 0,
        seed: int = 1,
        hostile: bool = False,
        today: date | None = None,
        latency: float = 0.0,
        rate_limit: float | None = None,
        failures: float = 0.0,
        arrivals: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        order: ListOrder = "newest",
        expire_after: float = 86_400.0,
        timetable: Sequence[tuple[float, str]] = (),
        state: str | os.PathLike[str] | None = None,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        webhook_faults: WebhookFaults | None = None,
        webhook_retry_delays: tuple[float, float] = RETRY_DELAYS,
        webhook_amounts: AmountUnit = "cents",
        redirect_url: str | None = None,
        refund_event: RefundEvent = "payment.refunded",
        refunded_status: RefundedStatus = "success",
        sent_path: str = SENT_PATH,
        empty_records: EmptyRecords = "list",
        empty_total: EmptyTotal = "zero",
        extra_fields: bool = False,
        deviations: Collection[str] = (),
    ) -> None:
        self._settings = EmulatorOptions(
            payments=payments,
            seed=seed,
            arrivals=arrivals,
            host=host,
            port=port,
            order=order,
            expire_after=expire_after,
            timetable=timetable,
            redirect_url=redirect_url,
            hostile=hostile,
            today=today,
            refund_event=refund_event,
            refunded_status=refunded_status,
            sent_path=sent_path,
            empty_records=empty_records,
            empty_total=empty_total,
            extra_fields=extra_fields,
            webhook_amounts=webhook_amounts,
        )
        self._identity = Identity(seed)
        self._arrivals = Arrivals(arrivals)
        super().__init__(
            self._make_book(), self._settings.timetable_us, refunded_status=refunded_status
        )
        self._deviations = Deviations(deviations)
        self._fault_settings = FaultSettings(
            self._identity, latency=latency, rate_limit=rate_limit, failures=failures
        )
        self._journal = self._make_journal(webhook_secret)
        self._webhooks = self._make_webhooks(webhook_url, webhook_secret, webhook_retry_delays)
        if webhook_faults is not None:
            self._webhooks.faults = webhook_faults
        self._state = None if state is None else self._remember(os.fspath(state))
        self._lifecycle.subscribe(self._webhooks.note)
        self._timer: asyncio.TimerHandle | None = None
        self._port = port
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The base URL; it stays the same after a restart.

        Raises:
            RuntimeError: It was never started with `port=0`, so there is no port yet.
        """
        if not self._port:
            raise RuntimeError("the emulator has no url before it is started: await start() first")
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    @property
    def api_key(self) -> str:
        """The `X-Api-Key` it accepts, in UUID form; follows from the seed."""
        return self._identity.api_key

    @property
    def api_secret(self) -> str:
        """The `X-Api-Secret` it accepts; follows from the seed."""
        return self._identity.api_secret

    @property
    def payer_key(self) -> str:
        """The `X-Api-Key` of the other party of the account's payments.

        With it and `payer_secret` the API shows the same payments from that side: payments that the
        account received are sent ones, and the other way round.
        """
        return self._identity.payer_key

    @property
    def payer_secret(self) -> str:
        """The `X-Api-Secret` for `payer_key`."""
        return self._identity.payer_secret

    @property
    def journal(self) -> Journal:
        """The journal of requests: `exchanges` has the latest 10,000, `subscribe` reports new ones."""
        return self._journal

    @property
    def requests(self) -> list[RecordedExchange]:
        """The latest 10,000 requests, in the order of their completion."""
        return list(self._journal.exchanges)

    @property
    def request_count(self) -> int:
        """The number of requests received."""
        return self._journal.request_count

    @property
    def in_flight(self) -> int:
        """The number of requests that are being served."""
        return self._journal.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were served at the same time."""
        return self._journal.peak_in_flight

    async def start(self) -> None:
        """Start serving. After `aclose` it can be started again, with the same history and port.

        Raises:
            RuntimeError: It is running already.
            OSError: The port is in use, or the host is not an address of this machine.
            ValueError: The state file cannot be used.

        Cancellation: the emulator is closed again.
        """
        if self._runner is not None:
            raise RuntimeError(f"the emulator is already running at {self.url}")
        loop = asyncio.get_running_loop()
        runner = self._runner = self._make_runner(loop)
        try:
            self._clock.start(loop)
            self._arrivals.start(self._clock.now_us() / 1_000_000)
            if self._state is not None:
                self._state.open(self._book, self._lifecycle, self._clock)
            await runner.setup()
            await web.TCPSite(runner, self._settings.host, self._port).start()
        except BaseException:
            await self.aclose()
            raise
        self._port = runner.addresses[0][1]
        self._loop = loop
        self._webhooks.start()
        self._changed()

    async def aclose(self) -> None:
        """Stop serving and close all connections. Idempotent.

        Requests in flight have a quarter of a second to finish, then they are cancelled.
        """
        runner, self._runner = self._runner, None
        if runner is None:
            return
        if self._loop is not None:
            self._settle()
            self._changed()
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
        await self._webhooks.aclose()
        await runner.cleanup()
        if self._state is not None:
            self._state.close()
        self._arrivals.stop()
        self._clock.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _make_book(self) -> PaymentBook:
        options = self._settings
        today = options.today or day_of(time.time_ns() // 1000)
        return PaymentBook(
            self._identity,
            options.payments,
            arrivals=self._arrivals,
            order=options.order,
            today=None if options.hostile else today,
            render=with_platform_fields if options.extra_fields else payment_row,
        )

    def _make_journal(self, webhook_secret: str | None) -> Journal:
        account, payer = (self.api_key, self.api_secret), (self.payer_key, self.payer_secret)
        return Journal([*account, *payer, webhook_secret or ""])

    def _make_webhooks(
        self, url: str | None, secret: str | None, retry_delays: tuple[float, float]
    ) -> Webhooks:
        options = self._settings
        return Webhooks(
            self._identity,
            self._clock,
            url=url,
            secret=secret,
            change_body=self._deviations.webhook,
            unit=options.webhook_amounts,
            refund_name=options.refund_event,
            has_more=options.extra_fields,
            retry_delays=retry_delays,
        )

    def _remember(self, path: str) -> StateFile:
        made = self._settings
        identity: dict[str, object] = {
            "seed": made.seed,
            "payments": made.payments,
            "order": made.order,
            "hostile": made.hostile,
        }
        if made.today is not None:
            identity["today"] = made.today
        file = StateFile(path, identity)
        self._lifecycle.subscribe(file.note)
        return file

    def _changed(self) -> None:
        if self._state is not None:
            self._state.save(self._book, self._clock)
        due_us = self._lifecycle.next_due_us
        if self._loop is None or due_us is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        seconds = max(0, due_us - self._clock.now_us()) / 1_000_000
        self._timer = self._loop.call_later(min(seconds, _LONGEST_WAIT), self._wake)

    def _wake(self) -> None:
        self._settle()
        self._changed()

    def _settle_request(self) -> int:
        now_us = self._settle()
        self._changed()
        return now_us

    def _make_runner(self, loop: asyncio.AbstractEventLoop) -> web.AppRunner:
        api = Api(
            self._book,
            self._lifecycle,
            self._identity,
            journal=self._journal,
            clock=loop.time,
            now_us=self._clock.now_us,
            settle=self._settle_request,
            changed=self._changed,
            origin=lambda: self.url,
            fault_settings=self._fault_settings,
            deviations=self._deviations,
            options=self._settings,
        )
        app = api.application()
        PayerPage(self, self._settings.redirect_url).add_to(app.router)
        Console(self, self._journal, self._webhooks, self._fault_settings).add_to(app.router)
        # A request is cancelled when its client disconnects, so `in_flight` counts live ones only.
        return web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
