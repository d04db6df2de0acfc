"""Handles deliveries for a web application. Knows no web framework."""

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
    """A client whose waits for a payment can be made to request it immediately."""

    @property
    def payments(self) -> _WakePayments:
        """The payments of the client."""
        ...


class WebhookReceiver:
    """Verifies deliveries, and calls ``on_event`` and the handlers of `on` once for each event.

    Args:
        on_event: a coroutine function, called with every event. The delivery is acknowledged when it
            returns; when it raises, the sender delivers the event again. It should return quickly, since
            senders have short timeouts. By default there are only the handlers of `on`, and other events
            are acknowledged.
        verifier: proves the sender, such as ``StandardWebhooks(secret)``; required; pass None to verify
            nothing. Then anyone can send events, ``event.is_verified`` is False, and ``on_event`` must
            trust only the result of `WebhookEvent.confirm`.
        store: stores which deliveries were processed; None: a `MemoryReplayStore` in this process,
            which keeps them for a day, or twice the tolerance if that is longer.
        client: a client whose waits for the event's payment request it immediately, instead of at
            their next interval.
        tolerance: the largest age of a delivery in seconds, also into the future; None: unlimited. See
            `parse_event`.
        amounts: the unit of the events' amounts, ``"cents"`` or ``"dollars"``, if it is known. See
            `parse_event`.
        clock: returns Unix seconds.

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
        self._ending: set[asyncio.Task[None]] = (
            set()
        )  # the event loop has only weak references to tasks
        # A traceback shows local variables: an argument that was passed by mistake may be a secret.
        del on_event, verifier, store, client
        self._check()

    def on(self, *names: WebhookEventName | str) -> Callable[[_AnyHandler], _AnyHandler]:
        """Returns a decorator that registers a coroutine function for the events with these names.

        ``@receiver.on("payment.refunded", "payment.refund")``. For an event, ``on_event`` is called
        first, then its handlers in the order of their registration, one after the other. When one raises,
        those after it are not called, and the event is delivered again, to all of them: so each must be
        idempotent.

        Args:
            names: names of events. An unpublished name of a payment's event is an error, as a
                misspelling; names of other events (``kyc.approved``) are not checked.

        Raises:
            ConfigurationError: there is no name, one is misspelt, or the handler is not callable.
        """
        checked = check_names(names)

        def register(handler: _AnyHandler) -> _AnyHandler:
            self._handlers.add(checked, handler)
            return handler

        return register

    async def handle(self, method: str, headers: HeadersLike, body: bytes) -> int:
        """Handles one delivery; returns the status of the HTTP response, which has no body.

        204: processed, now or before (also an event without a payment that a handler tried to confirm).
        400, 401, 405, 413: refused; a repetition would be refused, too.
        500: ``on_event`` or the store failed; the sender delivers the event again.

        Args:
            method: of the HTTP request.
            headers: of the HTTP request, names in any case.
            body: of the HTTP request, unchanged.

        Cancellation: cancels ``on_event``; the next delivery of the event will be processed. If
        ``on_event`` has returned, the store records that first.
        """
        if method != "POST":
            return NOT_ALLOWED
        if len(body) > MAX_BODY:
            return TOO_LARGE
        received = read_headers(headers)
        del headers  # a traceback shows local variables, and a header may be a token
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
        except Exception as error:  # must not replace the error that ended the processing
            logger.exception(
                "webhook %.80r could not be released for its next delivery",
                event.id,
                extra=fields(
                    event="webhook_not_released",
                    webhook_id=event.id[:80],
                    webhook_event=event.event[:80],
                    error=type(error).__name__,
                ),
            )

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Completes a call of the store, also on cancellation; a second cancellation does not wait.

        An interrupted store would refuse all deliveries of the event, or have the next one processed
        again.
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
        if (
            retry is None or not event.is_verified
        ):  # no API call can confirm what it is the retry of
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
        "webhook %.80r was not processed; it should be delivered again",
        event.id,
        extra=fields(
            event="webhook_not_processed",
            webhook_id=event.id[:80],
            webhook_event=event.event[:80],
            error=type(error).__name__,
        ),
    )


def _window(tolerance: Tolerance, verifier: Verifier | None) -> float:
    """Seconds in which a recorded delivery is accepted: from the earliest to the latest time."""
    if tolerance == "auto":  # other verifiers may not return a time
        tolerance = TOLERANCE if isinstance(verifier, StandardWebhooks) else UNSIGNED_TOLERANCE
    return 2 * tolerance if is_above_zero(tolerance, int, float) else 0.0


def _has(value: object, *methods: str) -> bool:
    is_instance = not isinstance(value, type)
    return is_instance and all(callable(getattr(value, name, None)) for name in methods)
