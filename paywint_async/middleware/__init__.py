"""Layer 2: what happens to a request on its way out, and to its answer on the way back."""

from paywint_async.middleware.chain import compose
from paywint_async.middleware.rate_limit import Limiter, RateLimiter, Throttle
from paywint_async.middleware.retry import Retry

__all__ = ["Limiter", "RateLimiter", "Retry", "Throttle", "compose"]
