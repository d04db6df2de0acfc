"""Webhooks out: each change of a payment, told to one URL as Paywint publishes it.

At most three attempts, until an answer is 2xx; the events of one payment leave in their order, one
after the other. Signed with a scheme of the emulator's own, since Paywint publishes none: that of
Standard Webhooks, header `webhook-signature` with `v1,` and the base64 of
HMAC-SHA256(secret, "{webhook-id}.{webhook-timestamp}.{body}").
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import attrs

from paywint_async.emulator import _wire
from paywint_async.emulator._clock import Clock
from paywint_async.emulator._identity import Identity
from paywint_async.emulator._transitions import Change, Refund

PUBLISHED = frozenset(
    {"initiated", "opened", "processing", "settling", "success", "failed", "rejected", "retried"}
    | {"expired"}
)
RETRY_DELAYS = (60.0, 300.0)
"""Seconds before the second and the third attempt, as Paywint publishes them."""
KEPT = 100_000
"""Deliveries remembered."""

# Spelled out: about a URL that is odd, what checks it and what opens it could disagree.
_OWN_URL = re.compile(
    r"https?://(localhost|127\.0\.0\.1|\[::1\])(:(?P<port>[0-9]{1,5}))?"
    r"([/?#][^\s\\\x00-\x20\x7f\ud800-\udfff]*)?",
    re.ASCII | re.IGNORECASE,
)
_TIMEOUT = 5.0
_AT_ONCE = 32
_LONGEST_DETOUR = 0.1  # seconds
_chance: list[Any] = [attrs.validators.ge(0), attrs.validators.le(1)]
_seconds: list[Any] = [attrs.validators.ge(0), attrs.validators.le(1e9)]


@attrs.frozen(kw_only=True)
class WebhookFaults:
    """The faults of deliveries, drawn from the seed.

    Args:
        delay: Seconds each delivery waits before its first attempt, up to 1e9.
        duplicate: Probability that a delivery is made twice, with the same id.
        reorder: Probability that later events of the payment may overtake it.
        drop: Probability that nothing is sent at all.
    """

    delay: float = attrs.field(default=0.0, validator=_seconds)
    duplicate: float = attrs.field(default=0.0, validator=_chance)
    reorder: float = attrs.field(default=0.0, validator=_chance)
    drop: float = attrs.field(default=0.0, validator=_chance)


@attrs.define(kw_only=True)
class Delivery:
    """One event on its way, and what came of it.

    `delivery_id` is the event's `id`: all refunds of a payment have the payment's, `number` is of
    this one alone.
    `attempts` holds the status of each answer, or the reason why there was none, `attempted_us` when
    each began, in Unix microseconds of the emulator's clock; `outcome` is
    "pending", "delivered", "failed" (no 2xx in three attempts) or "dropped" (a fault).
    """

    number: int
    delivery_id: str
    event: str
    payment_id: str
    body: bytes
    created_us: int
    attempts: list[int | str] = attrs.field(factory=list)
    attempted_us: list[int] = attrs.field(factory=list)
    outcome: str = "pending"
    is_doubled: bool = False


class Webhooks:
    """The deliveries of one emulator.

    Args:
        identity: Ids and faults follow from its seed.
        clock: The emulator's time.
        url: Where they go; None: nowhere, and none is made. Loopback only.
        secret: What they are signed with; None: not at all.
        change_body: Makes each body another one on purpose.
        faults: What goes wrong on purpose.
        unit: Of the amounts.
        refund_name: Of the event of a refund.
        has_more: Whether they have fields that are not published for developers.
        retry_delays: Seconds before the second and the third attempt.

    Raises:
        ValueError: The URL is not http(s) on loopback.
    """

    def __init__(
        self,
        identity: Identity,
        clock: Clock,
        *,
        url: str | None,
        secret: str | None,
        change_body: Callable[[bytes], bytes] = lambda body: body,
        faults: WebhookFaults,
        unit: _wire.AmountUnit = "cents",
        refund_name: str = "payment.refunded",
        has_more: bool = False,
        retry_delays: tuple[float, float] = RETRY_DELAYS,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._url = None if url is None else check_url(url)
        self.secret = secret
        self._change_body = change_body
        self.faults = faults
        self._unit: _wire.AmountUnit = unit
        self._refund_name = refund_name
        self._has_more = has_more
        self._retry_delays = retry_delays
        self._count = 0
        self._lines: dict[str, deque[Delivery]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._room = asyncio.Semaphore(_AT_ONCE)  # of one loop, so each start makes another
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)

    @property
    def url(self) -> str | None:
        """The receiver's URL, or None. Setting any but http(s) on loopback is a ValueError."""
        return self._url

    @url.setter
    def url(self, url: str | None) -> None:
        """Send there from now on."""
        self._url = None if url is None else check_url(url)

    @staticmethod
    def check(url: str | None) -> None:
        """ValueError where webhooks cannot go there."""
        if url is not None:
            check_url(url)

    def start(self) -> None:
        """Send what is waiting, and from now on at once."""
        self._room = asyncio.Semaphore(_AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=0)
        )
        for name in self._lines:
            self._run(self._empty(name))

    async def aclose(self) -> None:
        """Break off what is under way; it stays "pending"."""
        session, self._session = self._session, None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if session is not None:
            await session.close()

    def note(self, change: Change) -> None:
        """Tell of a change, where its status has a published event and there is a URL."""
        payment = change.payment
        is_published = change.refund is not None or payment.status in PUBLISHED
        if self._url is None or not is_published:
            return
        self._count += 1
        if change.refund is None:
            delivery_id, name, body = self._status_event(change)
        else:
            delivery_id, name, body = self._refund_event(change, change.refund)
        delivery = Delivery(
            number=self._count,
            delivery_id=delivery_id,
            event=name,
            payment_id=payment.payment_id,
            body=self._change_body(body),
            created_us=change.at_us,
        )
        self.deliveries.append(delivery)
        self._dispatch(delivery)

    def _status_event(self, change: Change) -> tuple[str, str, bytes]:
        delivery_id = self._identity.uuid(f"delivery {self._count}")
        name = f"payment.{change.payment.status}"
        body = _wire.event(
            name,
            delivery_id,
            change.payment,
            generated_us=change.at_us,
            retry_payment_id=change.retry_payment_id,
            unit=self._unit,
            has_more=self._has_more,
        )
        return delivery_id, name, body

    def _refund_event(self, change: Change, refund: Refund) -> tuple[str, str, bytes]:
        name = "payment.fee_refunded" if refund.is_fee else self._refund_name
        payment_id = change.payment.payment_id
        body = _wire.refund_event(
            name,
            payment_id,
            status="success" if refund.is_fee else "completed",
            amount=_wire.amount_text(refund.amount, self._unit),
            refund_id=refund.refund_transaction_id,
            generated_us=change.at_us,
        )
        return payment_id, name, body

    async def settled(self) -> None:
        """Return once nothing is under way or waiting for its next attempt."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def resend(self, what: Delivery | str) -> Delivery:
        """Make a delivery once more, with the same id, whatever became of it.

        Args:
            what: The delivery, or its id: of several with one, the latest.

        Raises:
            LookupError: No such delivery.
            RuntimeError: The emulator is not running.

        Cancellation: The delivery is broken off. Where the emulator closes first, it stays pending.
        """
        self._check_started()
        delivery = what if isinstance(what, Delivery) else self._latest(what)
        task = self.begin_resend(delivery)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            raise
        return delivery

    def begin_resend(self, delivery: Delivery) -> asyncio.Task[None]:
        """Sends a delivery again, without waiting for its result. Raises as `resend`."""
        self._check_started()
        delivery.outcome = "pending"
        return self._run(self._deliver(delivery))

    def _check_started(self) -> None:
        if self._session is None:
            raise RuntimeError("the emulator delivers nothing before it is started: await start()")

    def _latest(self, delivery_id: str) -> Delivery:
        for delivery in reversed(self.deliveries):
            if delivery.delivery_id == delivery_id:
                return delivery
        raise LookupError(f"the emulator has made no delivery {delivery_id!r}")

    def _dispatch(self, delivery: Delivery) -> None:
        drop, reorder, duplicate, wait = self._draw()
        delivery.is_doubled = duplicate < self.faults.duplicate
        if drop < self.faults.drop:
            delivery.outcome = "dropped"
            return
        is_astray = reorder < self.faults.reorder
        # A line of its own: whatever else happens to the payment overtakes it.
        name = f"astray {delivery.number}" if is_astray else delivery.payment_id
        line = self._lines.setdefault(name, deque())
        line.append(delivery)
        if len(line) == 1 and self._session is not None:
            self._run(self._empty(name, after=wait * _LONGEST_DETOUR if is_astray else 0.0))

    def _draw(self) -> tuple[float, ...]:
        """Four numbers from 0 to 1, as the seed has them for this delivery."""
        bits = self._identity.bits(f"webhook faults {self._count}")
        return tuple(int.from_bytes(bits[i : i + 8], "big") / 2**64 for i in range(0, 32, 8))

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _empty(self, name: str, *, after: float = 0.0) -> None:
        line = self._lines[name]
        while line:
            await self._deliver(line[0], after=after)
            line.popleft()
        del self._lines[name]

    async def _deliver(self, delivery: Delivery, *, after: float = 0.0) -> None:
        await asyncio.sleep(self.faults.delay + after)
        delivery.outcome = "pending"
        for delay in (*self._retry_delays, None):
            if await self._attempt(delivery):
                delivery.outcome = "delivered"
                if delivery.is_doubled:
                    await self._attempt(delivery)
                return
            if delay is not None:
                await asyncio.sleep(delay)
        delivery.outcome = "failed"

    async def _attempt(self, delivery: Delivery) -> bool:
        async with self._room:
            session, url = self._session, self._url
            delivery.attempted_us.append(self._clock.now_us())
            if session is None or url is None:
                delivery.attempts.append("there is no receiver")
                return False
            try:
                async with session.post(
                    url, data=delivery.body, headers=self._headers(delivery), allow_redirects=False
                ) as answer:
                    delivery.attempts.append(answer.status)
                    return 200 <= answer.status < 300
            except (aiohttp.ClientError, OSError) as error:
                delivery.attempts.append(_reason(error))
                return False

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "paywint-emulator"}
        if self.secret is not None:
            timestamp = self._clock.unmoved_us() // 1_000_000  # moving it makes no replay
            headers["webhook-id"] = delivery.delivery_id
            headers["webhook-timestamp"] = str(timestamp)
            key = self.secret.encode("utf-8", "surrogatepass")  # whatever an environment may hold
            headers["webhook-signature"] = sign(key, delivery.delivery_id, timestamp, delivery.body)
        return headers


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    is_refused = isinstance(error, aiohttp.ClientConnectorError)
    return "no connection" if is_refused else "the connection was lost"


def sign(key: bytes, delivery_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def check_url(url: str) -> str:
    """The URL, where it is one of this machine's own.

    Raises:
        ValueError: It is not.
    """
    found = _OWN_URL.fullmatch(url)
    if found is None or not 0 < int(found["port"] or 80) < 65_536:
        raise ValueError(f"webhook_url must be http(s) on localhost, 127.0.0.1 or [::1]: {url!r}")
    return url
