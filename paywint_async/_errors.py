"""Every error of the SDK, split by what the caller can do about it. Standard library only.

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
│   └── UnexpectedRedirectError   3xx: never followed, a redirect would carry the secret along
├── ClientClosedError             you closed the client
├── WaitTimeoutError              the payment was not final in time (also a TimeoutError)
├── ResponseDecodeError           the answer is not what the API promises, at ``path``
├── PrecisionError                an amount does not fit the asked form exactly; nothing is rounded
├── WebhookError                  a delivery is refused: answer 4xx, and do nothing because of it
│   ├── WebhookSignatureError     it is not proved who sent it
│   ├── WebhookTimestampError     too old or too far ahead: a replay, or a clock is wrong
│   └── WebhookDecodeError        it is not what Paywint sends, at ``path``
├── OutcomeUnknownError           a create may or may not have happened: look before repeating it
└── IncompleteHistoryError        a listing cannot be proved complete; it says what is in doubt

Messages say what failed, the value seen (never a secret) and the next step; data are attributes, so
that nobody parses messages. Every error pickles, whatever its constructor looks like.
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


# Answers that another attempt may not meet; other 5xx too, save those of `_LASTING`.
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_LASTING = frozenset({501, 505})  # not implemented; HTTP version not supported


def is_transient_status(status: int) -> bool:
    """Whether the same request, made again later, may be answered otherwise."""
    return status in _TRANSIENT_STATUSES or (status >= 500 and status not in _LASTING)


class PaywintError(Exception):
    """Anything that goes wrong in this package, and nothing else.

    ``is_transient`` tells whether the same call, made again later, may succeed. ``attempts`` counts the
    requests that were made for the call, 0 where it ended before the first one.
    """

    is_transient: bool = False
    attempts: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class ConfigurationError(PaywintError):
    """The client cannot be made as asked: credentials, environment, URL or policy."""


class InvalidRequestError(PaywintError):
    """An argument was refused before anything was sent.

    ``field`` is the argument's name, as in the signature.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class TransportError(PaywintError):
    """No usable answer arrived: connection refused, lost, or cut within the body.

    ``sent`` is False only where it is certain that the API never saw the request; ``is_transient``
    where another attempt cannot help, such as with a certificate that is not trusted.
    """

    def __init__(self, message: str, *, sent: bool = True, is_transient: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        self.is_transient = is_transient


class RequestTimeoutError(TransportError, TimeoutError):
    """One attempt took longer than ``request_timeout``, or the operation longer than its budget."""


class APIError(PaywintError):
    """The API answered with a refusal.

    ``status`` is the HTTP status (200 where the body said ``success: false``), ``message`` the API's
    own words, ``body`` the answer's text (at most 2,000 characters), ``headers`` the answer's, their
    names in lower case and without values that are secret. ``request_id`` names the request in the
    API's logs, where the answer has one: quote it when you ask for support.
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
    """403: the credentials are known, but may not do this."""


class NotFoundError(APIError):
    """404: no such payment, or not visible to this account."""


class UnprocessableRequestError(APIError):
    """422: the API refused a value. ``problems`` maps each field to what was said of it."""

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
    """429, after the retries, or at once where waiting would exceed the operation's budget.

    ``retry_after`` is in seconds; None where the API did not say. ``is_local`` is True where this
    client held the call back itself, by its own limit or in the cooldown after a 429, and sent nothing.
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
    """3xx: refused, since following it would carry the credentials to another address."""


class ClientClosedError(PaywintError):
    """The client was closed by its owner, before or (then ``sent`` is True) during this call."""

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class WaitTimeoutError(PaywintError, TimeoutError):
    """The payment did not become final in time. ``payment`` is how it was last seen, or None."""

    is_transient = True

    def __init__(self, message: str, *, payment_id: UUID, payment: Any = None) -> None:
        super().__init__(message)
        self.payment_id = payment_id
        self.payment = payment


class ResponseDecodeError(PaywintError):
    """An answer is not what the API promises.

    ``path`` leads to the problem (``$.records[3].amount``), ``problem`` says what it is. Of a list also
    ``direction`` and ``page_no``, of a record in it ``index`` (from 0), and where it can be read,
    ``payment_id``; None where that is not known. ``request_id`` names the request in the API's logs,
    where the answer has one.
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
    """An amount has more digits than the asked form keeps. It is never rounded: ask for another."""


class WebhookError(PaywintError):
    """A webhook's delivery is refused. Answer 4xx, and do nothing because of what it says."""


class WebhookSignatureError(WebhookError):
    """The verifier does not believe that the delivery came from whom it says."""


class WebhookTimestampError(WebhookError):
    """The delivery is of ``sent_at``, and more than ``tolerance`` seconds from now."""

    def __init__(self, message: str, *, sent_at: datetime, tolerance: float) -> None:
        super().__init__(message)
        self.sent_at = sent_at
        self.tolerance = tolerance


class WebhookDecodeError(WebhookError):
    """A delivery is not what Paywint sends. ``path`` leads to the problem: ``$.data.amount``."""

    def __init__(self, problem: str, path: str = "$") -> None:
        super().__init__(f"the webhook cannot be read: {problem} @ {path}")
        self.problem = problem
        self.path = path


class OutcomeUnknownError(PaywintError):
    """A create was sent once and its effect is unknown: it may or may not have happened.

    Do not repeat it blindly. ``asked`` holds what was asked for (amount, description, …), also as
    attributes where the operation has them; between ``started_at`` and ``ended_at`` (the local
    clock, UTC) it was under way; ``reason`` is the error that left it open, ``request_id`` that of
    its answer. ``candidates`` are the payments that may be its effect, where `Payments.find_created`
    has found several.
    """

    def __init__(
        self,
        operation: str,
        reason: PaywintError,
        *,
        asked: Mapping[str, Any],
        started_at: datetime,
        ended_at: datetime,
    ) -> None:
        super().__init__(
            f"{operation} may or may not have happened ({reason}); look for it before repeating it"
        )
        self.operation = operation
        self.reason = reason
        self.attempts = reason.attempts
        self.request_id: str | None = getattr(reason, "request_id", None)
        self.asked: dict[str, Any] = dict(asked)
        self.amount: Decimal | None = self.asked.get("amount")
        self.description: str | None = self.asked.get("description")
        self.invoice_number: str | None = self.asked.get("invoice_number")
        self.started_at = started_at
        self.ended_at = ended_at
        self.candidates: tuple[Any, ...] = ()

    def with_candidates(self, candidates: Iterable[Any]) -> OutcomeUnknownError:
        """The same doubt, narrowed to these payments."""
        error = copy.copy(self)
        error.candidates = tuple(candidates)
        return error


class IncompleteHistoryError(PaywintError):
    """A listing cannot be proved to hold each payment exactly once.

    ``delivered`` counts the records handed over, ``missing`` those of the snapshot that were not
    (None where that is unknown), ``ranks`` is the doubtful span as (highest, lowest), counted from
    the oldest payment, and ``checkpoint`` is where the listing stood. Where that is finished, it
    continues with newer payments alone: what is missing comes only where the list is read again
    without it.
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


def copy_of(error: Exception) -> Exception:
    """A copy without traceback and cause, to be kept, or to be raised a second time.

    An exception that is kept keeps the frames of its traceback, and all in there.
    """
    try:
        return copy.copy(error)
    except Exception:  # of a caller's middleware, whose constructor wants something else
        return error
