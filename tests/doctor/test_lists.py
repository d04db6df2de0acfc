"""The findings about the lists, and about the payment that is requested by its id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_server import GOOD, GOT, PAYMENT_ID, Fault, FaultServer, Wire, answer

OTHER_ID = "00000000-0000-4000-8000-000000000000"


def answering(marker: bytes, fault: Fault) -> Fault:
    """A good server, except for requests with the marker in their path or body."""

    async def play(wire: Wire) -> None:
        is_meant = marker in wire.latest.path.encode() + wire.latest.body
        await (fault if is_meant else GOOD).play(wire)

    return Fault("differs", play)


@pytest.mark.parametrize("rows", [20, 50, 100])
async def test_a_refused_page_size_contradicts_page_sizes(
    examine_server: Callable[..., Any], rows: int
) -> None:
    refusal = answer(422, b'{"detail":"too many"}')
    async with FaultServer(answering(b'"rows_per_page":%d,' % rows, refusal)) as server:
        examined = await examine_server(server)

    assert examined.verdicts["page sizes"] == "contradicted"
    assert examined.detail("page sizes") == f"pages of {rows} are refused (422)"


async def test_only_answered_page_sizes_are_confirmed(
    examine_server: Callable[..., Any],
) -> None:
    failure = answer(503, b"{}")
    async with FaultServer(answering(b'"rows_per_page":50,', failure)) as server:
        examined = await examine_server(server)

    assert examined.detail("page sizes").startswith("pages of 10, 20, 100 are as asked for")


@pytest.mark.parametrize("total", [b'"1"', b"true", b"1.5", b"null"])
async def test_a_total_that_is_not_an_integer_contradicts_totals(
    examine_server: Callable[..., Any], total: bytes
) -> None:
    body = answer(body=lambda good: good.replace(b'"totalRecords":1', b'"totalRecords":' + total))
    async with FaultServer(body) as server:
        examined = await examine_server(server)

    assert examined.verdicts["totals"] == "contradicted"
    assert examined.detail("totals") == "received: totalRecords is not a whole number"


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        (b'"amount":150.75', b'"amount":15075', "its amount is 100 times that of the list"),
        (b'"amount":150.75', b'"amount":150750', "its amount is 1000 times that of the list"),
        (b'"amount":150.75', b'"amount":150.76', "its amount is not that of the list"),
        (b'"USD"', b'"EUR"', "its currency is not that of the list"),
        (b"10:04:51", b"10:04:52", "its created_at is not that of the list"),
        (
            PAYMENT_ID.encode(),
            OTHER_ID.encode(),
            "it answers with another payment than was asked for",
        ),
    ],
)
async def test_a_difference_between_get_payment_and_the_list_is_reported(
    examine_server: Callable[..., Any], old: bytes, new: bytes, difference: str
) -> None:
    got = answer(body=GOT.replace(old, new))
    async with FaultServer(answering(PAYMENT_ID.encode(), got)) as server:
        examined = await examine_server(server)

    assert examined.verdicts["get payment"] == "contradicted"
    assert examined.detail("get payment") == difference
