"""Refunds: complete, partial, and of fees; in webhooks and on pages."""

from decimal import Decimal

import pytest
from webhook_listener import Receiver

from paywint_async.emulator import Refund


async def paid(account, amount="599.0"):
    payment_id = await account.link(amount)
    await account.emulator.pay(payment_id)
    return payment_id


async def status(account, payment_id):
    return (await account.get(payment_id)).json["data"]["status"]


def events_named(receiver: Receiver, name: str):
    return [event for event in receiver.events if event["event"] == name]


async def test_a_refund_event_has_the_payments_id_and_the_refunds_id(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await paid(account)
        refund_id = await account.emulator.refund(payment_id)
        await account.emulator.delivered()
    (event,) = events_named(receiver, "payment.refunded")
    assert event["id"] == payment_id
    assert event["data"] == {
        "payment_id": payment_id,
        "status": "completed",
        "amount": 59900,
        "refund_transaction_id": refund_id,
    }


@pytest.mark.parametrize(("unit", "amount"), [("dollars", 12.5), ("text", "12.50")])
async def test_a_refund_has_its_amount_in_the_webhooks_unit(serve, receiver, unit, amount):
    async with serve(webhook_url=receiver.url, webhook_amounts=unit) as account:
        await account.emulator.refund(await paid(account), Decimal("12.5"))
        await account.emulator.delivered()
    (event,) = events_named(receiver, "payment.refunded")
    assert event["data"]["amount"] in (amount, f"{amount}0")


async def test_a_refund_can_have_the_name_that_paywints_page_shows(serve, receiver):
    async with serve(webhook_url=receiver.url, refund_event="payment.refund") as account:
        await account.emulator.refund(await paid(account))
        await account.emulator.delivered()
    assert receiver.names == ["payment.success", "payment.refund"]


async def test_a_refund_of_a_fee_has_the_fee_as_its_amount(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await paid(account)
        refund_id = await account.emulator.refund_fee(payment_id, "17.67")
        await account.emulator.delivered()
        payment = account.emulator.payment(payment_id)
    (event,) = events_named(receiver, "payment.fee_refunded")
    assert (event["id"], event["data"]["status"]) == (payment_id, "success")
    assert (event["data"]["amount"], event["data"]["refund_transaction_id"]) == (1767, refund_id)
    assert (payment.refunded_cents, payment.refunds) == (0, 1)


async def test_partial_refunds_add_up_to_the_payment_at_most(serve):
    async with serve() as account:
        payment_id = await paid(account, "10.00")
        ids = [await account.emulator.refund(payment_id, part) for part in ("2.50", 3)]
        with pytest.raises(ValueError, match=r"has 4\.50 dollars left to refund, not 4\.51"):
            await account.emulator.refund(payment_id, "4.51")
        ids.append(await account.emulator.refund(payment_id))
        with pytest.raises(ValueError, match=r"has 0\.00 dollars left"):
            await account.emulator.refund(payment_id)
        refunds = [change.refund for change in account.emulator.changes(payment_id)]
    assert [each.amount for each in refunds if each] == ["2.50", "3.00", "4.50"]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(("option", "after"), [("success", "success"), ("refunded", "refunded")])
async def test_a_completely_refunded_payment_has_the_chosen_status(serve, option, after):
    async with serve(refunded_status=option) as account:
        payment_id = await paid(account, "10")
        await account.emulator.refund(payment_id, 4)
        in_parts = await status(account, payment_id)
        await account.emulator.refund(payment_id)
        assert (in_parts, await status(account, payment_id)) == ("success", after)


@pytest.mark.parametrize("step", ["open", "process", "settle", "fail", "reject", "expire"])
async def test_only_a_successful_payment_can_be_refunded(serve, step):
    async with serve() as account:
        payment_id = await account.link()
        if step == "settle":
            await account.emulator.process(payment_id)
        await getattr(account.emulator, step)(payment_id)
        for refund in (account.emulator.refund, account.emulator.refund_fee):
            with pytest.raises(ValueError, match="only what succeeded can be refunded"):
                await refund(payment_id)


@pytest.mark.parametrize("amount", [0, -1, "x", "0.001", 1.5, True, "NaN", "1e30", None])
async def test_an_invalid_amount_is_refused(serve, amount):
    async with serve() as account:
        payment_id = await paid(account)
        with pytest.raises(ValueError, match="amount must be"):
            await account.emulator.refund_fee(payment_id, amount)


async def test_a_settling_payment_has_an_event_and_then_succeeds(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await account.link()
        for step in ("process", "settle", "pay"):
            await getattr(account.emulator, step)(payment_id)
        await account.emulator.delivered()
    assert receiver.names == ["payment.processing", "payment.settling", "payment.success"]


async def test_refunds_are_kept_in_the_state_file(serve, tmp_path):
    file = tmp_path / "state.db"
    async with serve(state=file) as account:
        payment_id = await paid(account, "10")
        refund_id = await account.emulator.refund(payment_id, 4)
    async with serve(state=file) as account:
        change = account.emulator.changes(payment_id)[-1]
        await account.emulator.refund(payment_id, 6)
        with pytest.raises(ValueError, match=r"has 0\.00 dollars left"):
            await account.emulator.refund(payment_id)
    assert change.refund == Refund(refund_transaction_id=refund_id, amount="4.00", is_fee=False)


async def test_each_of_several_refunds_can_be_sent_again(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await paid(account, "10")
        for part in (1, 2):
            await account.emulator.refund(payment_id, part)
        await account.emulator.delivered()
        before = len(receiver.seen)
        for delivery in account.emulator.deliveries[-2:]:
            await account.emulator.resend(delivery)
    assert [event["data"]["amount"] for event in receiver.events[before:]] == [100, 200]


async def test_the_console_refunds_completely_partly_and_fees(serve):
    async with serve() as account:
        payment_id = await paid(account, "10")
        page = f"/console/payments/{payment_id}"
        for form in ({"amount": "2.50"}, {"what": "fee"}, {"amount": ""}):
            answer = await account.ask("POST", f"{page}/refund", data=form, allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (303, page)
        refused = await account.ask("POST", f"{page}/refund", data={"amount": "1"})
        shown = (await account.ask("GET", page)).body.decode()
    assert refused.status == 409
    assert shown.count("fee refunded") == 1
    assert ("$2.50" in shown, "$7.50" in shown, 'name="amount"' in shown) == (True, True, False)
