"""paywint_async: an asyncio-native SDK for the Paywint payment API.

Start with `PaywintClient`. Every public name is here, except those of the modules `emulator`, `export`,
`pytest_plugin`, `reconcile` and `webhooks`.
"""

from paywint_async._lazy import importer

TYPE_CHECKING = False  # `typing` itself takes longer to import than all of this

# Each name is imported on first use, so that a program imports only what it uses.
if TYPE_CHECKING:
    from paywint_async._accounts.account import Account, SecretRef
    from paywint_async._accounts.fan_out import export_accounts
    from paywint_async._accounts.report import AccountReport, AccountStatus, ExportSummary
    from paywint_async._arrow import entries_to_arrow, payments_to_arrow
    from paywint_async._client import ClientOptions, PaywintClient
    from paywint_async._codec import make_converter
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
        DisorderEvent,
        Event,
        PageEvent,
        RequestEvent,
        RetryEvent,
    )
    from paywint_async._json_lines import to_json_lines
    from paywint_async._messages import Handler, Middleware, Request, Response
    from paywint_async._middleware import Limiter
    from paywint_async._middleware.answer import Answer
    from paywint_async._middleware.answers import Answers
    from paywint_async._middleware.shared import SharedRateLimit
    from paywint_async._middleware.tracing import tracing
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
    from paywint_async._pagination.ranges import ListingRange
    from paywint_async._payments import Payments
    from paywint_async._tracking import PaymentWatch
    from paywint_async.webhooks._redirect import Redirect, parse_redirect
else:
    __getattr__, __dir__ = importer(
        __name__,
        packages=("emulator", "export", "reconcile", "webhooks"),
        modules={
            "_accounts.account": ("Account", "SecretRef"),
            "_accounts.fan_out": ("export_accounts",),
            "_accounts.report": ("AccountReport", "AccountStatus", "ExportSummary"),
            "_arrow": ("entries_to_arrow", "payments_to_arrow"),
            "_client": ("ClientOptions", "PaywintClient"),
            "_codec": ("make_converter",),
            "_config": ("Environment", "RateLimit", "RetryPolicy"),
            "_errors": (
                "APIError",
                "AuthenticationError",
                "ClientClosedError",
                "ConfigurationError",
                "IncompleteHistoryError",
                "InvalidRequestError",
                "NotFoundError",
                "OutcomeUnknownError",
                "PaywintError",
                "PermissionDeniedError",
                "PrecisionError",
                "RateLimitedError",
                "RequestTimeoutError",
                "ResponseDecodeError",
                "ServerError",
                "TransportError",
                "UnexpectedRedirectError",
                "UnprocessableRequestError",
                "WaitTimeoutError",
                "WebhookDecodeError",
                "WebhookError",
                "WebhookSignatureError",
                "WebhookTimestampError",
            ),
            "_events": (
                "CheckpointEvent",
                "CooldownEvent",
                "DisorderEvent",
                "Event",
                "PageEvent",
                "RequestEvent",
                "RetryEvent",
            ),
            "_json_lines": ("to_json_lines",),
            "_messages": ("Handler", "Middleware", "Request", "Response"),
            "_middleware": ("Limiter",),
            "_middleware.answer": ("Answer",),
            "_middleware.answers": ("Answers",),
            "_middleware.shared": ("SharedRateLimit",),
            "_middleware.tracing": ("tracing",),
            "_models": (
                "CheckoutToken",
                "Direction",
                "HistoryEntry",
                "Payment",
                "PaymentLink",
                "PaymentMethod",
                "PaymentPage",
                "PaymentStatus",
                "WebhookEventName",
            ),
            "_pagination.listing": ("PaymentListing",),
            "_pagination.merge": ("HistoryListing",),
            "_pagination.ranges": ("ListingRange",),
            "_payments": ("Payments",),
            "_tracking": ("PaymentWatch",),
            "webhooks._redirect": ("Redirect", "parse_redirect"),
        },
    )

__all__ = [
    "APIError",
    "Account",
    "AccountReport",
    "AccountStatus",
    "Answer",
    "Answers",
    "AuthenticationError",
    "CheckoutToken",
    "CheckpointEvent",
    "ClientClosedError",
    "ClientOptions",
    "ConfigurationError",
    "CooldownEvent",
    "Direction",
    "DisorderEvent",
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
    "Redirect",
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
    "parse_redirect",
    "payments_to_arrow",
    "to_json_lines",
    "tracing",
]
