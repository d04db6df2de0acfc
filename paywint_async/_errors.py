"""Every error of the SDK, divided by what the caller can do about it. Standard library only.

PaywintError
├── ConfigurationError            fix how the client is made
├── InvalidRequestError           fix the argument named in ``field``; nothing was sent
├── TransportError                no answer arrived; reads have already been retried
│   └── RequestTimeoutError       … because it took too long (also a TimeoutError)
├── APIError                      the API answered, and refused
│   ├── AuthenticationError       401
│   ├── PermissionDeniedError     403
│   ├── NotFoundError             404
│   ├── UnprocessableRequestError 422, with one problem per field
│   ├── RateLimitedError          429, with ``retry_after``
│   ├── ServerError               5xx
│   └── UnexpectedRedirectError   3xx: never followed, as the credentials would be sent along
├── ClientClosedError             you closed the client
├── WaitTimeoutError              the payment was not final in time (also a TimeoutError)
├── ResponseDecodeError           the answer is not what the API promises, at ``path``
├── PrecisionError                an amount does not fit the requested type exactly; nothing is rounded
├── WebhookError                  a delivery is refused: answer 4xx, and do nothing because of it
│   ├── WebhookSignatureError     the sender is not proved
│   ├── WebhookTimestampError     too old or too far ahead: a replay, or a clock is wrong
│   └── WebhookDecodeError        it is not what Paywint sends, at ``path``
├── OutcomeUnknownError           a create may or may not have happened: look before repeating it
└── IncompleteHistoryError        a listing cannot be proved complete; it says what is in doubt

Messages say what failed, the value seen (never a secret) and the next step; data are attributes, so
that nobody parses messages. Every error can be pickled, whatever its constructor looks like.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


def _rebuild(cls: type[PaywintError], args: tuple[Any, ...], state: dict[str, Any]) -> PaywintError:
    error = cls.__new__(cls, *args)
    error.args = args  # OSError, which a TimeoutError is, leaves that to `__init__`
    error.__dict__.update(state)
    return error


# Another attempt may succeed after these, and after 5xx except `_LASTING`.
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_LASTING = frozenset({501, 505})  # not implemented; HTTP version not supported


def is_transient_status(status: int) -> bool:
    """Whether the same request may succeed if it is sent again later."""
    return status in _TRANSIENT_STATUSES or (status >= 500 and status not in _LASTING)


class PaywintError(Exception):
    """Base class of all errors of this package.

    ``is_transient`` is True if the same call, made again later, may succeed. ``attempts`` is the number
    of requests that were sent for the call, 0 if it failed before the first one.
    """

    is_transient: bool = False
    attempts: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class ConfigurationError(PaywintError):
    """The client cannot be created: credentials, environment, URL or another option is invalid."""


class InvalidRequestError(PaywintError):
    """An argument was refused before anything was sent.

    ``field`` is the argument's name, as in the signature.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class TransportError(PaywintError):
    """No usable answer arrived: connection refused, lost, or cut within the body.

    ``sent`` is False only if it is certain that the API never saw the request; ``is_transient`` is False
    if another attempt cannot help, such as with a certificate that is not trusted.
    """

    def __init__(self, message: str, *, sent: bool = True, is_transient: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        self.is_transient = is_transient


class RequestTimeoutError(TransportError, TimeoutError):
    """One attempt took longer than ``request_timeout``, or the operation longer than its time limit."""


class APIError(PaywintError):
    """The API answered with a refusal.

    ``status`` is the HTTP status (200 if the body said ``success: false``), ``message`` the API's own
    words, ``body`` the answer's text (at most 2,000 characters), ``headers`` the answer's headers, with
    names in lower case and without secret values. ``request_id`` identifies the request in the API's
    logs (None if the answer has no id): quote it when you ask for support.
    """

    def __init__(
        self,
        status: int,
        message: str,
        body: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> None:
        named = "" if request_id is None else f" (request id {request_id})"
        super().__init__(f"the API answered {status}: {message}{named}")
        self.status = status
        self.message = message
        self.body = body
        self.headers: dict[str, str] = dict(headers or {})
        self.request_id = request_id
        self.is_transient = is_transient_status(status)


class AuthenticationError(APIError):
    """401: the API does not know these credentials. Check key, secret and environment."""


class PermissionDeniedError(APIError):
    """403: the credentials are valid, but not allowed to do this."""


class NotFoundError(APIError):
    """404: no such payment, or not visible to this account."""


class UnprocessableRequestError(APIError):
    """422: the API refused a value. ``problems`` maps each field to the API's message about it."""

    def __init__(
        self,
        status: int,
        message: str,
        body: str = "",
        *,
        problems: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(status, message, body, headers=headers, request_id=request_id)
        self.problems: dict[str, str] = dict(problems or {})


class RateLimitedError(APIError):
    """429, after the retries, or at once if the wait would exceed the operation's time limit.

    ``retry_after`` is in seconds; None if the API did not say. ``is_local`` is True if this client sent
    nothing, because of its own limit or of the cooldown after a 429.
    """

    def __init__(
        self,
        status: int,
        message: str,
        body: str = "",
        *,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        is_local: bool = False,
    ) -> None:
        super().__init__(status, message, body, headers=headers, request_id=request_id)
        if is_local:
            self.args = (f"not sent, held back by this client: {message}",)
        self.retry_after = retry_after
        self.is_local = is_local


class ServerError(APIError):
    """5xx, after the retries."""


class UnexpectedRedirectError(APIError):
    """3xx: refused, since following it would send the credentials to another address."""


class ClientClosedError(PaywintError):
    """The owner closed the client; ``sent`` is True if a request of this call may have been sent."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class WaitTimeoutError(PaywintError, TimeoutError):
    """The payment did not become final in time. ``payment`` is its last known state, or None."""

    is_transient = True

    def __init__(self, message: str, *, payment_id: UUID, payment: Any = None) -> None:
        super().__init__(message)
        self.payment_id = payment_id
        self.payment = payment


class ResponseDecodeError(PaywintError):
    """An answer is not what the API promises.

    ``path`` is the place of the problem (``$.records[3].amount``), ``problem`` describes it. For a list
    there are ``direction`` and ``page_no``, for a record in it ``index`` (from 0) and ``payment_id``;
    each is None if it is not known. ``request_id`` identifies the request in the API's logs; None if
    the answer has no id.
    """

    request_id: str | None = None

    def __init__(
        self,
        problem: str,
        path: str = "$",
        *,
        direction: str | None = None,
        page_no: int | None = None,
        index: int | None = None,
        payment_id: str | None = None,
    ) -> None:
        where = [
            f"{direction} payments, page {page_no}" if direction is not None else "",
            f"record {index} of the page" if index is not None else "",
            f"payment {payment_id}" if payment_id is not None else "",
        ]
        place = ", ".join(filter(None, where))
        shown = f" ({place})" if place else ""
        super().__init__(f"the API's answer cannot be read: {problem} @ {path}{shown}")
        self.problem = problem
        self.path = path
        self.direction = direction
        self.page_no = page_no
        self.index = index
        self.payment_id = payment_id


class PrecisionError(PaywintError):
    """An amount has more digits than the requested type holds. It is never rounded: use another type."""


class WebhookError(PaywintError):
    """A webhook delivery is refused. Answer 4xx, and do not act on its content."""


class WebhookSignatureError(WebhookError):
    """The verifier could not prove that Paywint sent the delivery."""


class WebhookTimestampError(WebhookError):
    """The delivery was sent at ``sent_at``, more than ``tolerance`` seconds before or after now."""

    def __init__(self, message: str, *, sent_at: datetime, tolerance: float) -> None:
        super().__init__(message)
        self.sent_at = sent_at
        self.tolerance = tolerance


class WebhookDecodeError(WebhookError):
    """A delivery is not what Paywint sends. ``path`` is the place of the problem: ``$.data.amount``."""

    def __init__(self, problem: str, path: str = "$") -> None:
        super().__init__(f"the webhook cannot be read: {problem} @ {path}")
        self.problem = problem
        self.path = path


class OutcomeUnknownError(PaywintError):
    """A create was sent, and its outcome is unknown: it may or may not have taken effect.

    Do not repeat it blindly. ``asked`` holds its arguments (amount, description, …), which are also
    attributes if the operation has them; it was in progress from ``started_at`` to ``ended_at`` (UTC, by
    the local clock). ``reason`` is the error after which the outcome is unknown: a `PaywintError`, or the
    exception of a middleware (which is pickled as a `PaywintError`); ``request_id`` is that of its
    answer. ``candidates`` are the payments that it may have made, if `Payments.find_created` cannot tell
    which one it is, or whether it is one at all.
    """

    def __init__(
        self,
        operation: str,
        reason: Exception,
        *,
        asked: Mapping[str, Any],
        started_at: datetime,
        ended_at: datetime,
    ) -> None:
        words = str(reason) if isinstance(reason, PaywintError) else repr(reason)
        super().__init__(
            f"{operation} may or may not have happened ({words}); look for it before repeating it"
        )
        self.operation = operation
        self.reason = reason
        self.attempts: int = getattr(reason, "attempts", 1)
        self.request_id: str | None = getattr(reason, "request_id", None)
        self.asked: dict[str, Any] = dict(asked)
        self.amount: Decimal | None = self.asked.get("amount")
        self.description: str | None = self.asked.get("description")
        self.invoice_number: str | None = self.asked.get("invoice_number")
        self.started_at = started_at
        self.ended_at = ended_at
        self.candidates: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception of a middleware may not be importable where it is unpickled.
        is_ours = isinstance(self.reason, PaywintError)
        reason = self.reason if is_ours else PaywintError(repr(self.reason))
        return _rebuild, (type(self), self.args, {**self.__dict__, "reason": reason})

    def __copy__(self) -> OutcomeUnknownError:
        error = type(self).__new__(type(self), *self.args)
        error.__dict__.update(self.__dict__)
        return error

    def with_candidates(self, candidates: Iterable[Any]) -> OutcomeUnknownError:
        """A copy of the error with these candidates."""
        error = copy.copy(self)
        error.candidates = tuple(candidates)
        return error


class IncompleteHistoryError(PaywintError):
    """A listing cannot be proved to hold each payment exactly once.

    ``delivered`` is the number of payments delivered, ``missing`` of those of the snapshot that were not
    (None if unknown), ``ranks`` is the doubtful part as (highest, lowest), counted from the oldest
    payment, and ``checkpoint`` is the position of the listing. A finished checkpoint continues only with
    newer payments: to get the missing ones, read the list again without it.
    """

    def __init__(
        self,
        message: str,
        *,
        delivered: int = 0,
        missing: int | None = None,
        ranks: tuple[int, int] | None = None,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.delivered = delivered
        self.missing = missing
        self.ranks = ranks
        self.checkpoint = dict(checkpoint) if checkpoint is not None else None


def is_refusal(status: int) -> bool:
    """Whether the API certainly did not process a request that it answers with this status."""
    return 300 <= status < 500 and status != 408


def copy_of(error: Exception) -> Exception:
    """Returns a copy without traceback and cause, to be stored or raised again.

    A stored exception would keep the frames of its traceback, with all their objects, alive.
    """
    try:
        return copy.copy(error)
    except Exception:  # an error class of a caller's, whose constructor takes other arguments
        return error
