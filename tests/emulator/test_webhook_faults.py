"""The faults of deliveries, and thousands of deliveries."""

import asyncio
from collections import Counter, defaultdict

import pytest

from paywint_async.emulator import Emulator, WebhookFaults


@pytest.mark.parametrize(
    "fault",
    [{"drop": -0.1}, {"drop": 1.1}, {"duplicate": 2}, {"reorder": -1}, {"delay": -1}]
    + [{name: value} for name in ("delay", "drop") for value in (float("inf"), float("nan"))],
)
def test_a_fault_out_of_range_is_named(fault):
    (name,) = fault
    with pytest.raises(ValueError, match=name):
        WebhookFaults(**fault)


async def test_each_delivery_waits_for_the_delay(serve, receiver):
    loop = asyncio.get_running_loop()
    faults = WebhookFaults(delay=120.0)
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        await account.emulator.pay(await account.link())
        started = loop.time()
        await account.emulator.delivered()
        assert loop.time() - started == pytest.approx(120, abs=1)


async def test_a_dropped_event_is_not_sent_and_marked(serve, receiver):
    async with serve(webhook_url=receiver.url, webhook_faults=WebhookFaults(drop=1.0)) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (receiver.seen, delivery.outcome, delivery.attempts) == ([], "dropped", [])


async def test_a_duplicate_is_delivered_twice_with_the_same_id(serve, receiver):
    faults = WebhookFaults(duplicate=1.0)
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
    assert len(receiver.events) == 2
    assert receiver.events[0] == receiver.events[1]


async def test_a_failing_duplicate_has_no_fourth_attempt(serve, receiver):
    receiver.answers = [500]
    faults = WebhookFaults(duplicate=1.0)
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
    assert len(receiver.seen) == 3


async def test_events_are_reordered_with_that_fault(serve, receiver):
    faults = WebhookFaults(reorder=1.0)
    orders = set()
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        for _ in range(20):
            receiver.seen.clear()
            payment_id = await account.link()
            for step in ("open", "process", "pay"):
                await getattr(account.emulator, step)(payment_id)
            await account.emulator.delivered()
            orders.add(tuple(receiver.names))
    assert len(orders) > 3


async def test_faults_can_be_set_later(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        account.emulator.webhook_faults = WebhookFaults(drop=1.0)
        await account.emulator.pay(await account.link())
        assert account.emulator.deliveries[0].outcome == "dropped"


async def test_the_seed_decides_which_deliveries_have_faults(serve, receiver):
    outcomes = []
    for seed in (1, 1, 2):
        faults = WebhookFaults(drop=0.5)
        async with serve(seed=seed, webhook_url=receiver.url, webhook_faults=faults) as account:
            for _ in range(30):
                await account.emulator.pay(await account.link())
            await account.emulator.delivered()
            outcomes.append([delivery.outcome for delivery in account.emulator.deliveries])
    assert outcomes[0] == outcomes[1] != outcomes[2]


async def test_the_number_of_concurrent_deliveries_is_limited(serve, receiver):
    receiver.pause = 1.0
    async with serve(webhook_url=receiver.url) as account:
        for _ in range(100):
            await account.emulator.pay(await account.link())
        await account.emulator.delivered()
    assert (len(receiver.seen), receiver.peak) == (100, 32)


@pytest.mark.slow
async def test_ten_thousand_deliveries_are_each_accounted_for_and_in_order(receiver):
    steps = ["opened", "processing", "success"]
    faults = WebhookFaults(duplicate=0.1, drop=0.1)
    async with Emulator(webhook_url=receiver.url, webhook_faults=faults) as emulator:
        for _ in range(10_000 // 3 + 1):
            payment = emulator._book.create_link(
                "received", amount="1.50", description=None, invoice_number=None, now_us=0
            )
            for step in ("open", "process", "pay"):
                await getattr(emulator, step)(payment.payment_id)
        await emulator.delivered()
        deliveries = emulator.deliveries
    outcomes = Counter(delivery.outcome for delivery in deliveries)
    assert set(outcomes) == {"delivered", "dropped"}
    assert outcomes.total() == 10_002
    seen, orders = Counter(), defaultdict(list)
    for event in receiver.events:
        seen[event["id"]] += 1
        orders[event["data"]["payment_id"]].append(steps.index(event["data"]["status"]))
    expected = Counter(
        {d.delivery_id: 1 + d.is_doubled for d in deliveries if d.outcome == "delivered"}
    )
    assert seen == expected
    assert all(order == sorted(order) for order in orders.values())
