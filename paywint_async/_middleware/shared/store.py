"""Runs the script on one Redis. The only user of redis; knows nothing of limits.

Needs the extra ``redis``, which is imported only when a store is made.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias
from urllib.parse import urlsplit

from paywint_async._errors import ConfigurationError
from paywint_async._middleware.shared.script import SCRIPT, SCRIPT_SHA

OnConnect: TypeAlias = Callable[[], None]

_PREFIX = "paywint:rate-limit:"
_CODE = re.compile(r"[A-Z]{3,20}\b")


class Secrets:
    """The Redis URL and the name of the limit, which must never be shown.

    Making one never fails, so that no frame that still has them as locals ends in a traceback: call
    `check` afterwards.

    Args:
        redis: a URL, or a client of the caller's.
        name: the limit's; only its hash goes to Redis.
    """

    __slots__ = ("__name", "__redis", "is_url")

    def __init__(self, redis: object, name: object) -> None:
        self.__redis = redis
        self.__name = name
        self.is_url = isinstance(redis, str)

    def __repr__(self) -> str:
        return "Secrets(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a shared rate limit is not pickled or copied; make it where it is used")

    def check(self) -> None:
        """Raises ConfigurationError where no Redis can be reached with them."""
        if not isinstance(self.__name, str) or not self.__name:
            raise ConfigurationError("key must be a text that names the account")
        problem = self._problem()
        if problem:
            raise ConfigurationError(problem)

    @property
    def key(self) -> str:
        """The one key in Redis. Not even an API key could be read back from it."""
        digest = hashlib.sha256(str(self.__name).encode(errors="surrogatepass")).hexdigest()
        return f"{_PREFIX}{{{digest[:32]}}}"

    @property
    def address(self) -> str:
        """Where the Redis is, without user and password."""
        if not self.is_url:
            return type(self.__redis).__name__
        parts = urlsplit(str(self.__redis))
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def connect(self, timeout: float, on_connect: OnConnect) -> Any:
        """A new client, which calls ``on_connect`` for each new connection, or the caller's."""
        if not self.is_url:
            return self.__redis
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client = Redis.from_url(
            str(self.__redis),
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
            retry=Retry(NoBackoff(), 0),  # who asks knows better when to ask again
        )
        pool = client.connection_pool
        pool.connection_class = _reporting(pool.connection_class, on_connect)
        return client

    def _problem(self) -> str | None:
        try:
            from redis.asyncio.connection import parse_url
        except ModuleNotFoundError:
            return "a shared rate limit needs an extra: pip install 'paywint-async[redis]'"
        if not self.is_url:
            runs = inspect.iscoroutinefunction(getattr(self.__redis, "execute_command", None))
            return None if runs else "redis must be a URL or a client of redis.asyncio"
        try:
            parse_url(str(self.__redis))
            urlsplit(str(self.__redis))
        except (ValueError, TypeError):  # whose own words may show the whole of it
            return "redis is no URL such as redis://:password@host:6379/0"
        return None


def _reporting(base: Any, on_connect: OnConnect) -> Any:
    """The class of connections, whose instances call ``on_connect`` once they have connected.

    Not redis-py's ``redis_connect_func``, with which it warns from Python 3.14 on (redis-py 8.1 asks
    `asyncio.iscoroutinefunction` about it).
    """
    has_health_check = hasattr(base, "on_connect_check_health")  # newer redis-py
    name = "on_connect_check_health" if has_health_check else "on_connect"
    shake_hands = getattr(base, name)

    async def report(self: Any, *arguments: Any, **named: Any) -> None:
        on_connect()
        await shake_hands(self, *arguments, **named)

    return type(base.__name__, (base,), {name: report})


class StoreError(Exception):
    """The script was not run, or not to its end. Never leaves this package.

    ``is_lost`` where there was no connection, which may come back any moment.
    """

    def __init__(self, error: Exception, *, is_lost: bool = False) -> None:
        # Words that are ours: a server's own may repeat a password.
        name = type(error).__name__
        code = _CODE.match(str(error)) if name == "ResponseError" else None
        super().__init__(f"{name} {code[0]}" if code else name)
        self.is_lost = is_lost


class RedisStore:
    """Runs the script; connects when it is first asked to, and again after `aclose`.

    ``losses`` counts the connections that ended otherwise than by `aclose`, so far as can be seen:
    those of a client of the caller's cannot.

    Args:
        secrets: where, and by which key.
        timeout: seconds for a connection; how long the script may take is the caller's to say.
    """

    def __init__(self, secrets: Secrets, timeout: float) -> None:
        self._secrets = secrets
        self._timeout = timeout
        self._client: Any = None
        self._is_connected = False
        self.losses = 0

    async def run(self, arguments: Sequence[int]) -> object:
        """What the script answers.

        Raises:
            StoreError: it does not.
        """
        from redis.exceptions import ConnectionError as RedisConnectionError

        if self._client is None:
            self._client = self._secrets.connect(self._timeout, self._connected)
        try:
            return await self._run(arguments)
        except (RedisConnectionError, OSError) as error:
            failure = StoreError(error, is_lost=not isinstance(error, TimeoutError))
        except Exception as error:  # whatever a server's nonsense makes of redis
            failure = StoreError(error)
        raise failure

    async def aclose(self) -> None:
        """Closes the connection, if it was opened here. Idempotent."""
        client, self._client = self._client, None
        self._is_connected = False
        if client is not None and self._secrets.is_url:
            await client.aclose()

    async def _run(self, arguments: Sequence[int]) -> object:
        from redis.exceptions import NoScriptError

        run, key = self._client.execute_command, self._secrets.key
        try:
            return await run("EVALSHA", SCRIPT_SHA, 1, key, *arguments)
        except NoScriptError:  # a new server, or its scripts were flushed
            return await run("EVAL", SCRIPT, 1, key, *arguments)

    def _connected(self) -> None:
        # The pool replaces a connection that was lost between two calls, and says nothing.
        self.losses += self._is_connected
        self._is_connected = True
