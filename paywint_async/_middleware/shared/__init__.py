"""One rate limit for all processes and hosts of an API key, over Redis.

`SharedRateLimit` is the public limiter. It keeps one `SharedQueue` for each event loop; a queue runs
the Lua script of `script` through a `RedisStore`, and uses a local `Fallback` while Redis is
unavailable.
"""

from paywint_async._middleware.shared.limit import SharedRateLimit

__all__ = ["SharedRateLimit"]
