"""Writes the JSON of all responses, by templates.

It does not use a JSON encoder for amounts, which keeps their digits, and shares no code with the SDK's
codec.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from json import JSONEncoder
from typing import Literal

from paywint_async.emulator._payment import EmulatedPayment

EmptyRecords = Literal["list", "null"]
EmptyTotal = Literal["zero", "null", "absent"]
AmountUnit = Literal["cents", "dollars", "text"]
RefundEvent = Literal["payment.refunded", "payment.refund"]
RefundedStatus = Literal["success", "refunded"]

_UNIX = datetime(1970, 1, 1)
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def instant(unix_us: int) -> str:
    """A time in the API's format: UTC, six decimals, `Z`."""
    return f"{(_UNIX + timedelta(microseconds=unix_us)).isoformat(timespec='microseconds')}Z"


def payment_row(payment: EmulatedPayment) -> bytes:
    """A payment as a JSON object, with the fields in the order of the published table."""
    paid_us = payment.payment_date_us
    return (
        f'{{"payment_id":"{payment.payment_id}"'
        f',"payer_id":{_text(payment.payer_id)}'
        f',"payer_name":{_text(payment.payer_name)}'
        f',"payee_id":{_text(payment.payee_id)}'
        f',"payee_name":{_text(payment.payee_name)}'
        f',"amount":{payment.amount}'
        ',"currency":"USD"'
        f',"description":{_text(payment.description)}'
        f',"payment_method":{_text(payment.payment_method)}'
        f',"receiving_method":{_text(payment.receiving_method)}'
        f',"created_at":"{instant(payment.created_at_us)}"'
        f',"payment_date":{_text(None if paid_us is None else instant(paid_us))}'
        f',"status":"{payment.status}"'
        f',"failure_reason":{_text(payment.failure_reason)}}}'
    ).encode()


def with_platform_fields(payment: EmulatedPayment) -> bytes:
    """A payment with the additional fields of Paywint's documentation for platforms."""
    more = (
        f',"processing_fee":0.3,"delivery_fee":0,"invoice_no":{_text(payment.invoice_number)}'
        f',"transaction_id":"{_transaction_id(payment)}","card_id":null,"bank_id":null}}'
    )
    return payment_row(payment)[:-1] + more.encode()


def payment_list(
    rows: Sequence[bytes],
    total: int,
    now_us: int,
    *,
    empty_records: EmptyRecords = "list",
    empty_total: EmptyTotal = "zero",
) -> bytes:
    """A page of a listing, in the list envelope.

    Args:
        rows: Its payments as JSON.
        total: The number of all payments.
        now_us: The time of the response, in Unix microseconds.
        empty_records: The value of `records` without payments.
        empty_total: The value of `totalRecords` for 0.
    """
    has_null = empty_records == "null" and not rows
    records = b"null" if has_null else b"[" + b",".join(rows) + b"]"
    totals = {"zero": b',"totalRecords":0', "null": b',"totalRecords":null', "absent": b""}
    return (
        b'{"success":true,"status_code":200,"message":"Payments retrieved","records":'
        + records
        + (b',"totalRecords":%d' % total if total else totals[empty_total])
        + b',"queryGeneratedTime":%s}' % _seconds(now_us)
    )


def envelope(data: bytes, message: str, now_us: int) -> bytes:
    """A response with one object in the envelope."""
    head = f'{{"success":true,"message":{_text(message)},"data":'.encode()
    return head + data + b',"queryGeneratedTime":%s}' % _seconds(now_us)


def payment_link(payment_id: str, link: str) -> bytes:
    """The data of Create Payment Link."""
    return f'{{"payment_id":"{payment_id}","payment_link":{_text(link)}}}'.encode()


def checkout_token(token: str, expires_at_us: int) -> bytes:
    """The data of the checkout token operation."""
    return f'{{"checkout_token":"{token}","expires_at":"{instant(expires_at_us)}"}}'.encode()


def event(
    name: str,
    delivery_id: str,
    payment: EmulatedPayment,
    *,
    generated_us: int,
    retry_payment_id: str | None,
    unit: AmountUnit,
    has_more: bool = False,
) -> bytes:
    """The body of a webhook.

    Args:
        name: The event's.
        delivery_id: Its id.
        payment: The payment at the time of the event.
        generated_us: The time of the event, in Unix microseconds.
        retry_payment_id: The payment that replaces this one, for `payment.retried`.
        unit: Of the amount: Paywint's pages show cents, dollars, and dollars as text.
        has_more: Whether the data has fields that are not published for developers.
    """
    more = ""
    if payment.status == "failed":
        more = f',"failed_reason":{_text(payment.failure_reason)}'
    elif retry_payment_id is not None:
        more = f',"retry_payment_id":"{retry_payment_id}"'
    if unit == "text":
        more += ',"currency":"USD"'
    if has_more:
        more += f',"transaction_id":"{_transaction_id(payment)}","processing_fee":0.3'
    return (
        f'{{"event":"{name}","id":"{delivery_id}","data":{{"payment_id":"{payment.payment_id}"'
        f',"status":"{payment.status}","amount":{amount_text(payment.amount, unit)}{more}}}'
        f',"eventGeneratedTime":{_seconds(generated_us).decode()}}}'
    ).encode()


def refund_event(
    name: str, payment_id: str, *, status: str, amount: str, refund_id: str, generated_us: int
) -> bytes:
    """The body of a webhook about a refund, whose id is the payment's.

    Args:
        name: The event's.
        payment_id: The payment's.
        status: "completed" for a payment, "success" for a fee.
        amount: The result of `amount_text`.
        refund_id: The `refund_transaction_id`.
        generated_us: When the event was made, in Unix microseconds.
    """
    return (
        f'{{"event":"{name}","id":"{payment_id}","data":{{"payment_id":"{payment_id}"'
        f',"status":"{status}","amount":{amount},"refund_transaction_id":"{refund_id}"}}'
        f',"eventGeneratedTime":{_seconds(generated_us).decode()}}}'
    ).encode()


def failure(message: str) -> bytes:
    """An error in the API's format."""
    return f'{{"success":false,"message":{_text(message)}}}'.encode()


def problems(rows: Sequence[tuple[Sequence[str | int], str, str]]) -> bytes:
    """A 422 in FastAPI's format, from (location, message, type)."""
    detail = ",".join(
        f'{{"loc":{_encode(list(loc))},"msg":{_text(message)},"type":{_text(kind)}}}'
        for loc, message, kind in rows
    )
    return f'{{"detail":[{detail}]}}'.encode()


def amount_text(amount: str, unit: AmountUnit) -> str:
    """An amount in dollars as the JSON value of a webhook."""
    if unit == "dollars":
        return amount
    whole = cents(amount)
    return str(whole) if unit == "cents" else f'"{whole // 100}.{whole % 100:02d}"'


def _transaction_id(payment: EmulatedPayment) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, payment.payment_id)


def cents(amount: str) -> int:
    """Convert dollars to cents."""
    # By the digits, since a Decimal would round long ones to its context's precision.
    dollars, _point, rest = amount.partition(".")
    return int(dollars + rest.ljust(2, "0"))


def _text(value: str | None) -> str:
    return "null" if value is None else _encode(value)


def _seconds(unix_us: int) -> bytes:
    return b"%d.%06d" % divmod(unix_us, 1_000_000)
