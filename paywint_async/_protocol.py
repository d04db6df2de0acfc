"""The API's protocol without I/O: makes the request of each operation, and reads its answer.

Knows the API's paths and shapes, and which requests are repeatable; does not know how they are sent or
when they are retried. Source of every path, field and bound: the published Payment API, unless a comment
says "assumed".
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from paywint_async import _codec, _errors
from paywint_async._arguments import (
    UUID_TEXT,
    check_amount,
    check_email,
    check_payment_id,
    check_text,
)
from paywint_async._config import SENT_PATH
from paywint_async._errors import APIError, InvalidRequestError, ResponseDecodeError
from paywint_async._messages import Request, Response
from paywint_async._models import CheckoutToken, Direction, Payment, PaymentLink, PaymentPage

T = TypeVar("T")

MAX_DESCRIPTION = 255
MAX_INVOICE_NUMBER = 20
MAX_CHECKOUT_AMOUNT = Decimal(100_000)

_CREATE_LINK = "/api/user-api/payment/create-payment-link"
_GET = "/api/user-api/payment/get/"
_LIST_RECEIVED = "/api/user-api/payment/list/payment-received"
_CHECKOUT_TOKEN = "/api/checkout/token/developer"

_SECONDS = r"[0-9]+(?:\.[0-9]+)?"
_MAX_ERROR_TEXT = 2_000


class Call(msgspec.Struct, Generic[T], frozen=True):
    """One operation: its request, and the function that reads its answer.

    ``asked`` are the caller's arguments, reported by `OutcomeUnknownError`.
    """

    request: Request
    read: Callable[[Response], T]
    asked: Mapping[str, Any] = {}


def create_link(
    amount: Decimal | int, description: str | None, invoice_number: str | None
) -> Call[PaymentLink]:
    """Create Payment Link: a write without an idempotency key, so it must not be repeated."""
    asked = {
        "amount": check_amount(amount),
        "description": check_text("description", description, 0, MAX_DESCRIPTION),
        "invoice_number": check_text("invoice_number", invoice_number, 0, MAX_INVOICE_NUMBER),
    }
    request = _create("create_link", _CREATE_LINK, _codec.encode(asked))
    return Call(request=request, asked=asked, read=_reader(_codec.PaymentLinkEnvelope))


def create_checkout_token(
    amount: Decimal | int,
    email: str | None,
    phone: str | None,
    phone_country_code: str | None,
    currency: str,
) -> Call[CheckoutToken]:
    """Create Checkout Token: for an email, or for a phone with its country code."""
    if (email is None) == (phone is None):
        raise InvalidRequestError("email", "give either an email or a phone number")
    if (phone is None) != (phone_country_code is None):
        raise InvalidRequestError("phone_country_code", "goes with phone, and phone with it")
    asked = {
        "amount": check_amount(amount, at_most=MAX_CHECKOUT_AMOUNT),
        "email": check_email(email),
        "phone": check_text("phone", phone, 5, 20),
        "phone_country_code": check_text("phone_country_code", phone_country_code, 1, 10),
        "currency": check_text("currency", currency, 3, 10),
    }
    sent = {name: value for name, value in asked.items() if value is not None}
    request = _create("create_checkout_token", _CHECKOUT_TOKEN, _codec.encode(sent))
    return Call(request=request, asked=asked, read=_reader(_codec.CheckoutTokenEnvelope))


def get(payment_id: UUID | str) -> Call[Payment]:
    """Get Payment."""
    text = payment_id if type(payment_id) is str else str(check_payment_id(payment_id))
    if not UUID_TEXT.fullmatch(text):
        check_payment_id(text)
    return _get_record("get", _GET, "payment_id", text.lower(), _codec.PaymentEnvelope)


def page_request(
    direction: Direction,
    page_no: int,
    rows: int,
    *,
    is_bounded: bool,
    sent_path: str = SENT_PATH,
) -> Request:
    """List Sent or Received Payments: a POST that only reads, so it may be repeated."""
    return Request(
        operation=direction.value,
        method="POST",
        path=sent_path if direction is Direction.SENT else _LIST_RECEIVED,
        body=b'{"rows_per_page":%d,"page_no":%d}' % (rows, page_no),
        is_bounded=is_bounded,
    )


def read_page(response: Response, page_no: int, rows: int, direction: Direction) -> PaymentPage:
    """Reads a page from an answer.

    Raises:
        ResponseDecodeError: there is none; has direction, page and, if a single record cannot be read,
            its index and id.
    """
    try:
        envelope = _read_envelope(response, _codec.ListEnvelope)
        records, total = _records_of(envelope)
    except ResponseDecodeError as error:
        index, payment_id = _codec.find_record(response.body, error.path)
        problem = ResponseDecodeError(
            error.problem,
            error.path,
            direction=direction.value,
            page_no=page_no,
            index=index,
            payment_id=payment_id,
        )
    else:
        return PaymentPage(
            records=records,
            total_records=total,
            query_generated_time=envelope.query_generated_time,
            page_no=page_no,
            rows_per_page=rows,
        )
    raise problem


def _records_of(envelope: _codec.ListEnvelope) -> tuple[tuple[Payment, ...], int]:
    """The records and the total. Either may be null if the account has no payments."""
    records, total = envelope.records, envelope.total_records
    if not records and not total:
        return (), 0
    if records is None:
        raise ResponseDecodeError("Expected `array`, got `null`", "$.records")
    if total is None:
        raise ResponseDecodeError("Object has records, but no `totalRecords`", "$.totalRecords")
    if total < 0:
        raise ResponseDecodeError("Expected `int` >= 0", "$.totalRecords")
    return records, total


def page(
    direction: Direction, page_no: int, rows_per_page: int, sent_path: str = SENT_PATH
) -> Call[PaymentPage]:
    """List Sent or Received Payments: a single page."""
    request = page_request(direction, page_no, rows_per_page, is_bounded=False, sent_path=sent_path)
    return Call(
        request=request,
        read=lambda response: read_page(response, page_no, rows_per_page, direction),
    )


def _create(operation: str, path: str, body: bytes) -> Request:
    return Request(operation=operation, method="POST", path=path, body=body, repeatable=False)


def _reader(envelope_type: Any) -> Callable[[Response], Any]:
    return lambda response: _read_envelope(response, envelope_type).data


def _get_record(
    operation: str, path: str, field: str, record_id: str, envelope_type: Any
) -> Call[Any]:
    """A GET of one record by its id, a UUID in lower case, which stands last in the path.

    The answer must have this id in ``field``: it could be the answer to another request.
    """
    request = Request(
        operation=operation, method="GET", path=path + record_id, expects=record_id.encode()
    )

    def read_record(response: Response) -> Any:
        record = _read_envelope(response, envelope_type).data
        if str(found := getattr(record, field)) != record_id:
            kind = field.removesuffix("_id")
            problem = f"it is of {kind} {found}, and {record_id} was asked for"
            raise ResponseDecodeError(problem, f"$.data.{field}")
        return record

    return Call(request=request, read=read_record)


def _read_envelope(response: Response, envelope_type: type[T]) -> T:
    """Returns the envelope of a success; raises the error for any other answer."""
    if not 200 <= response.status < 300:
        raise api_error(response)
    try:
        envelope: Any = _codec.decode(response.body, envelope_type)
    except ResponseDecodeError:
        if _refusal(response).success is False:  # a refusal, which need not have data
            raise api_error(response) from None
        raise
    if not envelope.success:
        raise api_error(response)
    records = getattr(envelope, "records", None)
    count = None if records is None else len(records)
    _codec.refuse_ambiguity(response.body, _codec.record_of(envelope_type), count)  # type: ignore[arg-type]
    return envelope  # type: ignore[no-any-return]


def _refusal(response: Response) -> _codec.Refusal:
    try:
        return _codec.decode(response.body, _codec.Refusal)
    except ResponseDecodeError:  # a proxy's page, or nothing at all
        return _codec.Refusal()


def api_error(response: Response) -> APIError:
    """Returns the error for a refusal, by its status. The body may have any shape (assumed)."""
    status, refusal = response.status, _refusal(response)
    text = response.body[: 4 * _MAX_ERROR_TEXT].decode("utf-8", "replace")[:_MAX_ERROR_TEXT]
    problems = _problems(refusal.detail)
    message = _message(refusal, problems) or _no_message(status, text)
    seen: dict[str, Any] = {
        "headers": response.redacted_headers,
        "request_id": response.request_id,
    }
    error: APIError
    if status == 422:
        error = _errors.UnprocessableRequestError(status, message, text, problems=problems, **seen)
    elif status == 429:
        seconds = retry_after_seconds(response)
        error = _errors.RateLimitedError(status, message, text, retry_after=seconds, **seen)
    else:
        error = _error_class(status)(status, message, text, **seen)
    error.attempts = response.attempts
    return error


_BY_STATUS: dict[int, type[APIError]] = {
    401: _errors.AuthenticationError,
    403: _errors.PermissionDeniedError,
    404: _errors.NotFoundError,
}


def _error_class(status: int) -> type[APIError]:
    if 300 <= status < 400:
        return _errors.UnexpectedRedirectError
    if status >= 500:
        return _errors.ServerError
    return _BY_STATUS.get(status, APIError)


def _message(refusal: _codec.Refusal, problems: Mapping[str, str]) -> str:
    if isinstance(refusal.message, str) and refusal.message:
        return refusal.message[:_MAX_ERROR_TEXT]
    if isinstance(refusal.detail, str):
        return refusal.detail[:_MAX_ERROR_TEXT]
    return "; ".join(f"{field}: {problem}" for field, problem in problems.items())


def _no_message(status: int, text: str) -> str:
    if 300 <= status < 400:
        return "a redirect, which is not followed; check base_url"
    return "no message" if not text.strip() else text.strip().splitlines()[0][:200]


def _problems(detail: Any) -> dict[str, str]:
    """Turns FastAPI's list of problems into one text per field; anything else gives none."""
    problems: dict[str, str] = {}
    for item in detail if isinstance(detail, list) else []:
        if isinstance(item, dict):
            location = item.get("loc")
            parts = location if isinstance(location, list) else [location]
            field = ".".join(str(part) for part in parts if part != "body") or "body"
            problems[field] = str(item.get("msg"))
    return problems


def retry_after_seconds(response: Response, now: float | None = None) -> float | None:
    """``Retry-After`` in seconds from ``now`` (Unix time; default: the clock).

    None if it is absent, in the past, negative or invalid: then the caller's own delay applies.
    """
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(_SECONDS, text):
        return min(float(text), sys.float_info.max)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # an HTTP date in asctime format has no zone, and is in UTC
            moment = moment.replace(tzinfo=UTC)
        stamp = moment.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    seconds = stamp - (time.time() if now is None else now)
    return seconds if seconds > 0 else None
