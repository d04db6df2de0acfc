"""Sends webhooks: each change of a payment goes to one URL, in the form that Paywint publishes.

There are at most three attempts until a response is 2xx; the events of one payment are sent in order,
one after the other. Paywint publishes no signature scheme, so they are signed as Standard Webhooks: the
header `webhook-signature` has `v1,` and the base64 of
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
"""The number of deliveries that are kept."""

# A strict pattern: a URL parser might read an unusual URL differently than aiohttp.
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
        delay: Seconds before the first attempt of each delivery, up to 1e9.
        duplicate: Probability that a delivery is sent twice, with the same id.
        reorder: Probability that later events of the payment may overtake it.
        drop: Probability that a delivery is not sent.
    """

    delay: float = attrs.field(default=0.0, validator=_seconds)
    duplicate: float = attrs.field(default=0.0, validator=_chance)
    reorder: float = attrs.field(default=0.0, validator=_chance)
    drop: float = attrs.field(default=0.0, validator=_chance)


@attrs.define(kw_only=True)
class Delivery:
    """The delivery of one event, and its outcome.

    `delivery_id` is the event's `id`; all refunds of a payment have the payment's id there. `number` is
    unique. `attempts` has the status of each response, or the reason why there was none; `attempted_us`
    has the start of each attempt, in Unix microseconds of the emulator's clock. `outcome` is "pending",
    "delivered", "failed" (no 2xx in three attempts) or "dropped" (a fault).
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
        identity: Its seed decides ids and faults.
        clock: The emulator's time.
        url: The receiver, on loopback only; None: no webhooks are made.
        secret: Signs the webhooks; None: they are not signed.
        change_body: Changes each body, for a deviation.
        unit: Of the amounts.
        refund_name: The name of the event of a refund.
        has_more: Whether bodies have fields that are not published for developers.
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
        self.faults = WebhookFaults()
        self._unit: _wire.AmountUnit = unit
        self._refund_name = refund_name
        self._has_more = has_more
        self._retry_delays = retry_delays
        self._count = 0
        self._queues: dict[str, deque[Delivery]] = {}
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
        for name in self._queues:
            self._run(self._empty(name))

    async def aclose(self) -> None:
        """Cancel all deliveries in progress, which stay "pending"."""
        session, self._session = self._session, None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if session is not None:
            await session.close()

    def note(self, change: Change) -> None:
        """Send a change, if there is a URL and Paywint publishes an event for the status."""
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
        """Wait until no delivery is being sent or waits for its next attempt."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def resend(self, what: Delivery | str) -> Delivery:
        """Send a delivery again with the same id, whatever its outcome was.

        Args:
            what: The delivery, or its id; of several with the same id the latest.

        Raises:
            LookupError: No such delivery.
            RuntimeError: The emulator is not running.

        Cancellation: The delivery is cancelled. If the emulator closes first, it stays pending.
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
            raise RuntimeError("the emulator sends no webhooks before it is started: await start()")

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
        is_delayed = reorder < self.faults.reorder
        # In a queue of its own, so that later events of the payment overtake it.
        name = f"delayed {delivery.number}" if is_delayed else delivery.payment_id
        queue = self._queues.setdefault(name, deque())
        queue.append(delivery)
        if len(queue) == 1 and self._session is not None:
            self._run(self._empty(name, after=wait * _LONGEST_DETOUR if is_delayed else 0.0))

    def _draw(self) -> tuple[float, ...]:
        """Four random numbers from 0 to 1, which the seed decides for each delivery."""
        bits = self._identity.bits(f"webhook faults {self._count}")
        return tuple(int.from_bytes(bits[i : i + 8], "big") / 2**64 for i in range(0, 32, 8))

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _empty(self, name: str, *, after: float = 0.0) -> None:
        queue = self._queues[name]
        while queue:
            await self._deliver(queue[0], after=after)
            queue.popleft()
        del self._queues[name]

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
            timestamp = (
                self._clock.unmoved_us() // 1_000_000
            )  # the real time: advancing the clock must not make it too old
            headers["webhook-id"] = delivery.delivery_id
            headers["webhook-timestamp"] = str(timestamp)
            key = self.secret.encode(
                "utf-8", "surrogatepass"
            )  # an environment variable may have surrogates
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
    """The URL, if it is on loopback.

    Raises:
        ValueError: It is not.
    """
    found = _OWN_URL.fullmatch(url)
    if found is None or not 0 < int(found["port"] or 80) < 65_536:
        raise ValueError(f"webhook_url must be http(s) on localhost, 127.0.0.1 or [::1]: {url!r}")
    return url
