"""paywint_async: an asyncio-native SDK for the Paywint payment API.

Start with `PaywintClient`; every public name is here, but for those of
`paywint_async.emulator` and `paywint_async.webhooks`.
"""

from typing import TYPE_CHECKING

from paywint_async._client import PaywintClient
from paywint_async._codec import make_converter, to_json_lines
from paywint_async._config import Environment, RateLimit, RetryPolicy
from paywint_async._errors import (
    APIError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    IncompleteHistoryError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PaywintError,
    PermissionDeniedError,
    PrecisionError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServerError,
    TransportError,
    UnexpectedRedirectError,
    UnprocessableRequestError,
    WaitTimeoutError,
    WebhookDecodeError,
    WebhookError,
    WebhookSignatureError,
    WebhookTimestampError,
)
from paywint_async._events import (
    CheckpointEvent,
    CooldownEvent,
    Event,
    PageEvent,
    RequestEvent,
    RetryEvent,
)
from paywint_async._lazy import importer
from paywint_async._messages import Handler, Middleware, Request, Response
from paywint_async._middleware import Limiter
from paywint_async._models import (
    CheckoutToken,
    Direction,
    HistoryEntry,
    Payment,
    PaymentLink,
    PaymentMethod,
    PaymentPage,
    PaymentStatus,
    WebhookEventName,
)
from paywint_async._pagination.listing import PaymentListing
from paywint_async._pagination.merge import HistoryListing
from paywint_async._payments import Payments
from paywint_async._tracking import PaymentWatch

# What few programs need is imported when it is first asked for: the others do not pay for it.
if TYPE_CHECKING:
    from paywint_async._accounts.account import Account, SecretRef
    from paywint_async._accounts.fan_out import export_accounts
    from paywint_async._accounts.report import AccountReport, AccountStatus, ExportSummary
    from paywint_async._arrow import entries_to_arrow, payments_to_arrow
    from paywint_async._middleware.shared import SharedRateLimit
    from paywint_async._middleware.tracing import tracing
    from paywint_async._pagination.ranges import ListingRange
else:
    __getattr__ = importer(
        __name__,
        {
            "Account": "_accounts.account",
            "AccountReport": "_accounts.report",
            "AccountStatus": "_accounts.report",
            "ExportSummary": "_accounts.report",
            "ListingRange": "_pagination.ranges",
            "SecretRef": "_accounts.account",
            "SharedRateLimit": "_middleware.shared",
            "entries_to_arrow": "_arrow",
            "export_accounts": "_accounts.fan_out",
            "payments_to_arrow": "_arrow",
            "tracing": "_middleware.tracing",
        },
    )

__all__ = [
    "APIError",
    "Account",
    "AccountReport",
    "AccountStatus",
    "AuthenticationError",
    "CheckoutToken",
    "CheckpointEvent",
    "ClientClosedError",
    "ConfigurationError",
    "CooldownEvent",
    "Direction",
    "Environment",
    "Event",
    "ExportSummary",
    "Handler",
    "HistoryEntry",
    "HistoryListing",
    "IncompleteHistoryError",
    "InvalidRequestError",
    "Limiter",
    "ListingRange",
    "Middleware",
    "NotFoundError",
    "OutcomeUnknownError",
    "PageEvent",
    "Payment",
    "PaymentLink",
    "PaymentListing",
    "PaymentMethod",
    "PaymentPage",
    "PaymentStatus",
    "PaymentWatch",
    "Payments",
    "PaywintClient",
    "PaywintError",
    "PermissionDeniedError",
    "PrecisionError",
    "RateLimit",
    "RateLimitedError",
    "Request",
    "RequestEvent",
    "RequestTimeoutError",
    "Response",
    "ResponseDecodeError",
    "RetryEvent",
    "RetryPolicy",
    "SecretRef",
    "ServerError",
    "SharedRateLimit",
    "TransportError",
    "UnexpectedRedirectError",
    "UnprocessableRequestError",
    "WaitTimeoutError",
    "WebhookDecodeError",
    "WebhookError",
    "WebhookEventName",
    "WebhookSignatureError",
    "WebhookTimestampError",
    "entries_to_arrow",
    "export_accounts",
    "make_converter",
    "payments_to_arrow",
    "to_json_lines",
    "tracing",
]
