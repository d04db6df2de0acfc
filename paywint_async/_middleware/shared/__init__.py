"""One rate limit for all processes and hosts of an API key, over Redis.

`SharedRateLimit` is what a client is given; it has a `SharedLine` for each event loop, which asks the
`RedisStore` by the script of `script`, and goes on by a `Fallback` while Redis is away.
"""

from paywint_async._middleware.shared.limit import SharedRateLimit

__all__ = ["SharedRateLimit"]
