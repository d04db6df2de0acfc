"""The findings about the answers to an unknown payment and to an invalid value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_server import GOOD, PAYMENT_ID, Fault, FaultServer, Wire, answer

MESSAGE = b'{"success":false,"message":"Payment not found"}'
DETAIL = b'{"detail":"Not found"}'
PROBLEMS = b'{"detail":[{"loc":["path","payment_id"],"msg":"no UUID","type":"uuid_parsing"}]}'
PAGE = b"<!doctype html><p>Not found"


def refusing(
    *, unknown: Fault = GOOD, invalid_id: Fault = GOOD, invalid_size: Fault = GOOD
) -> Fault:
    """A good server, except for the requests that the API refuses."""

    async def play(wire: Wire) -> None:
        path = wire.latest.path
        if path.endswith("/get/no-uuid"):
            await invalid_id.play(wire)
        elif b'"rows_per_page":7,' in wire.latest.body:
            await invalid_size.play(wire)
        elif "/get/" in path and PAYMENT_ID not in path:
            await unknown.play(wire)
        else:
            await GOOD.play(wire)

    return Fault("refuses", play)


@pytest.mark.parametrize(
    ("status", "body", "verdict", "detail"),
    [
        (404, MESSAGE, "confirmed", "answered 404, with a message"),
        (404, DETAIL, "confirmed", "answered 404, with a detail as text"),
        (404, PAGE, "contradicted", "answered 404, but not with a message or detail in JSON"),
        (404, b"", "contradicted", "answered 404, but not with a message or detail in JSON"),
        (200, MESSAGE, "contradicted", "answered 200, not 404"),
        (400, MESSAGE, "contradicted", "answered 400, not 404"),
        (422, PROBLEMS, "contradicted", "answered 422, not 404"),
        (500, MESSAGE, "not to be seen here", "the API answered 500"),
    ],
)
async def test_the_answer_to_an_unknown_payment_is_judged(
    examine_server: Callable[..., Any], status: int, body: bytes, verdict: str, detail: str
) -> None:
    async with FaultServer(refusing(unknown=answer(status, body))) as server:
        examined = await examine_server(server)

    assert examined.verdicts["shape of a 404"] == verdict
    assert examined.detail("shape of a 404").endswith(detail)


@pytest.mark.parametrize(
    ("invalid_id", "invalid_size", "verdict", "detail"),
    [
        ((422, PROBLEMS), (422, PROBLEMS), "confirmed", "with a detail that lists problems"),
        ((404, DETAIL), (422, MESSAGE), "confirmed", "answered 422, with a message"),
        ((400, MESSAGE), (422, MESSAGE), "confirmed", "answered 422, with a message"),
        ((404, DETAIL), (400, MESSAGE), "contradicted", "answered 400, not 422"),
        ((422, PAGE), (422, PAGE), "contradicted", "not with a message or detail in JSON"),
        ((404, DETAIL), (200, MESSAGE), "not to be seen here", "is invalid to the API (404)"),
        ((500, b""), (500, b""), "not to be seen here", "the API answered 500"),
    ],
)
async def test_the_answer_to_an_invalid_value_is_judged(
    examine_server: Callable[..., Any],
    invalid_id: tuple[int, bytes],
    invalid_size: tuple[int, bytes],
    verdict: str,
    detail: str,
) -> None:
    faults = {"invalid_id": answer(*invalid_id), "invalid_size": answer(*invalid_size)}
    async with FaultServer(refusing(**faults)) as server:
        examined = await examine_server(server)

    assert examined.verdicts["shape of a 422"] == verdict
    assert examined.detail("shape of a 422").endswith(detail)
