"""Generates a history as bytes: realistic payments, each page about 46 KB. No I/O.

Ranks count from the oldest payment (1). An id has its rank in the last eight digits, so that a
cursor (`after=<id>`) needs no look-up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

ROWS = 100

_START = datetime(2015, 1, 1, 0, 0, 0, 739761)
_ACCOUNT = "5b1c8f7e-90aa-4a52-9f55-0d7e5f2c1a77"
_NAMES = ("Ada Lovelace", "Zoë Müller", "Northwind Traders LLC", "Grace Hopper", "José Álvarez")
_TEXTS = ("June invoice for services", "Deposit", "Invoice 2024-0815, second reminder", "Rent")
_METHODS = ("WALLET", "CARD", "ACH", "PW_BANK", "RTP", "FEDNOW")
_STATUSES = ("success", "success", "success", "success", "failed", "expired", "processing")


def payment_id(rank: int) -> str:
    """The id of the payment of that rank."""
    mixed = _mix(rank)
    return f"{mixed[:8]}-{mixed[8:12]}-4{mixed[12:15]}-a{mixed[15:18]}-{mixed[18:22]}{rank:08x}"


def rank_of(identity: str) -> int:
    """The rank in an id."""
    return int(identity[-8:], 16)


def row(rank: int) -> str:
    """One payment as a JSON object, its fields in the order of the published table."""
    status = _STATUSES[rank % 7]
    created = _START + timedelta(minutes=5 * rank)
    paid = f'"{(created + timedelta(minutes=2)).isoformat()}Z"' if status == "success" else "null"
    reason = '"Insufficient wallet balance"' if status == "failed" else "null"
    return (
        f'{{"payment_id":"{payment_id(rank)}","payer_id":"{payment_id(0xF0000000 | rank % 997)}"'
        f',"payer_name":"{_NAMES[rank % 5]}","payee_id":"{_ACCOUNT}","payee_name":"Example Inc."'
        f',"amount":{rank % 5000}.{rank % 90 + 10},"currency":"USD"'
        f',"description":"{_TEXTS[rank % 4]}","payment_method":"{_METHODS[rank % 6]}"'
        f',"receiving_method":"WALLET","created_at":"{created.isoformat()}Z","payment_date":{paid}'
        f',"status":"{status}","failure_reason":{reason}}}'
    )


def page(total: int, page_no: int, rows: int = ROWS) -> bytes:
    """A page of a list of ``total`` payments, newest first, in the API's list envelope."""
    newest = total - (page_no - 1) * rows
    listed = ",".join(row(rank) for rank in range(newest, max(0, newest - rows), -1))
    return (
        '{"success":true,"status_code":200,"message":"Payments retrieved","records":['
        f'{listed}],"totalRecords":{total},"queryGeneratedTime":1750068291.739761}}'
    ).encode()


def one(identity: str) -> bytes:
    """The answer to Get Payment."""
    return (
        f'{{"success":true,"message":"Payment retrieved","data":{row(rank_of(identity))}'
        ',"queryGeneratedTime":1750068291.739761}'
    ).encode()


def cursor_page(total: int, after: str | None, rows: int = ROWS, *, url: str) -> bytes:
    """A page for OpenAI's and Stripe's clients, which use a cursor instead of a page number."""
    newest = rank_of(after) - 1 if after else total
    ranks = range(newest, max(0, newest - rows), -1)
    listed = ",".join(f'{{"id":"{payment_id(r)}","object":"payment",{row(r)[1:]}' for r in ranks)
    more = "true" if newest > rows else "false"
    return f'{{"object":"list","url":"{url}","has_more":{more},"data":[{listed}]}}'.encode()


def _mix(rank: int) -> str:
    return blake2b(rank.to_bytes(4), digest_size=11).hexdigest()
