"""Attempts of a delivery, their order, and deliveries when the emulator closes."""

import asyncio

import pytest
from virtual_time import pass_time
from webhook_listener import NEVER

from paywint_async.emulator import Emulator, WebhookFaults


@pytest.mark.parametrize("status", [500, 404, 301, 302, 199 + 101])
async def test_a_delivery_without_a_2xx_is_tried_three_times_in_all(serve, receiver, status):
    receiver.answers = [status]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(receiver.seen), delivery.attempts) == (3, [status] * 3)
    assert (delivery.outcome, len(delivery.attempted_us)) == ("failed", 3)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_any_2xx_is_enough(serve, receiver, status):
    receiver.answers = [503, status, 500]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (delivery.attempts, delivery.outcome) == ([503, status], "delivered")


async def test_all_attempts_have_the_same_body_and_id(serve, receiver):
    receiver.answers = [500]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
    assert len({body for _headers, body in receiver.seen}) == 1


async def test_a_receiver_that_never_answers_times_out(serve, receiver):
    receiver.answers = [NEVER]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(delivery.attempts), delivery.outcome) == (3, "failed")
    assert {type(attempt) for attempt in delivery.attempts} == {str}


async def test_a_closed_port_is_tried_three_times(serve, unused_tcp_port):
    async with serve(webhook_url=f"http://127.0.0.1:{unused_tcp_port}/") as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(delivery.attempts), delivery.outcome) == (3, "failed")


async def test_a_receiver_without_http_is_tried_three_times(serve):
    async def babble(reader, writer):
        writer.write(b"\x00garbage\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, serve(webhook_url=f"http://127.0.0.1:{port}/") as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(delivery.attempts), delivery.outcome) == (3, "failed")


async def test_the_events_of_a_payment_are_in_order_even_if_one_is_retried(serve, receiver):
    receiver.answers = [500, 500, 200]
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await account.link()
        for step in ("open", "process", "pay"):
            await getattr(account.emulator, step)(payment_id)
        await account.emulator.delivered()
    assert receiver.names == ["payment.opened"] * 3 + ["payment.processing", "payment.success"]


async def test_failing_deliveries_of_a_payment_do_not_delay_those_of_another(serve, receiver):
    receiver.answers = [500, 200]
    async with serve(webhook_url=receiver.url) as account:
        first, second = await account.link(), await account.link()
        await account.emulator.pay(first)
        await account.emulator.pay(second)
        await account.emulator.delivered()
    ids = [event["data"]["payment_id"] for event in receiver.events]
    assert sorted(ids[:2]) == sorted([first, second])


async def test_an_event_can_be_delivered_again_with_the_same_id(serve, receiver):
    receiver.answers = [500, 500, 500, 200]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
        failed = delivery.outcome
        again = await account.emulator.resend(delivery.delivery_id)
    assert (failed, again.outcome, again.attempts) == ("failed", "delivered", [500, 500, 500, 200])
    assert len({event["id"] for event in receiver.events}) == 1


async def test_an_unknown_delivery_cannot_be_resent(serve):
    async with serve() as account:
        with pytest.raises(LookupError, match="no delivery 'x'"):
            await account.emulator.resend("x")


async def test_a_stopped_emulator_resends_nothing():
    with pytest.raises(RuntimeError, match="before it is started"):
        await Emulator().resend("x")


async def test_a_resend_that_is_cancelled_stops(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        receiver.answers = [NEVER]
        (delivery,) = account.emulator.deliveries
        again = asyncio.ensure_future(account.emulator.resend(delivery.delivery_id))
        while not receiver.at_once:
            await asyncio.sleep(0)
        again.cancel()
        await asyncio.wait([again])
        await account.emulator.delivered()
        while receiver.at_once:
            await asyncio.sleep(0)
        assert len(receiver.seen) == 2


async def test_closing_stops_deliveries_and_leaves_no_task(serve, receiver):
    receiver.answers = [NEVER]
    async with serve(webhook_url=receiver.url) as account:
        before = asyncio.all_tasks()
        for _ in range(50):
            await account.emulator.pay(await account.link())
        again = asyncio.ensure_future(
            account.emulator.resend(account.emulator.deliveries[0].delivery_id)
        )
        await asyncio.sleep(0)  # lets the resend begin
        while receiver.at_once < 32:
            await asyncio.sleep(0)
        await account.emulator.aclose()
        await again
        left = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}
    assert [name for name in left if "Webhooks" in name] == []
    assert {delivery.outcome for delivery in account.emulator.deliveries} == {"pending"}


@pytest.mark.parametrize("faults", [WebhookFaults(), WebhookFaults(reorder=1.0)])
async def test_stopped_deliveries_are_made_after_a_restart(receiver, faults):
    receiver.answers = [NEVER]
    emulator = Emulator(hostile=True, payments=300, webhook_url=receiver.url, webhook_faults=faults)
    async with emulator:
        for payment_id in emulator.history("sent"):
            if emulator.payment(payment_id).status == "pending":
                await emulator.pay(payment_id)
        await pass_time(1.0)
        assert receiver.at_once
    receiver.answers = [200]
    async with emulator:
        await emulator.delivered()
    assert {delivery.outcome for delivery in emulator.deliveries} == {"delivered"}
    assert len(emulator.deliveries) > 5
