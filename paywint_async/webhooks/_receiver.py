"""Handles deliveries for a web application. Knows no framework."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar
from uuid import UUID

from paywint_async import (
    ConfigurationError,
    WebhookError,
    WebhookEventName,
    WebhookSignatureError,
)
from paywint_async._log import fields
from paywint_async.webhooks._amounts import Unit
from paywint_async.webhooks._event import WebhookEvent
from paywint_async.webhooks._handlers import (
    EventHandler,
    Handlers,
    acknowledge,
    check_names,
    logger,
)
from paywint_async.webhooks._headers import HeadersLike, no_headers, read_headers
from paywint_async.webhooks._parsing import (
    MAX_BODY,
    TOLERANCE,
    UNSIGNED_TOLERANCE,
    Tolerance,
    check_unit,
    parse_event,
)
from paywint_async.webhooks._replay import KEEP, MemoryReplayStore, ReplayStore, is_above_zero
from paywint_async.webhooks._signatures import StandardWebhooks, Verifier

_AnyHandler = TypeVar("_AnyHandler", bound=EventHandler)

OK, BAD_REQUEST, UNAUTHORIZED, NOT_ALLOWED, TOO_LARGE, FAILED = 204, 400, 401, 405, 413, 500


class _WakePayments(Protocol):
    def wake(self, payment_id: UUID, /, *, retry_payment_id: UUID | None = ...) -> object: ...


class WakeTarget(Protocol):
    """A client whose waits for a payment can be told to look at once."""

    @property
    def payments(self) -> _WakePayments:
        """The client's payments."""
        ...


