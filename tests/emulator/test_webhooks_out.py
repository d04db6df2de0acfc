"""Webhooks as they are sent: their content, signature and receiver."""

import base64
import hashlib
import hmac
import json
import uuid

import attrs
import pytest
from virtual_time import pass_time

from paywint_async.emulator import Emulator
from paywint_async.webhooks import WebhookEvent, parse_event


async def test_a_change_has_its_published_event(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await account.link()
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
        await account.emulator.open(await account.link(amount))
        await account.emulator.delivered()
    assert receiver.events[0]["data"]["amount"] == cents


async def test_a_failure_has_its_reason_under_the_webhooks_field_name(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.fail(await account.link(), reason="no funds")
        await account.emulator.delivered()
    data = receiver.events[0]["data"]
    assert (data["failed_reason"], "failure_reason" in data) == ("no funds", False)


async def test_a_retry_names_the_new_payment_and_no_other_event_does(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        payment_id = await account.link()
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


async def test_each_field_of_an_event_is_in_some_delivery(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        failed, paid = await account.link(), await account.link()
        await account.emulator.fail(failed)
        await account.emulator.retry(failed)
        await account.emulator.pay(paid)
        await account.emulator.refund(paid)
        await account.emulator.delivered()
    read = [parse_event(body, {}, tolerance=None, amounts="cents") for _, body in receiver.seen]
    delivered = {name for each in read for name, value in attrs.asdict(each).items() if value}
    fields = {field.name for field in attrs.fields(WebhookEvent)}
    assert fields - delivered == {"is_verified"}


async def test_an_expiry_has_its_event(serve, receiver):
    async with serve(webhook_url=receiver.url) as account:
        await account.link()
        await pass_time(86_401)
        await account.emulator.delivered()
    assert receiver.names == ["payment.expired"]


@pytest.mark.parametrize("secret", ["pässwörd, a plain string", "\udcff from an environment"])
async def test_a_delivery_is_signed_as_documented(serve, receiver, secret):
    async with serve(webhook_url=receiver.url, webhook_secret=secret) as account:
        await account.emulator.pay(await account.link())
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
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
    assert [name for name in receiver.seen[0][0] if name.lower().startswith("webhook-")] == []


async def test_every_attempt_is_signed_at_its_own_time(serve, receiver):
    receiver.answers = [500, 200]
    options = {"webhook_secret": "s", "webhook_retry_delays": (100.0, 100.0)}
    async with serve(webhook_url=receiver.url, **options) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
    first, second = (int(headers["webhook-timestamp"]) for headers, _body in receiver.seen)
    assert second - first == pytest.approx(100, abs=1)


async def test_url_and_secret_can_be_set_later(serve, receiver):
    async with serve() as account:
        payment_id = await account.link()
        await account.emulator.open(payment_id)
        account.emulator.webhook_url = receiver.url
        account.emulator.webhook_secret = "s"
        await account.emulator.pay(payment_id)
        await account.emulator.delivered()
    assert receiver.names == ["payment.success"]
    assert "webhook-signature" in receiver.seen[0][0]


async def test_ids_are_determined_by_the_seed_and_distinct(serve, receiver):
    ids = []
    for _ in range(2):
        async with serve(webhook_url=receiver.url) as account:
            for _ in range(3):
                await account.emulator.pay(await account.link())
            ids.append([delivery.delivery_id for delivery in account.emulator.deliveries])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


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
