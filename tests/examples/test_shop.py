"""The example shop: the published flow whole, and webhooks that come twice, late, or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from uuid import uuid4

import aiohttp
import attrs
import pytest
from example_modules import SECRET
from webhook_deliveries import delivery, signed

from paywint_async import PaymentStatus
from paywint_async.emulator import WebhookFaults
from paywint_async.webhooks import StandardWebhooks

pytestmark = pytest.mark.real_time

# `nox -s deliveries` makes the whole 10,000.
DELIVERIES = int(os.environ.get("PAYWINT_DELIVERIES", "300"))


@pytest.fixture
async def visitor():
    async with aiohttp.ClientSession() as session:
        yield session


async def buy(visitor, opened, item="Coffee"):
    """An order by a visitor's form; the id of the payment to whose page it leads."""
    form, url = {"item": item}, f"{opened.url}/orders"
    async with visitor.post(url, data=form, allow_redirects=False) as answer:
        assert answer.status == 303
        return answer.headers["Location"].rpartition("/")[2]


async def look(visitor, opened, path):
    async with visitor.get(opened.url + path) as answer:
        return answer.status, str(answer.url), await answer.text()


async def status_page(visitor, opened, payment_id):
    """What the page says to which the payer comes back."""
    code, _url, text = await look(visitor, opened, f"/back?id={payment_id}&status=success")
    assert code == 200
    return re.search('id="status">(.*?)<', text)[1]


def order_of(opened, payment_id):
    return next(o for o in opened.shop.orders.values() if str(o.payment_id) == payment_id)


async def test_a_link_is_made_paid_told_and_shown(visitor, open_shop):
    async with open_shop() as opened:
        assert "Coffee <b>$4.50</b>" in (await look(visitor, opened, "/"))[2]
        payment_id = await buy(visitor, opened)
        order = order_of(opened, payment_id)
        assert 'id="status">pending<' in (await look(visitor, opened, f"/orders/{order.number}"))[2]

        await opened.emulator.pay(payment_id)
        await opened.emulator.delivered()

        code, _url, text = await look(visitor, opened, f"/orders/{order.number}")
        (told,) = opened.emulator.deliveries
    assert (code, 'id="status">success<' in text, "refresh" in text) == (200, True, False)
    assert (told.attempts, str(opened.emulator.payment(payment_id).amount)) == ([204], "4.50")


async def test_the_payers_page_leads_back_to_the_order(visitor, open_shop, unused_tcp_port):
    async with open_shop(redirect_url=f"http://127.0.0.1:{unused_tcp_port}/back") as opened:
        payment_id = await buy(visitor, opened)
        page = f"{opened.emulator.url}/pay/{payment_id}"
        async with visitor.get(page) as answer:
            assert "Pay $4.50" in await answer.text()
        async with visitor.post(page, data={"action": "pay"}, allow_redirects=False) as answer:
            back = answer.headers["Location"]
        code, url, text = await look(visitor, opened, "/back" + back.partition("/back")[2])
        number = order_of(opened, payment_id).number
    assert (code, url) == (200, f"{opened.url}/orders/{number}")
    assert 'id="status">success<' in text


async def test_what_the_address_says_is_not_believed(visitor, open_shop):
    async with open_shop() as opened:
        assert await status_page(visitor, opened, await buy(visitor, opened)) == "pending"


