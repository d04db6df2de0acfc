"""An examination judges any answer of the API without an error, and does not repeat its content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest
from effort import slow_but

from paywint_async import Payment, Request
from paywint_async._doctor import Observations, Setup, find, json_text, text_lines
from paywint_async._doctor.exchanges import Exchange
from paywint_async._doctor.observations import Question, QuestionKind

TEXT = "Zq9 Payer"
PAYMENT: dict[str, Any] = {
    "payment_id": "d4211545-cfc9-4aa0-8fcc-e4c2639e8052",
    "amount": 1,
    "currency": "USD",
    "created_at": "2025-06-16T10:04:51.739761Z",
    "status": "success",
}
ENVELOPE: dict[str, Any] = {"success": True, "totalRecords": 2, "queryGeneratedTime": 1e9}
VALUES = [
    *(None, True, False, 0, -1, 1.5, 1e300, 10**400, float("nan"), float("inf")),
    *("", TEXT, "\ud83d", "1", "2025-06-16T10:04:51", "9999-12-31T23:59:59+23:59"),
    *([], [TEXT], [[TEXT]], {}, {TEXT: TEXT}),
]
HEADERS = ["date", "content-encoding", "connection", "keep-alive", "retry-after", "x-ratelimit-a"]
STATUSES = [200, 204, 302, 400, 401, 403, 404, 405, 407, 422, 429, 500, 511]


def exchange(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Exchange:
    request_headers = {"Accept-Encoding": "gzip"}
    return Exchange(
        request=Request(operation="received", method="POST", path="/list", headers=request_headers),
        status=status,
        headers=headers or {},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        received_at=1e9,
        seconds=0.1,
    )


def questions(answer: Exchange) -> Iterator[Question]:
    """Questions of all kinds, each with that answer."""
    for kind in QuestionKind:
        for direction in ("received", "sent"):
            yield Question(
                kind=kind, direction=direction, page_no=1, rows=10, listed=PAYMENT, exchange=answer
            )


def check(answer: Exchange) -> None:
    seen = Observations(
        setup=Setup(environment="sandbox", base_url="https://api.sandbox.paywint.com"),
        questions=list(questions(answer)),
        exchanges=[answer],
    )
    findings = find(seen)
    report = json_text(findings) + "\n".join(text_lines(findings))
    assert "Zq9" not in report
    assert PAYMENT["payment_id"] not in report
    report.encode()


def page_of(payment: Any, **more: Any) -> dict[str, Any]:
    return {**ENVELOPE, "records": [payment, PAYMENT], "data": payment, **more}


@pytest.mark.parametrize("name", [*(field.name for field in attrs.fields(Payment)), TEXT])
def test_any_value_of_a_payments_field_is_judged(name: str) -> None:
    for value in VALUES:
        check(exchange(page_of(PAYMENT | {name: value})))


@pytest.mark.parametrize(
    "name", slow_but([*ENVELOPE, "records", "data", "detail", "message", TEXT], "records", TEXT)
)
def test_any_value_of_the_envelope_is_judged(name: str) -> None:
    for value in VALUES:
        for status in STATUSES:
            check(exchange(page_of(PAYMENT) | {name: value}, status))


@pytest.mark.parametrize("name", HEADERS)
def test_any_header_is_judged(name: str) -> None:
    for value in ("", TEXT, "close", "gzip", "timeout=5", "Mon, 01 Jan 0001 00:00:00 GMT"):
        check(exchange(page_of(PAYMENT), headers={name: value}))


@pytest.mark.parametrize("status", STATUSES)
def test_any_body_is_judged(status: int) -> None:
    for body in (
        b"",
        b"<html>Zq9",
        b"\xff",
        b"[" * 100_000,
        b"9" * 10_000,
        b"1e999999999999999999",
    ):
        check(exchange(body, status))
    for value in VALUES:
        check(exchange(value, status))
        check(exchange(page_of(value), status))
