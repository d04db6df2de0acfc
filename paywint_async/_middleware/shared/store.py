"""Runs the script in Redis. The only user of redis; knows nothing of limits.

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


class RedisSecrets:
    """The Redis URL and the name of the limit, which must never be shown.

    The constructor never raises, so that no frame with the secret as a local variable is in a traceback:
    call `check` afterwards.

    Args:
        redis: a URL, or a client of the caller's.
        name: the name of the limit; only its hash is sent to Redis.
    """

    __slots__ = ("__name", "__redis", "is_url")

    def __init__(self, redis: object, name: object) -> None:
        self.__redis = redis
        self.__name = name
        self.is_url = isinstance(redis, str)

    def __repr__(self) -> str:
        return "RedisSecrets(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a shared rate limit is not pickled or copied; make it where it is used")

    def check(self) -> None:
        """Raises ConfigurationError if they cannot be used."""
        if not isinstance(self.__name, str) or not self.__name:
            raise ConfigurationError("key must be a text that names the account")
        problem = self._problem()
        if problem:
            raise ConfigurationError(problem)

    @property
    def key(self) -> str:
        """The only key in Redis; a hash, from which no API key can be recovered."""
        digest = hashlib.sha256(str(self.__name).encode(errors="surrogatepass")).hexdigest()
        return f"{_PREFIX}{{{digest[:32]}}}"

    @property
    def address(self) -> str:
        """The address of the Redis server, without user and password."""
        if not self.is_url:
            return type(self.__redis).__name__
        parts = urlsplit(str(self.__redis))
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def connect(self, timeout: float, on_connect: OnConnect) -> Any:
        """Returns the caller's client, or a new one that calls ``on_connect`` on each connection."""
        if not self.is_url:
            return self.__redis
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client = Redis.from_url(
            str(self.__redis),
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
            retry=Retry(NoBackoff(), 0),  # the caller decides about retries
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
        except (ValueError, TypeError):  # their messages may contain the URL
            return "redis is no URL such as redis://:password@host:6379/0"
        return None


def _reporting(base: Any, on_connect: OnConnect) -> Any:
    """Returns a class of connections that call ``on_connect`` once they have connected.

    It does not use redis-py's ``redis_connect_func``, which causes a warning since Python 3.14 (redis-py
    8.1 calls `asyncio.iscoroutinefunction` on it).
    """
    has_health_check = hasattr(base, "on_connect_check_health")  # newer redis-py
    name = "on_connect_check_health" if has_health_check else "on_connect"
    shake_hands = getattr(base, name)

    async def report(self: Any, *arguments: Any, **named: Any) -> None:
        on_connect()
        await shake_hands(self, *arguments, **named)

    return type(base.__name__, (base,), {name: report})


class StoreError(Exception):
    """The script was not run, or not to its end. Internal to this package.

    ``is_lost`` is True if there was no connection, which may be restored at any moment.
    """

    def __init__(self, error: Exception, *, is_lost: bool = False) -> None:
        # Without the server's message, which may repeat a password.
        name = type(error).__name__
        code = _CODE.match(str(error)) if name == "ResponseError" else None
        super().__init__(f"{name} {code[0]}" if code else name)
        self.is_lost = is_lost


class RedisStore:
    """Runs the script; connects on first use, and again after `aclose`.

    ``losses`` counts the connections that were lost, that is not ended by `aclose`; connections of a
    caller's client are not counted.

    Args:
        secrets: the URL or client of Redis, and the name of the limit.
        timeout: seconds to connect; the caller limits the time of the script.
    """

    def __init__(self, secrets: RedisSecrets, timeout: float) -> None:
        self._secrets = secrets
        self._timeout = timeout
        self._client: Any = None
        self._is_connected = False
        self.losses = 0

    async def run(self, arguments: Sequence[int]) -> object:
        """Runs the script, and returns its reply.

        Raises:
            StoreError: it was not run, or not to its end.
        """
        from redis.exceptions import ConnectionError as RedisConnectionError

        if self._client is None:
            self._client = self._secrets.connect(self._timeout, self._connected)
        try:
            return await self._run(arguments)
        except (RedisConnectionError, OSError) as error:
            failure = StoreError(error, is_lost=not isinstance(error, TimeoutError))
        except Exception as error:  # redis-py may raise any error on an invalid answer
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
        # The pool silently replaces a connection that was lost between two calls.
        self.losses += self._is_connected
        self._is_connected = True