async def test_an_event_that_is_made_up_settles_nothing(visitor, open_shop):
    async with open_shop() as opened:
        payment_id = await buy(visitor, opened)
        body = delivery(payment_id=payment_id, at=1)
        for headers in ({}, signed(body, secret="guessed")):
            async with visitor.post(f"{opened.url}/webhooks", data=body, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (401, b"")
        assert order_of(opened, payment_id).status == "pending"


async def tell(visitor, opened, event, payment_id, **data):
    """A signed delivery, as Paywint publishes it."""
    body = delivery(event=event, id=payment_id, payment_id=payment_id, at=time.time(), **data)
    headers = StandardWebhooks(SECRET).sign(body)
    async with visitor.post(f"{opened.url}/webhooks", data=body, headers=headers) as answer:
        assert answer.status == 204


@pytest.mark.parametrize("event", ["payment.refunded", "payment.refund"])
async def test_a_refund_in_parts_is_taken_off_what_was_paid(visitor, open_shop, event):
    async with open_shop() as opened:
        payment_id = await buy(visitor, opened)
        await opened.emulator.pay(payment_id)
        await opened.emulator.delivered()
        order = order_of(opened, payment_id)
        for refund, amount, state in [
            ("r1", "1.50", "success, $1.50 refunded"),
            ("r1", "1.50", "success, $1.50 refunded"),  # a repeat
            ("r2", 3, "success, refunded in part or whole"),  # cents or dollars, nobody knows
            ("r3", 2.75, "success, refunded in part or whole"),
            ("r4", "0.25", "refunded"),
        ]:
            part = {"refund_transaction_id": refund, "amount": amount, "status": "completed"}
            await tell(visitor, opened, event, payment_id, **part)
            assert order.state == state
        assert await status_page(visitor, opened, payment_id) == "refunded"


async def test_a_fee_that_is_refunded_and_an_event_of_no_payment_change_no_order(
    visitor, open_shop
):
    async with open_shop() as opened:
        payment_id = await buy(visitor, opened)
        await opened.emulator.pay(payment_id)
        await opened.emulator.delivered()
        fee = {"refund_transaction_id": "r1", "amount": 4.5}
        await tell(visitor, opened, "payment.fee_refunded", payment_id, **fee)
        await tell(visitor, opened, "kyc.approved", "pay_93fdc2")
        assert order_of(opened, payment_id).state == "success"


async def test_a_status_of_get_payment_that_says_refunded_stays(visitor, open_shop):
    async with open_shop() as opened:
        payment_id = await buy(visitor, opened)
        await opened.emulator.pay(payment_id)
        paid = await opened.shop.client.payments.get(payment_id)
        order = opened.shop.settle(paid)
        opened.shop.settle(attrs.evolve(paid, status=PaymentStatus("refunded")))
        assert (order.state, opened.shop.settle(paid)) == ("refunded", order)
        assert order.state == "refunded"
        again = attrs.evolve(paid, payment_id=uuid4())
        assert opened.shop.settle(again).state == "success"


async def test_a_retry_takes_the_place_of_what_failed(visitor, open_shop):
    async with open_shop() as opened:
        first = await buy(visitor, opened)
        order = order_of(opened, first)
        await opened.emulator.fail(first)
        await opened.emulator.delivered()
        assert (str(order.payment_id), order.status) == (first, "failed")
        second = await opened.emulator.retry(first)
        await opened.emulator.pay(second)
        await opened.emulator.delivered()
        assert (str(order.payment_id), order.status) == (second, "success")
        assert await status_page(visitor, opened, first) == "success"


async def test_a_payment_of_another_amount_pays_no_order(visitor, open_shop):
    async with open_shop() as opened:
        payment_id = await buy(visitor, opened, "Cake")
        description = opened.emulator.payment(payment_id).description
        cheap = await opened.shop.client.payments.create_link(1, description=description)
        await opened.emulator.pay(cheap.payment_id)
        await opened.emulator.delivered()
        await opened.shop.sweep()
        assert order_of(opened, payment_id).status == "pending"


async def test_the_shop_sweeps_by_itself(visitor, open_shop, monkeypatch):
    async with open_shop(webhook_faults=WebhookFaults(drop=1.0)) as opened:
        monkeypatch.setitem(type(opened.shop).sweep.__globals__, "SWEEP_EVERY", 0.0)
        sweeping = asyncio.ensure_future(opened.shop.keep_sweeping())
        payment_id = await buy(visitor, opened)
        await opened.emulator.pay(payment_id)
        while order_of(opened, payment_id).status != "success":
            await asyncio.sleep(0)
        sweeping.cancel()
        await asyncio.wait([sweeping])
        assert sweeping.cancelled()


async def test_errors_are_a_sentence(visitor, open_shop):
    nobody = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"
    async with open_shop(payments=1) as opened:
        somebody = opened.emulator.history("received")[0]
        for path in (f"/back?id={nobody}", f"/back?id={somebody}", "/orders/x"):
            code, _url, text = await look(visitor, opened, path)
            assert (code, len(text) < 40) == (404, True)
        assert (await look(visitor, opened, "/back?id=x"))[0] == 404
        assert (await look(visitor, opened, f"/back?id={nobody}&x={'y' * 9000}"))[0] == 404
        async with visitor.post(f"{opened.url}/orders", data={"item": "Tea"}) as answer:
            assert answer.status == 422
        await opened.shop.client.aclose()
        async with visitor.post(f"{opened.url}/orders", data={"item": "Cake"}) as answer:
            told = answer.status, await answer.text()
    assert told == (502, "payments are not available right now")


async def live(opened, payment_id, draw):
    """One of the ways a payment goes; the id of the payment that stands at its end."""
    emulator = opened.emulator
    for step in (emulator.open, emulator.process):
        await step(payment_id)
        await asyncio.sleep(0)
    ends = [emulator.pay, emulator.pay, emulator.pay, emulator.fail]
    await draw.choice(ends)(payment_id)
    if emulator.payment(payment_id).status == "failed" and draw.random() < 0.7:
        return await live(opened, await emulator.retry(payment_id), draw)
    return payment_id


async def told_of_many(visitor, opened, draw):
    """Orders that live until so many deliveries were made: order numbers with their last payment."""
    ends = {}
    while len(opened.emulator.deliveries) < DELIVERIES:
        bought = [
            await buy(visitor, opened, draw.choice(["Coffee", "Cake", "Both"])) for _ in "12345"
        ]
        numbers = [order_of(opened, payment_id).number for payment_id in bought]
        last = await asyncio.gather(*[live(opened, payment_id, draw) for payment_id in bought])
        ends |= dict(zip(numbers, last, strict=True))
    await opened.emulator.delivered()
    return ends


def wrong_orders(opened, ends):
    return {
        number
        for number, payment_id in ends.items()
        if str(opened.shop.orders[number].payment_id) != payment_id
        or opened.shop.orders[number].status != opened.emulator.payment(payment_id).status
    }


@pytest.mark.slow
async def test_deliveries_that_come_twice_and_out_of_order_leave_every_order_right(
    visitor, open_shop
):
    faults = WebhookFaults(duplicate=0.3, reorder=0.5)
    async with open_shop(webhook_faults=faults) as opened:
        ends = await told_of_many(visitor, opened, random.Random(1))
        deliveries = opened.emulator.deliveries
        assert {delivery.outcome for delivery in deliveries} == {"delivered"}
        assert len(deliveries) >= DELIVERIES
        assert len({o.payment_id for o in opened.shop.orders.values()}) == len(ends)
        assert wrong_orders(opened, ends) == set()


@pytest.mark.slow
async def test_deliveries_that_are_lost_too_leave_every_order_right_after_a_sweep(
    visitor, open_shop
):
    faults = WebhookFaults(duplicate=0.3, reorder=0.5, drop=0.3)
    async with open_shop(webhook_faults=faults) as opened:
        ends = await told_of_many(visitor, opened, random.Random(2))
        outcomes = {delivery.outcome for delivery in opened.emulator.deliveries}
        assert outcomes == {"delivered", "dropped"}
        assert wrong_orders(opened, ends) != set()

        await opened.shop.sweep()

        assert wrong_orders(opened, ends) == set()
        sample = random.Random(3).sample(sorted(ends), 20)
        for number in sample:
            text = (await look(visitor, opened, f"/orders/{number}"))[2]
            status = opened.emulator.payment(ends[number]).status
            assert f'id="status">{status}<' in text


async def test_every_event_reaches_the_shop_exactly_once(visitor, open_shop):
    seen = []
    async with open_shop(webhook_faults=WebhookFaults(duplicate=1.0)) as opened:
        on_event = opened.shop.settle
        opened.shop.settle = lambda payment: seen.append(payment) or on_event(payment)
        payment_id = await buy(visitor, opened)
        await opened.emulator.pay(payment_id)
        await opened.emulator.delivered()
        (told,) = opened.emulator.deliveries
    assert (told.attempts, len(seen)) == ([204, 204], 1)
    assert json.loads(told.body)["data"]["amount"] == 450
