"""The middlewares between the client and the transport.

From the outermost to the innermost: `Scope`, the caller's middlewares, `Retry`, `SlowStart`, the
transport's turns, `Throttle`, the caller's middlewares for each attempt, `Observe`.
"""

from paywint_async._middleware.answers import Answers, collect
from paywint_async._middleware.budget import RetryBudget
from paywint_async._middleware.chain import compose
from paywint_async._middleware.observe import Observe
from paywint_async._middleware.rate_limit import Limiter, RateLimiter, Throttle
from paywint_async._middleware.retry import Retry
from paywint_async._middleware.scope import Scope
from paywint_async._middleware.slow_start import SlowStart

__all__ = [
    "Answers",
    "Limiter",
    "Observe",
    "RateLimiter",
    "Retry",
    "RetryBudget",
    "Scope",
    "SlowStart",
    "Throttle",
    "collect",
    "compose",
]
