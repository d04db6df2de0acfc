"""The client: connects credentials, transport, middleware chain and payments. No logic of its own."""

from __future__ import annotations

import os
import ssl
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack, cast

from paywint_async._arguments import check_whole
from paywint_async._calls import send
from paywint_async._config import (
    SENT_PATH,
    CallOptions,
    Credentials,
    Environment,
    RateLimit,
    RetryPolicy,
    check_count,
    check_environment,
    check_request_timeout,
    check_retry,
)
from paywint_async._core import Core
from paywint_async._errors import ClientClosedError
from paywint_async._events import OnEvent
from paywint_async._messages import Middleware
from paywint_async._middleware import Answers, Limiter, Scope, collect
from paywint_async._payments import Payments
from paywint_async._raw_request import raw_request
from paywint_async._tracking import Tracker
from paywint_async._transport import MakeConnector, wrap_proxy

_DEFAULT_RETRY = RetryPolicy()


class ClientOptions(TypedDict, total=False):
    """The arguments of `PaywintClient` by name, for functions that pass them on.

    With ``def make_client(**options: Unpack[ClientOptions])`` a type checker finds misspelt options.
    """

    api_key: str
    api_secret: str
    environment: Environment | str
    base_url: str | None
    max_concurrency: int
    request_timeout: float
    retry: RetryPolicy
    rate_limit: RateLimit | Limiter | None
    middlewares: Iterable[Middleware]
    attempt_middlewares: Iterable[Middleware]
    on_event: OnEvent | None
    ssl_context: ssl.SSLContext | None
    proxy: str | None
    trust_env: bool
    connector: MakeConnector | None
    connector_owner: bool
    user_agent: str | None
    sent_path: str


