"""Webhooks as they leave: what is told, how it is signed, how often it is tried, what goes wrong."""

import asyncio
import base64
import hashlib
import hmac
import json
import uuid
from collections import Counter, defaultdict

import attrs
import pytest
from aiohttp import web
from virtual_time import pass_time

from paywint_async.emulator import Emulator, WebhookFaults

NEVER = object()


@attrs.define
class Receiver:
    """A web server that plays `answers`, the last one for ever after; NEVER: none at all."""

    url: str = ""
    answers: list = attrs.field(factory=lambda: [200])
    seen: list = attrs.field(factory=list)
    at_once: int = 0
    peak: int = 0
    pause: float = 0.0

    @property
    def events(self):
        return [json.loads(body, parse_float=str) for _headers, body in self.seen]

    @property
    def names(self):
        return [event["event"] for event in self.events]

    async def answer(self, request):
        self.seen.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            await asyncio.sleep(1e6 if answer is NEVER else self.pause)
        finally:
            self.at_once -= 1
        return web.Response(status=answer, headers={"Location": f"{self.url}/elsewhere"})


@pytest.fixture
async def receiver():
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


async def link(account, amount="5.99"):
    body = b'{"amount": %s}' % amount.encode()
    return (await account.create_link(body)).json["data"]["payment_id"]


async def test_a_change_is_told_as_it_is_published(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await link(account)
        await account.emulator.pay(payment_id)
        await account.emulator.delivered()
        now_us = account.emulator._clock.now_us()
    (event,) = receiver.events
    assert list(event) == ["event", "id", "data", "eventGeneratedTime"]
    assert (event["event"], uuid.UUID(event["id"]).version) == ("payment.success", 4)
    assert event["data"] == {"payment_id": payment_id, "status": "success", "amount": 599}
    assert abs(float(event["eventGeneratedTime"]) - now_us / 1e6) < 60


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        ("0.01", 1),
        ("100", 10_000),
        ("1.1", 110),
        ("4.35", 435),
        ("9007199254740993.37", 900719925474099337),
        ("1234567890123456789012345678901.23", 123456789012345678901234567890123),
    ],
)
async def test_an_amount_is_in_cents_and_exact(serve, receiver, amount, cents):
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.open(await link(account, amount))
        await account.emulator.delivered()
    assert receiver.events[0]["data"]["amount"] == cents


