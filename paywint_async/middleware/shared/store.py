"""Layer 2: one Redis, asked by script. The only user of redis; knows no limit.

Needs the extra ``redis``, which is imported only when a store is made.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from paywint_async.errors import ConfigurationError
from paywint_async.middleware.shared.script import SCRIPT, SCRIPT_SHA

_PREFIX = "paywint:rate-limit:"
_CODE = re.compile(r"[A-Z]{3,20}\b")


class Secrets:
    """What is told of a Redis and must not be shown: its URL, and whose limit it is.

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

    def connect(self, timeout: float) -> Any:
        """A new client, or the caller's."""
        if not self.is_url:
            return self.__redis
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        # A connection that was idle while Redis was restarted is noticed by its first use only.
        again = Retry(NoBackoff(), 1)
        return Redis.from_url(
            str(self.__redis),
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
            retry=again,
            max_connections=1,
        )

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


class RedisStore:
    """Runs the script; connects when it is first asked to, and again after `aclose`.

    Args:
        secrets: where, and by which key.
        timeout: seconds for a connection; how long the script may take is the caller's to say.
    """

    def __init__(self, secrets: Secrets, timeout: float) -> None:
        self._secrets = secrets
        self._timeout = timeout
        self._client: Any = None

    async def run(self, arguments: Sequence[int]) -> object:
        """What the script answers. Raises whatever redis raises, whose text may show anything."""
        from redis.exceptions import NoScriptError

        if self._client is None:
            self._client = self._secrets.connect(self._timeout)
        run, key = self._client.execute_command, self._secrets.key
        try:
            return await run("EVALSHA", SCRIPT_SHA, 1, key, *arguments)
        except NoScriptError:  # a new server, or its scripts were flushed
            return await run("EVAL", SCRIPT, 1, key, *arguments)

    async def aclose(self) -> None:
        """Closes the connection, if it was opened here. Idempotent."""
        client, self._client = self._client, None
        if client is not None and self._secrets.is_url:
            await client.aclose()


def reason(error: Exception) -> str:
    """What went wrong, in words that are ours: a server's own may repeat a password."""
    name = type(error).__name__
    code = _CODE.match(str(error)) if name == "ResponseError" else None
    return f"{name} {code[0]}" if code else name
