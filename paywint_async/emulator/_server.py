"""`Emulator`: starts and stops the emulated API.

It owns the listening socket and connects the parts. `PaymentBook` has the account, `Api` the HTTP.
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
from paywint_async.emulator._payment_book import Arrivals, Order, PaymentBook
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
_LONGEST_WAIT = 3600.0  # seconds; a later event sets its timer again after this time


class Emulator(Controls, WebhookControls):
    """The Paywint API on loopback, with an emulated account.

    `async with Emulator(payments=10_000) as emulator:` serves until the block ends. The same seed
    generates the same history, byte for byte, on the same day; with `today`, on any day.

    The history resembles that of a small company: payments of 3 to 25,000 dollars, every twenty
    minutes (more often if they would span more than three years). It ends just after the beginning of
    the current day in UTC, by the machine's clock when the emulator is created (in the first hour of a
    day: of the previous day). No payment is dated in the future. With `hostile`, the history is for
    tests: very large amounts, amounts that a float cannot represent, markup, formulas, all scripts,
    missing values; one payment every five minutes since 2015, whatever the date is, and a longer
    history begins with the shorter one. Events while the emulator runs have the time of the event
    loop, which starts with the machine's time.

    Args:
        payments: Number of payments at the start in each direction; 0 to 100,000,000.
        seed: Any integer; determines keys, ids and all records.
        hostile: Whether to use the hostile history.
        today: The day on which the history ends (unless it is hostile); None: the current day in UTC.
        latency: Seconds each request waits before it is answered, up to 3600.
        rate_limit: Requests per second, from 0.001. More, after a burst of one second's requests, are
            answered with 429 and `Retry-After`. None: no limit.
        failures: Share of the requests that are answered with 503, from 0 to 1.
        arrivals: New payments per second in each direction while it runs, up to 10,000.
        host: Address to listen on.
        port: Port to listen on; 0: any free port.
        order: Which end page 1 of a listing shows: "newest" (assumed of Paywint) or "oldest".
        expire_after: Seconds until a new link expires; by default a day.
        timetable: Scheduled status changes of each new link, as (seconds after its creation, status),
            such as `[(2, "opened"), (3, "processing"), (5, "success")]`.
        state: An SQLite file that keeps created and changed payments across restarts; it is created
            if missing, and is valid only for the same `payments`, `seed`, `order` and `hostile`. The
            history keeps ending on the day of the first run.
        webhook_url: URL on this machine that receives a webhook for each change; also an attribute.
        webhook_secret: Secret with which webhooks are signed, see `webhooks`; None: unsigned.
        webhook_faults: Faults of the deliveries.
        webhook_retry_delays: Seconds before the second and the third attempt of a delivery; one
            minute and five minutes by default, as Paywint publishes.
        webhook_amounts: Unit of amounts in webhooks, about which Paywint's pages contradict each
            other: "cents" (`599`), "dollars" (`5.99`) or "text" (`"5.99"`).
        redirect_url: URL to which the payer's page redirects, with `id` and `status`.
        refund_event: Name of the refund event: Paywint's page describes "payment.refunded" and shows
            "payment.refund".
        refunded_status: Status of a completely refunded payment, which is not published.
        sent_path: Path of the list of sent payments below `/api/`, which is not published.
        empty_records: `records` of a page without payments: "list" (`[]`) or "null".
        empty_total: `totalRecords` if there are no payments: "zero", "null" or "absent".
        extra_fields: Whether payments and webhooks have the fields that only Paywint's documentation
            for platforms shows, such as `processing_fee` and `transaction_id`.
        deviations: Names of differences from what the SDK assumes of Paywint, such as
            "amounts-as-text"; an unknown name is refused with a list of all. `paywint doctor` detects
            each of them.

    Raises:
        ValueError: An argument is out of range; the message names it.

    Source: `paywint-api.md`, which also lists what is assumed about error shapes and limits.
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
        order: Order = "newest",
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
            PaymentBook(
                self._identity,
                payments,
                arrivals=self._arrivals,
                order=order,
                today=None if hostile else today or day_of(time.time_ns() // 1000),
                render=with_platform_fields if extra_fields else payment_row,
            ),
            self._settings.timetable_us,
            refunded_status=refunded_status,
        )
        self._deviations = Deviations(deviations)
        self._fault_settings = FaultSettings(
            self._identity, latency=latency, rate_limit=rate_limit, failures=failures
        )
        self._journal = Journal(
            [self.api_key, self.api_secret, self.payer_key, self.payer_secret, webhook_secret or ""]
        )
        self._webhooks = Webhooks(
            self._identity,
            self._clock,
            url=webhook_url,
            secret=webhook_secret,
            change_body=self._deviations.webhook,
            faults=webhook_faults or WebhookFaults(),
            unit=webhook_amounts,
            refund_name=refund_event,
            has_more=extra_fields,
            retry_delays=webhook_retry_delays,
        )
        self._state = None if state is None else self._remember(os.fspath(state))
        self._lifecycle.subscribe(self._webhooks.note)
        self._timer: asyncio.TimerHandle | None = None
        self._port = port
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The base URL at which it serves; it stays the same after a restart.

        Raises:
            RuntimeError: `port` is 0 and the emulator was never started, so there is no port yet.
        """
        if not self._port:
            raise RuntimeError("the emulator has no url before it is started: await start() first")
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    @property
    def api_key(self) -> str:
        """The `X-Api-Key` it accepts, a UUID; determined by the seed."""
        return self._identity.api_key

    @property
    def api_secret(self) -> str:
        """The `X-Api-Secret` it accepts; determined by the seed."""
        return self._identity.api_secret

    @property
    def payer_key(self) -> str:
        """The `X-Api-Key` of the other party of the account's payments.

        With it and `payer_secret`, the API shows the same payments with directions swapped: what the
        account received was sent, and what it sent was received.
        """
        return self._identity.payer_key

    @property
    def payer_secret(self) -> str:
        """The `X-Api-Secret` that belongs to `payer_key`."""
        return self._identity.payer_secret

    @property
    def journal(self) -> Journal:
        """The journal of requests: `exchanges` are the latest 10,000; `subscribe` reports new ones."""
        return self._journal

    @property
    def requests(self) -> list[RecordedExchange]:
        """The latest 10,000 requests, in the order in which they finished."""
        return list(self._journal.exchanges)

    @property
    def request_count(self) -> int:
        """The number of all requests so far."""
        return self._journal.request_count

    @property
    def in_flight(self) -> int:
        """The number of requests being served now."""
        return self._journal.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The largest number of requests served at the same time."""
        return self._journal.peak_in_flight

    async def start(self) -> None:
        """Start serving. After `aclose` it can be started again, with the same history and port.

        Raises:
            RuntimeError: The emulator is running.
            OSError: The port is in use, or the host is not an address of this machine.
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
        """Stop serving and close every connection; closing again has no effect.

        Requests in flight have a quarter of a second to finish, then they are aborted.
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
        # A disconnected client cancels its request, so `in_flight` counts only requests with a client.
        return web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
