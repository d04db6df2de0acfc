"""Nothing that Paywint has published is refused, lost or misread."""

from __future__ import annotations

import inspect
import json
import re
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import attrs
import pytest
from webhook_deliveries import signed
from webhook_posting import make, post
from webhook_published import MUST, OTHER, PAYMENT, PUBLISHED, REFUND

from paywint_async import InvalidRequestError, PaywintClient
from paywint_async.emulator import Emulator
from paywint_async.webhooks import StandardWebhooks, WebhookEvent, WebhookEventName, parse_event

IDS = {PAYMENT: UUID(PAYMENT), OTHER: UUID(OTHER)}
GUIDE = Path(__file__).parents[2] / "docs" / "webhooks.md"

published = pytest.mark.parametrize("delivery", PUBLISHED, ids=str)


def parse(delivery, **options):
    return parse_event(delivery.body, {}, tolerance=None, **options)


FIELDS = [field.name for field in attrs.fields(WebhookEvent) if field.name != "is_verified"]


@pytest.mark.parametrize("field", FIELDS)
class TestEachFieldOfAnEvent:
    def test_is_read_from_some_published_delivery(self, field):
        events = [parse(delivery, amounts="cents") for delivery in PUBLISHED]
        assert [event for event in events if getattr(event, field) is not None]

    def test_is_in_the_guide(self, field):
        assert re.search(rf"`(event\.)?{field}`", GUIDE.read_text("utf-8"))

    def test_is_documented(self, field):
        assert f"    {field}: " in (inspect.getdoc(WebhookEvent) or "")


@published
def test_a_published_delivery_is_read(delivery):
    event = parse(delivery)
    for name, value in delivery.expected.items():
        read = getattr(event, name)
        if name in ("payment_id", "retry_payment_id"):
            assert read == IDS.get(value)
        elif name == "amount":
            assert read == (None if value is None else Decimal(value))
        else:
            assert read == value
    assert event.data == (
        json.loads(delivery.body, parse_float=Decimal, object_hook=listless)["data"] or {}
    )


def listless(fields):
    """Convert lists to tuples, as in frozen data."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


@pytest.mark.parametrize("is_signed", [True, False])
@published
async def test_a_published_delivery_reaches_the_handler_once(handler, delivery, is_signed):
    body = delivery.body.encode()
    at = parse(delivery).event_generated_time.timestamp()
    verifier = StandardWebhooks("secret") if is_signed else None
    third_attempt = int(at) + 360
    headers = signed(body, secret="secret", at=third_attempt) if is_signed else {}
    receiver = make(handler, verifier=verifier, clock=lambda: third_attempt)

    assert [await post(receiver, body, headers) for _ in range(3)] == [204] * 3

    assert [(event.event, event.id) for event in handler.events] == [
        (delivery.expected["event"], delivery.expected["id"])
    ]


async def test_all_published_deliveries_reach_the_handler_of_one_receiver(handler):
    receiver = make(handler, verifier=None, tolerance=None)
    bodies = [delivery.body.encode() for delivery in PUBLISHED]

    for body in bodies * 2:
        assert await post(receiver, body, {}) == 204

    assert [event.id for event in handler.events] == [each.expected["id"] for each in PUBLISHED]


@published
async def test_what_a_shop_must_do_can_be_done(delivery):
    event = parse(delivery)
    async with Emulator() as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            if delivery.must in ("look", "acknowledge"):
                with pytest.raises(InvalidRequestError, match="payment_id"):
                    await event.confirm(client)
                assert emulator.requests == []
                return
            link = await client.payments.create_link(5)
            body = delivery.body.replace(PAYMENT, str(link.payment_id))
            confirmed = await parse_event(body, {}, tolerance=None).confirm(client)
    assert (confirmed.payment_id, confirmed.amount) == (link.payment_id, 5)
    assert (event.refund_transaction_id is not None) == (delivery.must in ("refund", "fee"))
    assert (event.retry_payment_id is not None) == (delivery.must == "follow")


def test_the_guide_says_for_each_event_what_a_shop_must_do():
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    processed = {name: must for names, must in rows for name in re.findall(r"`([a-z_.*]+)`", names)}
    for delivery in PUBLISHED:
        if delivery.must == "look":
            continue  # the same event with another id
        event = delivery.expected["event"]
        assert (
            processed.get(event, processed.get(f"{event.partition('.')[0]}.*"))
            == MUST[delivery.must]
        )


def test_every_known_name_has_a_published_delivery():
    shown = {delivery.expected["event"] for delivery in PUBLISHED}
    assert {name.value for name in WebhookEventName} - shown == set()


class TestARefund:
    """A refund event has its payment's id, and a payment may be refunded in parts."""

    def body(self, *, event="payment.refunded", refund=REFUND, amount="1.50"):
        data = f'{{"payment_id": "{PAYMENT}", "amount": {amount}, "status": "completed"'
        data += "}" if refund is None else f', "refund_transaction_id": "{refund}"}}'
        envelope = f'"event": "{event}", "id": "{PAYMENT}", "eventGeneratedTime": 1'
        return f'{{{envelope}, "data": {data}}}'.encode()

    async def processed(self, handler, *bodies):
        receiver = make(handler, verifier=None, tolerance=None)
        for body in bodies:
            assert await post(receiver, body, {}) == 204
        return [event.refund_transaction_id for event in handler.events]

    async def test_in_parts_is_processed_once_for_each_part(self, handler):
        parts = [self.body(refund=refund) for refund in ("one", "two", "two", "one", "three")]
        assert await self.processed(handler, *parts) == ["one", "two", "three"]

    async def test_is_not_a_repeat_of_the_payments_event_with_the_same_id(self, handler):
        paid = self.body(event="payment.success", refund=None)
        assert await self.processed(handler, paid, self.body(), paid, self.body()) == [None, REFUND]

    async def test_of_the_fee_is_not_a_repeat_of_the_refund(self, handler):
        fee = self.body(event="payment.fee_refunded")
        assert await self.processed(handler, self.body(), fee) == [REFUND] * 2

    async def test_without_a_refund_id_is_processed_once(self, handler):
        assert await self.processed(handler, *[self.body(refund=None)] * 2) == [None]

    @pytest.mark.parametrize("refund", ["5", '{"id": 5}', "null", '""'])
    def test_with_an_id_of_any_type_is_read(self, refund):
        body = self.body().replace(f'"{REFUND}"'.encode(), refund.encode())
        assert parse_event(body, {}, tolerance=None).refund_transaction_id == (
            "5" if refund == "5" else None
        )

    def test_with_its_id_outside_the_data_is_read(self):
        body = self.body(refund=None).replace(b'"id"', b'"refund_transaction_id": "r1", "id"')
        assert parse_event(body, {}, tolerance=None).refund_transaction_id == "r1"

    def test_has_a_unique_replay_key(self):
        events = [
            parse_event(self.body(refund=refund), {}, tolerance=None) for refund in (REFUND, None)
        ]
        keys = [json.loads(event.replay_key) for event in events]
        assert keys == [["payment.refunded", PAYMENT, REFUND], ["payment.refunded", PAYMENT]]