async def test_a_failure_says_why_under_the_webhooks_own_name(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.fail(await link(account), reason="no funds")
        await account.emulator.delivered()
    data = receiver.events[0]["data"]
    assert (data["failed_reason"], "failure_reason" in data) == ("no funds", False)


async def test_a_retry_names_the_new_payment_and_no_other_event_does(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await link(account)
        await account.emulator.fail(payment_id)
        new_id = await account.emulator.retry(payment_id)
        await account.emulator.pay(new_id)
        await account.emulator.delivered()
    retries = [
        (event["event"], event["data"]["retry_payment_id"])
        for event in receiver.events
        if "retry_payment_id" in event["data"]
    ]
    assert retries == [("payment.retried", new_id)]
    reasons = [event["event"] for event in receiver.events if "failed_reason" in event["data"]]
    assert reasons == ["payment.failed"]


async def test_an_expiry_is_told_by_itself(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        await link(account)
        await pass_time(86_401)
        await account.emulator.delivered()
    assert receiver.names == ["payment.expired"]


@pytest.mark.parametrize("secret", ["pässwörd, a plain string", "\udcff from an environment"])
async def test_a_delivery_is_signed_as_documented(serve, receiver, secret):
    async with serve(webhook_url=receiver.url, webhook_secret=secret) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        now_us = account.emulator._clock.now_us()
    headers, body = receiver.seen[0]
    headers = {name.lower(): value for name, value in headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(secret.encode("utf-8", "surrogatepass"), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["webhook-id"] == json.loads(body)["id"]
    assert abs(int(headers["webhook-timestamp"]) - now_us // 1_000_000) < 60


async def test_without_a_secret_nothing_is_signed(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
    assert [name for name in receiver.seen[0][0] if name.lower().startswith("webhook-")] == []


async def test_every_attempt_is_signed_at_its_own_time(serve, receiver):
    receiver.answers = [500, 200]
    options = {"webhook_secret": "s", "webhook_retry_delays": (100.0, 100.0)}
    async with serve(webhook_url=receiver.url, **options) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
    first, second = (int(headers["webhook-timestamp"]) for headers, _body in receiver.seen)
    assert second - first == pytest.approx(100, abs=1)


async def test_url_and_secret_can_be_set_later(serve, receiver):
    async with serve() as account:
        payment_id = await link(account)
        await account.emulator.open(payment_id)
        account.emulator.webhook_url = receiver.url
        account.emulator.webhook_secret = "s"
        await account.emulator.pay(payment_id)
        await account.emulator.delivered()
    assert receiver.names == ["payment.success"]
    assert "webhook-signature" in receiver.seen[0][0]


async def test_ids_follow_from_the_seed_and_are_distinct(serve, receiver):
    ids = []
    for _ in range(2):
        async with serve(webhook_url=receiver.url) as account:
            for _ in range(3):
                await account.emulator.pay(await link(account))
            ids.append([delivery.delivery_id for delivery in account.emulator.deliveries])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


@pytest.mark.parametrize("status", [500, 404, 301, 302, 199 + 101])
async def test_any_answer_but_2xx_is_tried_three_times_in_all(serve, receiver, status):
    receiver.answers = [status]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(receiver.seen), delivery.attempts) == (3, [status] * 3)
    assert (delivery.outcome, len(delivery.attempted_us)) == ("failed", 3)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_any_2xx_is_enough(serve, receiver, status):
    receiver.answers = [503, status, 500]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (delivery.attempts, delivery.outcome) == ([503, status], "delivered")


async def test_attempts_are_the_same_delivery(serve, receiver):
    receiver.answers = [500]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
    assert len({body for _headers, body in receiver.seen}) == 1


async def test_a_receiver_that_never_answers_is_given_up(serve, receiver):
    receiver.answers = [NEVER]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(delivery.attempts), delivery.outcome) == (3, "failed")
    assert {type(attempt) for attempt in delivery.attempts} == {str}


async def test_nobody_there_is_tried_three_times(serve, unused_tcp_port):
    async with serve(webhook_url=f"http://127.0.0.1:{unused_tcp_port}/") as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(delivery.attempts), delivery.outcome) == (3, "failed")


async def test_a_receiver_that_speaks_no_http_is_tried_three_times(serve):
    async def babble(reader, writer):
        writer.write(b"\x00garbage\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, serve(webhook_url=f"http://127.0.0.1:{port}/") as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (len(delivery.attempts), delivery.outcome) == (3, "failed")


async def test_the_events_of_a_payment_come_in_their_order_though_one_is_tried_again(
    serve, receiver
):
    receiver.answers = [500, 500, 200]
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await link(account)
        for step in ("open", "process", "pay"):
            await getattr(account.emulator, step)(payment_id)
        await account.emulator.delivered()
    assert receiver.names == ["payment.opened"] * 3 + ["payment.processing", "payment.success"]


async def test_one_payments_trouble_does_not_hold_up_another(serve, receiver):
    receiver.answers = [500, 200]
    async with serve(webhook_url=receiver.url) as account:
        first, second = await link(account), await link(account)
        await account.emulator.pay(first)
        await account.emulator.pay(second)
        await account.emulator.delivered()
    told = [event["data"]["payment_id"] for event in receiver.events]
    assert sorted(told[:2]) == sorted([first, second])


async def test_a_delivery_can_be_made_again_with_the_same_id(serve, receiver):
    receiver.answers = [500, 500, 500, 200]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
        failed = delivery.outcome
        again = await account.emulator.resend(delivery.delivery_id)
    assert (failed, again.outcome, again.attempts) == ("failed", "delivered", [500, 500, 500, 200])
    assert len({event["id"] for event in receiver.events}) == 1


async def test_an_unknown_delivery_cannot_be_made_again(serve):
    async with serve() as account:
        with pytest.raises(LookupError, match="no delivery 'x'"):
            await account.emulator.resend("x")


async def test_nothing_is_made_again_by_an_emulator_that_does_not_run():
    with pytest.raises(RuntimeError, match="before it is started"):
        await Emulator().resend("x")


async def test_a_resend_that_is_cancelled_stops(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await link(account))
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


async def test_closing_breaks_off_deliveries_and_leaves_no_task(serve, receiver):
    receiver.answers = [NEVER]
    async with serve(webhook_url=receiver.url) as account:
        before = asyncio.all_tasks()
        for _ in range(50):
            await account.emulator.pay(await link(account))
        again = asyncio.ensure_future(
            account.emulator.resend(account.emulator.deliveries[0].delivery_id)
        )
        await asyncio.sleep(0)  # it has begun
        while receiver.at_once < 32:
            await asyncio.sleep(0)
        await account.emulator.aclose()
        await again
        left = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}
    assert [name for name in left if "Webhooks" in name] == []
    assert {delivery.outcome for delivery in account.emulator.deliveries} == {"pending"}


@pytest.mark.parametrize("faults", [WebhookFaults(), WebhookFaults(reorder=1.0)])
async def test_what_was_broken_off_is_delivered_after_a_restart(receiver, faults):
    receiver.answers = [NEVER]
    emulator = Emulator(payments=300, webhook_url=receiver.url, webhook_faults=faults)
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


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://192.0.2.1/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "http://localhost:80@example.com/",
        "http://0.0.0.0:80/",
        "ftp://127.0.0.1/",
        "127.0.0.1:80",
        "http://[::1",
        "http://[::1%lo]/",
        "http://evil\\@localhost/",
        "http://localhost\\@example.com/",
        "http://localhost/\\@example.com/",
        "http://example.com\\.localhost/",
        "http://user@localhost/",
        "http://user:secret@127.0.0.1:80/",
        "http://@localhost/",
        "http:/localhost/",
        "http:localhost/",
        "http:///localhost/",
        "//localhost/",
        "http://localhost:/",
        "http://localhost:0/",
        "http://localhost:8०/",
        "http://localhost:-1/",
        "http://localhost :80/",
        "http://loc\talhost/",
        " http://localhost/",
        "http://localhost/\n",
        "http://localhost/a b",
        "http://localhost/\0",
        "http://localhost/\ud800",
        "http://localhoſt/",
        "httpſ://localhost/",
        "http://127.0.0.1。/",
        "http://１27.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://localhost.example.com/",
        "http://127.0.0.1:99999/",
        "",
    ],
)
def test_webhooks_go_to_this_machine_only(url):
    with pytest.raises(ValueError, match="webhook_url must be http"):
        Emulator(webhook_url=url)
    emulator = Emulator()
    with pytest.raises(ValueError, match="webhook_url must be http"):
        emulator.webhook_url = url


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "HTTP://LocalHost:65535/Hook",
        "https://127.0.0.1/hook?a=b@c:d/e#f",
        "http://[::1]:80",
        "http://localhost?a=%C3%BC",
        "http://localhost/ü",
    ],
)
def test_webhooks_go_anywhere_on_this_machine(url):
    assert Emulator(webhook_url=url).webhook_url == url


