"""The unit of a recorded webhook, found by comparing it with Get Payment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_server import GOOD, PAYMENT_ID, FaultServer, answer

from paywint_async import PaywintError
from paywint_async._doctor import read_delivery

OTHER_AMOUNT = "it is the payment's amount neither in cents nor in dollars"
TOPIC = "webhook unit"


def recorded(amount: str, *, event: str = "payment.success", payment_id: str = PAYMENT_ID) -> bytes:
    data = f'{{"payment_id":"{payment_id}","status":"success","amount":{amount}}}'
    return (
        f'{{"event":"{event}","id":"{PAYMENT_ID}","data":{data},"eventGeneratedTime":1750068291.5}}'
    ).encode()


@pytest.mark.parametrize(
    ("amount", "verdict", "detail"),
    [
        ("15075", "confirmed", 'it is in cents: pass amounts="cents" to WebhookReceiver'),
        ("150.75", "confirmed", 'it is in dollars: pass amounts="dollars" to WebhookReceiver'),
        ('"150.75"', "confirmed", 'it is in dollars: pass amounts="dollars" to WebhookReceiver'),
        ("14900", "contradicted", OTHER_AMOUNT),
        ("1e99999999999999999999", "contradicted", OTHER_AMOUNT),
        ("null", "not to be seen here", "the event has no amount"),
    ],
)
async def test_the_unit_follows_from_the_amount_of_get_payment(
    examine_server: Callable[..., Any], amount: str, verdict: str, detail: str
) -> None:
    async with FaultServer(GOOD) as server:
        examined = await examine_server(server, delivery=read_delivery(recorded(amount)))

    assert (examined.verdicts[TOPIC], examined.detail(TOPIC)) == (verdict, detail)


@pytest.mark.parametrize("amount", ["150.75", "1.50"])
async def test_a_refund_does_not_show_the_unit(
    examine_server: Callable[..., Any], amount: str
) -> None:
    delivery = read_delivery(recorded(amount, event="payment.refunded"))
    async with FaultServer(GOOD) as server:
        examined = await examine_server(server, delivery=delivery)

    assert examined.verdicts[TOPIC] == "not to be seen here"
    assert examined.detail(TOPIC) == "a refund or its fee need not be of the payment's amount"


async def test_a_payment_of_another_account_does_not_show_the_unit(
    examine_server: Callable[..., Any],
) -> None:
    missing = answer(404, b'{"success":false,"message":"Payment not found"}')
    async with FaultServer(GOOD, missing) as server:
        examined = await examine_server(server, delivery=read_delivery(recorded("15075")))

    assert examined.verdicts[TOPIC] == "not to be seen here"
    assert examined.detail(TOPIC) == "this account has no such payment"


@pytest.mark.parametrize("payment_id", ["pay_93fdc2", ""])
async def test_an_event_without_a_valid_payment_id_does_not_show_the_unit(
    examine_server: Callable[..., Any], payment_id: str
) -> None:
    delivery = read_delivery(recorded("15075", payment_id=payment_id))
    async with FaultServer(GOOD) as server:
        examined = await examine_server(server, delivery=delivery)

    assert examined.verdicts[TOPIC] == "not to be seen here"
    assert examined.detail(TOPIC) == "the event is of no payment that can be asked for"


async def test_an_amount_of_zero_does_not_show_the_unit(
    examine_server: Callable[..., Any],
) -> None:
    free = answer(body=lambda good: good.replace(b'"amount":150.75', b'"amount":0'))
    async with FaultServer(free) as server:
        examined = await examine_server(server, delivery=read_delivery(recorded("0")))

    assert examined.verdicts[TOPIC] == "not to be seen here"
    assert examined.detail(TOPIC) == "the payment is of 0, which is the same in cents and dollars"


async def test_without_a_delivery_the_topic_is_left_out(
    examine_server: Callable[..., Any],
) -> None:
    async with FaultServer(GOOD) as server:
        examined = await examine_server(server)

    assert TOPIC not in examined.verdicts


@pytest.mark.parametrize(
    "head",
    [
        b"\xef\xbb\xbf",
        b"\r\n\r\n",
        b"POST /webhooks HTTP/1.1\r\nHost: shop.example\r\nX-Paywint-Signature: 5d41\r\n\r\n",
        b"host: shop.example\nx-paywint-signature: 5d41\n\n",
    ],
)
def test_a_delivery_is_read_with_and_without_its_headers(head: bytes) -> None:
    delivery = read_delivery(head + recorded("15075"))

    assert delivery.event.amount_sent == "15075"
    is_signed = b"ignature" in head
    assert delivery.signature_headers == (["x-paywint-signature"] if is_signed else [])


async def test_headers_that_look_like_a_signature_are_named_without_their_value(
    examine_server: Callable[..., Any],
) -> None:
    delivery = read_delivery(b"X-Paywint-Signature: 5d41402abc\n\n" + recorded("15075"))
    async with FaultServer(GOOD) as server:
        examined = await examine_server(server, delivery=delivery)

    assert examined.detail(TOPIC).endswith(
        "; headers that look like a signature: x-paywint-signature"
    )
    assert "5d41402abc" not in str(examined.findings)


@pytest.mark.parametrize(
    "data",
    [b"", b"Ann Payer", b"{}", b"[]", b"\xff\xfe", b'{"event": "Ann Payer"}', b"a: b\n\nAnn Payer"],
)
def test_a_file_without_a_delivery_is_refused_without_repeating_its_content(data: bytes) -> None:
    with pytest.raises(PaywintError, match="holds no delivery of a webhook") as caught:
        read_delivery(data)

    assert "Ann" not in str(caught.value)
