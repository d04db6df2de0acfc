"""The client: wires credentials, transport, chain and payments together. No logic of its own."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from paywint_async._calls import send
from paywint_async._config import (
    SENT_PATH,
    Credentials,
    Environment,
    RateLimit,
    RetryPolicy,
    check_base_url,
    check_count,
    check_environment,
    check_number,
    check_sent_path,
)
from paywint_async._errors import ConfigurationError
from paywint_async._events import OnEvent, guarded
from paywint_async._messages import Handler, Middleware
from paywint_async._middleware import (
    Limiter,
    Observe,
    RateLimiter,
    Retry,
    SlowStart,
    Throttle,
    compose,
)
from paywint_async._payments import Payments
from paywint_async._raw_request import raw_request
from paywint_async._tracking import Tracker
from paywint_async._transport import Transport

_DEFAULT_RETRY = RetryPolicy()


class PaywintClient:
    """One account on one environment, with one pool of connections.

    Use it in ``async with``, or call `aclose`. Nothing is opened before the first call. One client
    serves any number of tasks of one event loop.

    Args:
        api_key: header ``X-Api-Key``.
        api_secret: header ``X-Api-Secret``; never shown again, by nothing.
        environment: sandbox, since a forgotten argument must not move real money.
        base_url: instead of the environment's; https, or http to loopback.
        max_concurrency: requests in flight of one listing; 8 hides the latency of most networks and
            is polite to a server whose limits are not published.
        request_timeout: seconds for one attempt, connect to last byte; 30 is far beyond a healthy
            answer, and short enough to try again.
        retry: how patient an operation is.
        rate_limit: none by default, as none is published; a 429 is heeded in any case. A
            `SharedRateLimit` counts for all processes; a `Limiter` of your own may be given, too.
        middlewares: your own, outermost first; they see each operation once, around its retries.
        attempt_middlewares: your own, too, but around each attempt.
        on_event: called with each `Event`, at once, in the event loop; what it raises is logged.
        ssl_context: for a private certificate authority; verification cannot be switched off here.
        sent_path: of the list of sent payments, which nobody published; the default is assumed.

    Raises:
        ConfigurationError: an argument cannot be used; the message names it.
    """

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        *,
        environment: Environment | str = Environment.SANDBOX,
        base_url: str | None = None,
        max_concurrency: int = 8,
        request_timeout: float = 30.0,
        retry: RetryPolicy = _DEFAULT_RETRY,
        rate_limit: RateLimit | Limiter | None = None,
        middlewares: Iterable[Middleware] = (),
        attempt_middlewares: Iterable[Middleware] = (),
        on_event: OnEvent | None = None,
        ssl_context: ssl.SSLContext | None = None,
        sent_path: str = SENT_PATH,
    ) -> None:
        credentials = _wrap(api_key, api_secret)
        del api_key, api_secret  # a traceback shows the locals of its frames
        credentials.check()
        where = check_environment(environment)
        self._base_url = check_base_url(where.base_url if base_url is None else base_url)
        self._transport = Transport(
            credentials,
            self._base_url,
            request_timeout=check_number(
                "request_timeout", request_timeout, low=0, inclusive=False
            ),
            ssl_context=_check_ssl_context(ssl_context),
        )
        self._limiter = _limiter(rate_limit)
        tell = guarded(_check_hook(on_event))
        chain: tuple[Middleware, ...] = (
            *_check_callable("middlewares", middlewares),
            *_patience(_check_retry(retry), self._limiter, tell, is_stated=rate_limit is not None),
            *_check_callable("attempt_middlewares", attempt_middlewares),
            *([Observe(tell)] if on_event else []),
        )
        self._handler: Handler = compose(chain, self._transport.send)
        at_once = check_count("max_concurrency", max_concurrency)
        self._tracker = Tracker(self._handler, at_once)
        self.payments = Payments(
            self._handler, at_once, self._tracker, tell, sent_path=check_sent_path(sent_path)
        )

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """A client set up by the environment variables, ``overrides`` taking precedence.

        ``PAYWINT_API_KEY``, ``PAYWINT_API_SECRET``, ``PAYWINT_ENVIRONMENT`` (sandbox, production) and
        ``PAYWINT_BASE_URL``.

        Raises:
            ConfigurationError: a variable is missing or cannot be used; the message names it.
        """
        # First of all: a traceback shows the locals of its frames, and the overrides are one.
        credentials = Credentials(
            overrides.pop("api_key", None) or os.environ.get("PAYWINT_API_KEY"),
            overrides.pop("api_secret", None) or os.environ.get("PAYWINT_API_SECRET"),
        )
        if "environment" not in overrides and (name := os.environ.get("PAYWINT_ENVIRONMENT")):
            overrides["environment"] = check_environment(name, source="PAYWINT_ENVIRONMENT")
        if "base_url" not in overrides and (url := os.environ.get("PAYWINT_BASE_URL")):
            overrides["base_url"] = url
        return cls(credentials, "", **overrides)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        transport: Transport | None = getattr(self, "_transport", None)  # None: not made yet
        if transport is None:
            return "<PaywintClient>"
        return f"<PaywintClient {self._base_url} {'closed' if transport.is_closed else 'open'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def request(
        self, method: str, path: str, *, json: Any = None, repeatable: bool | None = None
    ) -> Any:
        """The decoded answer of any path of the API, for what this SDK has no method for.

        It goes through the same chain as every call: credentials, limits, retries, errors, events
        (as operation ``request``).

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: from the base URL's end on, with its query; begins with a slash, percent-encoded.
            json: the body: dicts, lists, strings, whole numbers, `Decimal`, UUID, True, False; a
                float is refused, since it may have lost digits. None: no body.
            repeatable: whether sending it twice does no harm, so that it may be retried. None: GET
                may be repeated; everything else is sent once.

        Returns:
            The decoded JSON, numbers as int or `Decimal` with exactly their digits; None for 204.

        Raises:
            InvalidRequestError: an argument cannot be sent; nothing was.
            OutcomeUnknownError: what is sent once may or may not have had its effect; ``asked`` has
                ``method``, ``path`` and ``json``.
            APIError: the API refused, ``success: false`` with status 200 included.
            ResponseDecodeError: the answer to what may be repeated is not strict JSON.
            TransportError: no answer to what may be repeated, or no connection.
        """
        return await send(self._handler, raw_request(method, path, json, repeatable))

    async def aclose(self) -> None:
        """Closes the connections; calls under way end with `ClientClosedError`. Idempotent.

        A limiter of your own that has an `aclose` is closed, too.
        """
        self.payments._end_iterators()
        try:
            await self._tracker.aclose()
        finally:
            await self._close_connections()

    async def _close_connections(self) -> None:
        try:
            await self._transport.aclose()
        finally:
            if close_limiter := getattr(self._limiter, "aclose", None):
                await close_limiter()


def _wrap(api_key: object, api_secret: object) -> Credentials:
    # `from_env` hands both over wrapped, since a traceback would show the locals of its frame.
    return api_key if isinstance(api_key, Credentials) else Credentials(api_key, api_secret)


def _patience(
    retry: RetryPolicy, limiter: Limiter, tell: OnEvent, *, is_stated: bool
) -> list[Middleware]:
    throttle = Throttle(limiter, default_cooldown=retry.base_delay, on_event=tell)
    # Whoever states a limit needs no slow start to find one.
    slow_start: list[Middleware] = [] if is_stated else [SlowStart()]
    return [Retry(retry, on_event=tell), *slow_start, throttle]


def _limiter(rate_limit: RateLimit | Limiter | None) -> Limiter:
    if rate_limit is None or isinstance(rate_limit, RateLimit):
        return RateLimiter(rate_limit)
    if all(callable(getattr(rate_limit, name, None)) for name in ("acquire", "cool_down")):
        return rate_limit
    raise ConfigurationError(f"rate_limit must be a RateLimit, not {type(rate_limit).__name__}")


def _check_callable(name: str, middlewares: Iterable[Middleware]) -> tuple[Middleware, ...]:
    is_iterable = isinstance(middlewares, Iterable)
    checked = tuple(middlewares) if is_iterable else ()
    if not is_iterable or not all(callable(middleware) for middleware in checked):
        raise ConfigurationError(f"{name} must be callables that take a request and a handler")
    return checked


def _check_hook(on_event: OnEvent | None) -> OnEvent | None:
    if on_event is None or callable(on_event):
        return on_event
    raise ConfigurationError(f"on_event must be callable, not {type(on_event).__name__}")


def _check_ssl_context(context: object) -> ssl.SSLContext | None:
    if context is None or isinstance(context, ssl.SSLContext):
        return context
    raise ConfigurationError("ssl_context must be an ssl.SSLContext; checks cannot be switched off")


def _check_retry(retry: object) -> RetryPolicy:
    if isinstance(retry, RetryPolicy):
        return retry
    raise ConfigurationError(f"retry must be a RetryPolicy, not {type(retry).__name__}")
