"""The state that a client shares with its views: transport, limits, retry budget, middlewares, events."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from paywint_async._config import (
    CallOptions,
    Credentials,
    RateLimit,
    check_base_url,
    check_sent_path,
)
from paywint_async._errors import ConfigurationError
from paywint_async._events import OnEvent, guarded
from paywint_async._log import set_up_log
from paywint_async._messages import Handler, Middleware
from paywint_async._middleware import (
    Limiter,
    Observe,
    RateLimiter,
    Retry,
    RetryBudget,
    Scope,
    SlowStart,
    Throttle,
    compose,
)
from paywint_async._tracking import Wakes
from paywint_async._transport import MakeConnector, Proxy, Transport


class Core:
    """The shared state of a client and its views; the arguments are those of `PaywintClient`.

    Raises:
        ConfigurationError: an argument cannot be used; the message names it.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str,
        request_timeout: float,
        rate_limit: RateLimit | Limiter | None,
        default_cooldown: float,
        middlewares: Iterable[Middleware],
        attempt_middlewares: Iterable[Middleware],
        on_event: OnEvent | None,
        ssl_context: ssl.SSLContext | None,
        proxy: Proxy | None,
        trust_env: bool,
        connector: MakeConnector | None,
        connector_owner: bool,
        user_agent: str | None,
        sent_path: str,
    ) -> None:
        set_up_log()
        self.base_url = check_base_url(base_url)
        self.sent_path = check_sent_path(sent_path)
        self.transport = Transport(
            credentials,
            self.base_url,
            request_timeout=request_timeout,
            ssl_context=_check_ssl_context(ssl_context),
            proxy=proxy,
            trust_env=trust_env,
            connector=connector,
            connector_owner=_check_owner(connector_owner, connector),
            user_agent=user_agent,
        )
        self.tell = guarded(_check_hook(on_event))
        self.wakes = Wakes()
        self._limiter = _limiter(rate_limit)
        self._budget = RetryBudget()
        self._middlewares = _check_callable("middlewares", middlewares)
        # With a stated limit, no slow start is needed to find one.
        self._around_attempts: tuple[Middleware, ...] = (
            *([] if rate_limit is not None else [SlowStart()]),
            self.transport.in_outer_turn if attempt_middlewares else self.transport.in_turn,
            Throttle(self._limiter, default_cooldown=default_cooldown, on_event=self.tell),
            *_check_callable("attempt_middlewares", attempt_middlewares),
            Observe(self.tell),
        )

    def handler(self, scope: Scope) -> Handler:
        """Returns the handler that sends the requests of a client or of a view."""
        options: CallOptions = scope.options
        chain: tuple[Middleware, ...] = (
            scope,
            *self._middlewares,
            Retry(options.retry, budget=self._budget, on_event=self.tell, base_url=self.base_url),
            *self._around_attempts,
            scope.mark_sent,
        )
        return compose(chain, self.transport.send)

    async def aclose(self) -> None:
        """Closes the connections, and a limiter that can be closed. Idempotent."""
        try:
            await self.transport.aclose()
        finally:
            if close_limiter := getattr(self._limiter, "aclose", None):
                await close_limiter()


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


def _check_owner(is_owner: object, connector: object) -> bool:
    if not isinstance(is_owner, bool):
        raise ConfigurationError(f"connector_owner must be True or False, not {is_owner!r}")
    if connector is None and not is_owner:
        raise ConfigurationError("connector_owner=False needs a connector, which is closed by you")
    return is_owner


def _check_ssl_context(context: object) -> ssl.SSLContext | None:
    if context is None or isinstance(context, ssl.SSLContext):
        return context
    raise ConfigurationError("ssl_context must be an ssl.SSLContext; checks cannot be switched off")