@pytest.mark.parametrize(
    "fault",
    [{"drop": -0.1}, {"drop": 1.1}, {"duplicate": 2}, {"reorder": -1}, {"delay": -1}]
    + [{name: value} for name in ("delay", "drop") for value in (float("inf"), float("nan"))],
)
def test_a_fault_out_of_range_is_named(fault):
    (name,) = fault
    with pytest.raises(ValueError, match=name):
        WebhookFaults(**fault)


async def test_a_delay_is_waited_before_each_delivery(serve, receiver):
    loop = asyncio.get_running_loop()
    faults = WebhookFaults(delay=120.0)
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        await account.emulator.pay(await link(account))
        started = loop.time()
        await account.emulator.delivered()
        assert loop.time() - started == pytest.approx(120, abs=1)


async def test_what_is_dropped_is_never_sent_and_says_so(serve, receiver):
    async with serve(webhook_url=receiver.url, webhook_faults=WebhookFaults(drop=1.0)) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    assert (receiver.seen, delivery.outcome, delivery.attempts) == ([], "dropped", [])


async def test_a_duplicate_comes_twice_with_one_id(serve, receiver):
    faults = WebhookFaults(duplicate=1.0)
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
    assert len(receiver.events) == 2
    assert receiver.events[0] == receiver.events[1]


async def test_a_duplicate_that_fails_is_tried_no_fourth_time(serve, receiver):
    receiver.answers = [500]
    faults = WebhookFaults(duplicate=1.0)
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        await account.emulator.pay(await link(account))
        await account.emulator.delivered()
    assert len(receiver.seen) == 3


async def test_events_overtake_each_other_when_they_are_told_to(serve, receiver):
    faults = WebhookFaults(reorder=1.0)
    orders = set()
    async with serve(webhook_url=receiver.url, webhook_faults=faults) as account:
        for _ in range(20):
            receiver.seen.clear()
            payment_id = await link(account)
            for step in ("open", "process", "pay"):
                await getattr(account.emulator, step)(payment_id)
            await account.emulator.delivered()
            orders.add(tuple(receiver.names))
    assert len(orders) > 3


async def test_faults_can_be_set_later(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        account.emulator.webhook_faults = WebhookFaults(drop=1.0)
        await account.emulator.pay(await link(account))
        assert account.emulator.deliveries[0].outcome == "dropped"


async def test_the_seed_decides_which_deliveries_go_wrong(serve, receiver):
    outcomes = []
    for seed in (1, 1, 2):
        faults = WebhookFaults(drop=0.5)
        async with serve(seed=seed, webhook_url=receiver.url, webhook_faults=faults) as account:
            for _ in range(30):
                await account.emulator.pay(await link(account))
            await account.emulator.delivered()
            outcomes.append([delivery.outcome for delivery in account.emulator.deliveries])
    assert outcomes[0] == outcomes[1] != outcomes[2]


async def test_deliveries_are_made_side_by_side_but_not_all_at_once(serve, receiver):
    receiver.pause = 1.0
    async with serve(webhook_url=receiver.url) as account:
        for _ in range(100):
            await account.emulator.pay(await link(account))
        await account.emulator.delivered()
    assert (len(receiver.seen), receiver.peak) == (100, 32)


async def test_ten_thousand_deliveries_are_each_accounted_for_and_in_order(receiver):
    steps = ["opened", "processing", "success"]
    faults = WebhookFaults(duplicate=0.1, drop=0.1)
    async with Emulator(webhook_url=receiver.url, webhook_faults=faults) as emulator:
        for _ in range(10_000 // 3 + 1):
            payment = emulator._ledger.create_link(
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
