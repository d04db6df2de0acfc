"""JSON out: the bytes of every answer, joined from templates.

Written by hand on purpose: amounts keep their digits, and no code is shared with the SDK's codec.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from json import JSONEncoder

from paywint_async.emulator._payment import EmulatedPayment

_UNIX = datetime(1970, 1, 1)
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def instant(unix_us: int) -> str:
    """A time as the API writes it: UTC, six decimals, `Z`."""
    return f"{(_UNIX + timedelta(microseconds=unix_us)).isoformat(timespec='microseconds')}Z"


def payment_row(payment: EmulatedPayment) -> bytes:
    """A payment as a JSON object, its fields in the order of the published table."""
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


def payment_list(rows: Sequence[bytes], total: int, now_us: int) -> bytes:
    """A page of a listing, in the list envelope."""
    return (
        b'{"success":true,"status_code":200,"message":"Payments retrieved","records":['
        + b",".join(rows)
        + b'],"totalRecords":%d,"queryGeneratedTime":%s}' % (total, _seconds(now_us))
    )


def envelope(data: bytes, message: str, now_us: int) -> bytes:
    """An answer with one object, in the envelope."""
    head = f'{{"success":true,"message":{_text(message)},"data":'.encode()
    return head + data + b',"queryGeneratedTime":%s}' % _seconds(now_us)


def payment_link(payment_id: str, link: str) -> bytes:
    """What Create Payment Link gives back."""
    return f'{{"payment_id":"{payment_id}","payment_link":{_text(link)}}}'.encode()


def checkout_token(token: str, expires_at_us: int) -> bytes:
    """What the checkout token operation gives back."""
    return f'{{"checkout_token":"{token}","expires_at":"{instant(expires_at_us)}"}}'.encode()


def event(
    name: str,
    delivery_id: str,
    payment: EmulatedPayment,
    *,
    generated_us: int,
    retry_payment_id: str | None,
) -> bytes:
    """The body of a webhook; its amount is in cents, unlike everywhere else."""
    amount = cents(payment.amount)
    more = ""
    if payment.status == "failed":
        more = f',"failed_reason":{_text(payment.failure_reason)}'
    elif retry_payment_id is not None:
        more = f',"retry_payment_id":"{retry_payment_id}"'
    return (
        f'{{"event":"{name}","id":"{delivery_id}","data":{{"payment_id":"{payment.payment_id}"'
        f',"status":"{payment.status}","amount":{amount}{more}}}'
        f',"eventGeneratedTime":{_seconds(generated_us).decode()}}}'
    ).encode()


def failure(message: str) -> bytes:
    """An error in the API's own shape."""
    return f'{{"success":false,"message":{_text(message)}}}'.encode()


def problems(rows: Sequence[tuple[Sequence[str | int], str, str]]) -> bytes:
    """A 422 in FastAPI's shape, from (location, message, type)."""
    detail = ",".join(
        f'{{"loc":{_encode(list(loc))},"msg":{_text(message)},"type":{_text(kind)}}}'
        for loc, message, kind in rows
    )
    return f'{{"detail":[{detail}]}}'.encode()


def cents(amount: str) -> int:
    """Dollars as cents."""
    # By its digits: a Decimal would round what is longer than its context.
    dollars, _point, rest = amount.partition(".")
    return int(dollars + rest.ljust(2, "0"))


def _text(value: str | None) -> str:
    return "null" if value is None else _encode(value)


def _seconds(unix_us: int) -> bytes:
    return b"%d.%06d" % divmod(unix_us, 1_000_000)