class WebhookReceiver:
    """Takes deliveries, and calls ``on_event`` and the handlers of `on` with each event once.

    Args:
        on_event: a coroutine function, for every event; the delivery is answered when it returns, and
            comes again when it raises. Answer fast, work later: the sender will not wait for long.
            Left out: there are only the handlers of `on`, and other events are acknowledged.
        verifier: who vouches for deliveries, such as ``StandardWebhooks(secret)``. None has to be
            said: then anybody can send events, ``event.is_verified`` is False, and ``on_event`` may
            believe nothing but `WebhookEvent.confirm`.
        store: what remembers the deliveries already processed; None: this process, a
            `MemoryReplayStore`, for a day or twice the tolerance.
        client: whose waits for the event's payment look at once, instead of at their next interval.
        tolerance: seconds by which a delivery may be old or ahead; None: any. See `parse_event`.
        amounts: the unit of the events' amounts, ``"cents"`` or ``"dollars"``, where you know it. See
            `parse_event`.
        clock: Unix seconds.

    Raises:
        ConfigurationError: an argument cannot be used; the message names it.
    """

    def __init__(
        self,
        on_event: EventHandler = acknowledge,
        *,
        verifier: Verifier | None,
        store: ReplayStore | None = None,
        client: WakeTarget | None = None,
        tolerance: Tolerance = "auto",
        amounts: Unit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._on_event = on_event
        self._handlers = Handlers(on_event)
        self._verifier = verifier
        self._window = _window(tolerance, verifier)
        self._store = MemoryReplayStore(keep=max(KEEP, self._window)) if store is None else store
        self._client = client
        self._tolerance: Tolerance = tolerance
        self._amounts: Unit | None = amounts
        self._clock = clock
        self._ending: set[asyncio.Task[None]] = set()  # the loop itself holds no task
        # A traceback shows the locals of its frames: what was passed by mistake may be a secret.
        del on_event, verifier, store, client
        self._check()

    def on(self, *names: WebhookEventName | str) -> Callable[[_AnyHandler], _AnyHandler]:
        """Registers a coroutine function for the events of these names; it stays as it is.

        ``@receiver.on("payment.refunded", "payment.refund")``. For an event ``on_event`` is called
        first, then its handlers as they were registered, one after the other. When one raises, those
        after it are not called and the delivery comes again, to all of them: each has to be harmless to
        repeat.

        Args:
            names: of payments one that is published; another name of a payment is an error, since it
                would be a misspelling. Names of no payment (``kyc.approved``) are taken as they are.

        Raises:
            ConfigurationError: a name is missing or misspelt, or the handler cannot be called.
        """
        checked = check_names(names)

        def register(handler: _AnyHandler) -> _AnyHandler:
            self._handlers.add(checked, handler)
            return handler

        return register

    async def handle(self, method: str, headers: HeadersLike, body: bytes) -> int:
        """The HTTP status to answer with; an answer needs nothing more, and should say no more.

        204: processed, now or before (also an event of no payment that a handler could not confirm).
        400, 401, 405, 413: refused; it would not do better later.
        500: ``on_event`` or the store failed, so it is delivered again.

        Cancellation: ends ``on_event``; the next delivery of the event will be processed. Where
        ``on_event`` had returned, the store remembers that first.
        """
        if method != "POST":
            return NOT_ALLOWED
        if len(body) > MAX_BODY:
            return TOO_LARGE
        received = read_headers(headers)
        del headers  # a traceback shows the locals of its frames, and a header may be a token
        try:
            if received is None:
                raise no_headers()
            event = self._parse(received, body)
        except WebhookError as error:
            return _refused(error)
        try:
            await self._process(event)
        except Exception as error:
            _log_failure(event, error)
            return FAILED
        return OK

    def _check(self) -> None:
        if not callable(self._on_event):
            raise ConfigurationError("on_event must be a coroutine function that takes an event")
        if self._verifier is not None and not callable(self._verifier):
            raise ConfigurationError("verifier must be callable, or None to verify nothing")
        if not _has(self._store, "claim", "complete", "release"):
            raise ConfigurationError("store must be a ReplayStore, such as MemoryReplayStore()")
        if self._client is not None and not _has(getattr(self._client, "payments", None), "wake"):
            raise ConfigurationError("client must be a PaywintClient, or None to wake nobody")
        if self._tolerance not in (None, "auto") and not is_above_zero(self._tolerance, int, float):
            raise ConfigurationError(
                f"tolerance must be seconds, more than 0, or None for any: {self._tolerance!r}"
            )
        check_unit(self._amounts)
        if isinstance(self._store, MemoryReplayStore) and self._store.keep < self._window:
            raise ConfigurationError(
                f"store must keep deliveries for twice the tolerance, {self._window:g} s, or longer"
            )
        if not callable(self._clock):
            raise ConfigurationError("clock must be callable and return Unix seconds")

    def _parse(self, headers: HeadersLike, body: bytes) -> WebhookEvent:
        return parse_event(
            body,
            headers,
            verifier=self._verifier,
            tolerance=self._tolerance,
            amounts=self._amounts,
            clock=self._clock,
        )

    async def _process(self, event: WebhookEvent) -> None:
        if not await self._store.claim(event.replay_key):
            logger.debug(
                "webhook %.80r was processed before",
                event.id,
                extra=fields(
                    event="webhook_repeated",
                    webhook_id=event.id[:80],
                    webhook_event=event.event[:80],
                ),
            )
            return
        try:
            self._wake(event)
            await self._handlers.call(event)
        except BaseException:
            await self._to_its_end(self._release(event))
            raise
        await self._to_its_end(self._complete(event))

    async def _complete(self, event: WebhookEvent) -> None:
        try:
            await self._store.complete(event.replay_key)
        except Exception:
            await self._release(event)
            raise

    async def _release(self, event: WebhookEvent) -> None:
        try:
            await self._store.release(event.replay_key)
        except Exception as error:  # must not take the place of what ended the processing
            logger.exception(
                "webhook %.80r could not be released for its next attempt",
                event.id,
                extra=fields(
                    event="webhook_not_released",
                    webhook_id=event.id[:80],
                    webhook_event=event.event[:80],
                    error=type(error).__name__,
                ),
            )

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Awaits it to its end, also when cancelled: a store that was interrupted would let no delivery
        through, or let the next one be processed again. A second cancellation does not wait.
        """
        task = asyncio.ensure_future(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def _wake(self, event: WebhookEvent) -> None:
        if self._client is None or event.payment_id is None:
            return
        wake, retry = self._client.payments.wake, event.retry_payment_id
        if retry is None or not event.is_verified:  # no API call can confirm whose retry it is
            wake(event.payment_id)
        else:
            wake(event.payment_id, retry_payment_id=retry)


def _refused(error: WebhookError) -> int:
    """Logs why a delivery is refused; returns the status to answer with."""
    status = UNAUTHORIZED if isinstance(error, WebhookSignatureError) else BAD_REQUEST
    logger.warning(
        "a webhook was refused: %s",
        error,
        extra=fields(
            event="webhook_refused",
            status=status,
            error=type(error).__name__,
            reason=str(error),
        ),
    )
    return status


def _log_failure(event: WebhookEvent, error: Exception) -> None:
    logger.exception(
        "webhook %.80r was not processed; it should come again",
        event.id,
        extra=fields(
            event="webhook_not_processed",
            webhook_id=event.id[:80],
            webhook_event=event.event[:80],
            error=type(error).__name__,
        ),
    )


def _window(tolerance: Tolerance, verifier: Verifier | None) -> float:
    """Seconds in which a recorded delivery could be played again: from as early to as late as allowed."""
    if tolerance == "auto":  # other verifiers than ours may know no time
        tolerance = TOLERANCE if isinstance(verifier, StandardWebhooks) else UNSIGNED_TOLERANCE
    return 2 * tolerance if is_above_zero(tolerance, int, float) else 0.0


def _has(value: object, *methods: str) -> bool:
    is_instance = not isinstance(value, type)
    return is_instance and all(callable(getattr(value, name, None)) for name in methods)