class PaywintClient:
    """A client of one account in one environment, with its connections.

    Use it in ``async with``, or call `aclose`. No connection is opened before the first call. One
    client serves any number of tasks of one event loop.

    Args:
        api_key: header ``X-Api-Key``.
        api_secret: header ``X-Api-Secret``; it appears in no error, log or repr.
        environment: the sandbox by default, so that a forgotten argument does not move real money.
        base_url: replaces the environment's URL; https, or http on loopback.
        max_concurrency: the most requests in flight of one listing; 8 hides the latency of most
            networks, and is moderate for a server whose limits are not published.
        request_timeout: seconds for one attempt, from connecting to the last byte; 30 is far more than
            a healthy server needs.
        retry: the limits on retries; by default `RetryPolicy()`.
        rate_limit: a limit of requests per second; none by default, since none is published. A 429 is
            respected in any case. `SharedRateLimit` limits several processes together; any other
            `Limiter` is possible.
        middlewares: called once for each operation, around its retries; the first is outermost.
        attempt_middlewares: called for each attempt.
        on_event: called with each `Event` in the event loop; its exceptions are logged.
        ssl_context: for a private certificate authority; verification cannot be disabled here.
        proxy: URL of a forward proxy, ``http://[user:password@]host:port``; overrides the environment's.
        trust_env: whether ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are used, as by curl;
            ``.netrc`` is never read. Requests to loopback use no proxy.
        connector: a callable that returns a new `aiohttp.BaseConnector`; called on the first use of each
            pool (one for reads, one for writes) of each event loop. It decides the number of
            connections.
        connector_owner: whether the client closes the connectors. False: you close them, and the
            callable may return one that other sessions of the same event loop use. A write still has a
            separate connection, which is closed afterwards.
        user_agent: name of your program, which precedes the SDK's own in ``User-Agent``.
        sent_path: path of the list of sent payments, which is not published; the default is assumed.

    Raises:
        ConfigurationError: an argument is invalid; the message names it.
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
        proxy: str | None = None,
        trust_env: bool = True,
        connector: MakeConnector | None = None,
        connector_owner: bool = True,
        user_agent: str | None = None,
        sent_path: str = SENT_PATH,
    ) -> None:
        credentials, hidden_proxy = _wrap(api_key, api_secret), wrap_proxy(proxy)
        del api_key, api_secret, proxy  # a traceback shows the locals of its frames
        credentials.check()
        seconds = check_request_timeout(request_timeout)
        options = CallOptions(
            retry=check_retry(retry),
            max_concurrency=check_count("max_concurrency", max_concurrency),
        )
        where = check_environment(environment)
        core = Core(
            credentials,
            base_url=where.base_url if base_url is None else base_url,
            request_timeout=seconds,
            rate_limit=rate_limit,
            default_cooldown=options.retry.base_delay,
            middlewares=middlewares,
            attempt_middlewares=attempt_middlewares,
            on_event=on_event,
            ssl_context=ssl_context,
            proxy=hidden_proxy,
            trust_env=trust_env,
            connector=connector,
            connector_owner=connector_owner,
            user_agent=user_agent,
            sent_path=sent_path,
        )
        self._set_up(core, Scope(options), is_view=False)

    def _set_up(self, core: Core, scope: Scope, *, is_view: bool) -> None:
        self._core, self._scope, self._is_view = core, scope, is_view
        self._handler = core.handler(scope)
        at_once = scope.options.max_concurrency
        self._tracker = Tracker(self._handler, at_once, core.wakes)
        self.payments = Payments(
            self._handler, at_once, self._tracker, core.tell, sent_path=core.sent_path
        )
        scope.before_close(_end_of(self.payments, self._tracker))

    @classmethod
    def from_env(cls, **overrides: Unpack[ClientOptions]) -> Self:
        """Creates a client from environment variables; ``overrides`` take precedence.

        The variables are ``PAYWINT_API_KEY``, ``PAYWINT_API_SECRET``, ``PAYWINT_ENVIRONMENT`` (sandbox,
        production) and ``PAYWINT_BASE_URL``; the overrides are the arguments of `PaywintClient`.

        Raises:
            ConfigurationError: a variable is missing or cannot be used; the message names it.
        """
        options = cast("dict[str, Any]", overrides)
        # Before anything can raise: a traceback shows local variables, such as the overrides.
        credentials = Credentials(
            options.pop("api_key", None) or os.environ.get("PAYWINT_API_KEY"),
            options.pop("api_secret", None) or os.environ.get("PAYWINT_API_SECRET"),
        )
        options["proxy"] = wrap_proxy(options.pop("proxy", None))
        if "environment" not in options and (name := os.environ.get("PAYWINT_ENVIRONMENT")):
            options["environment"] = check_environment(name, source="PAYWINT_ENVIRONMENT")
        if "base_url" not in options and (url := os.environ.get("PAYWINT_BASE_URL")):
            options["base_url"] = url
        return cls(credentials, "", **options)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        core: Core | None = getattr(self, "_core", None)  # None: not made yet
        if core is None:
            return "<PaywintClient>"
        return f"<PaywintClient {core.base_url} {'closed' if self._scope.is_closed else 'open'}>"

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
        """Sends a request to any path of the API, for operations that this SDK has no method for.

        It has the same credentials, limits, retries, errors and events as every call (as operation
        ``request``).

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: the path after the base URL, with its query; begins with a slash, percent-encoded.
            json: the body: dicts, lists, strings, whole numbers, `Decimal`, UUID, True, False; a
                float is refused, since it may have lost digits. None: no body.
            repeatable: whether sending it twice does no harm, so that it may be retried. None: GET
                may be repeated; everything else is sent once.

        Returns:
            The decoded JSON; numbers become int or `Decimal` and keep all digits. None for 204.

        Raises:
            InvalidRequestError: an argument cannot be sent; nothing was sent.
            OutcomeUnknownError: a request that is not repeatable may or may not have taken effect;
                ``asked`` has ``method``, ``path`` and ``json``.
            APIError: the API refused, including ``success: false`` with status 200.
            ResponseDecodeError: the answer to a repeatable request is not strict JSON.
            TransportError: no answer to a repeatable request, or no connection.
            ClientClosedError: the client is closed, or was closed during the call (if a request that is
                not repeatable had been sent, OutcomeUnknownError).

        Cancellation: closes the connection, or ends the wait for the next attempt. If a request that is
        not repeatable had been sent, it may have taken effect, and no OutcomeUnknownError says so.
        """
        return await send(self._handler, raw_request(method, path, json, repeatable))

    def with_options(
        self,
        *,
        request_timeout: float | None = None,
        retry: RetryPolicy | None = None,
        max_concurrency: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PaywintClient:
        """Returns a view of this client with other options for its calls; None leaves one unchanged.

        A view shares connections, rate limit, cooldown, retry budget, middlewares and the reports of
        webhooks. It is cheap, and need not be closed: it ends with the client it came from. Closing a
        view ends its own calls with `ClientClosedError`, and nothing else. A view of a view has the
        options of both, and ends with either.

        Args:
            request_timeout: seconds for one attempt, from connecting to the last byte.
            retry: the limits on retries.
            max_concurrency: the most requests in flight of one listing.
            headers: sent with each request; they replace headers of the same name. Values are never
                shown, but your middlewares see them.

        Raises:
            ConfigurationError: an option is invalid, or a header is one that the SDK sets itself, such
                as a credential, ``Authorization``, ``Cookie``, ``Host`` or ``Content-Length``.
        """
        options = self._scope.options.changed(
            request_timeout=request_timeout,
            retry=retry,
            max_concurrency=max_concurrency,
            headers=headers,
        )
        # Not an instance of a subclass, whose own attributes would be missing.
        view = PaywintClient.__new__(PaywintClient)
        view._set_up(self._core, Scope(options, self._scope), is_view=True)
        return view

    def answers(self, *, limit: int = 1000) -> AbstractContextManager[Answers]:
        """Collects the answers to all calls of a block, successful or not::

            with client.answers() as seen:
                link = await client.payments.create_link(5)
            log.info("created %s, request id %s", link.payment_id, seen[-1].request_id)

        It collects the calls in the block, and in the tasks that the block starts, on this client and its
        views (on a view: only its own). Each page of a listing is an answer. A call without an answer
        (`TransportError`), or one that this client did not send, adds none. Calls of other tasks with
        the same client are not collected. Blocks may be nested: the outer one also collects the answers
        of the inner one.

        Args:
            limit: how many answers are kept, the latest ones; ``seen.dropped`` counts the others. An
                answer's headers take about 1 kB.

        Yields:
            the list of `Answer`, in the order in which they came; it does not change after the block.

        Raises:
            InvalidRequestError: ``limit`` is not a whole number, or below 1.
        """
        return collect(self._scope, check_whole("limit", limit, low=1))

    async def aclose(self) -> None:
        """Closes the connections; running calls end with `ClientClosedError`. Idempotent.

        Views of this client are closed, too; closing a view closes no connection. A limiter of your own
        that has an `aclose` is closed with the client.
        """
        try:
            await self._scope.aclose()
        finally:
            if not self._is_view:
                await self._core.aclose()


def _end_of(payments: Payments, tracker: Tracker) -> Callable[[], Awaitable[None]]:
    """Returns a function that ends iterators and waits; it refers to them weakly, to avoid a cycle."""
    iterators, waits = payments._iterators, weakref.ref(tracker)

    async def end() -> None:
        for iterator in list(iterators):
            iterator.close(ClientClosedError("the client is closed; make a new one"))
        if (alive := waits()) is not None:
            await alive.aclose()

    return end


def _wrap(api_key: object, api_secret: object) -> Credentials:
    # `from_env` passes both wrapped already, as a traceback would show the local variables of its frame.
    return api_key if isinstance(api_key, Credentials) else Credentials(api_key, api_secret)
