"""Which functions of an application are called for an event: on_event, and those of receiver.on."""

from __future__ import annotations

import logging

import pytest
from webhook_deliveries import PAYMENT_ID, delivery
from webhook_posting import Handler, make, post

from paywint_async import ConfigurationError, InvalidRequestError, PaywintClient
from paywint_async.webhooks import WebhookEventName, WebhookReceiver

OF_NO_PAYMENT = delivery(event="kyc.approved", without=["payment_id"])


def make_named(**options):
    """A receiver without on_event."""
    return WebhookReceiver(verifier=None, tolerance=None, **options)


async def say(receiver, *names):
    return [await post(receiver, delivery(event=name, id=name), {}) for name in names]


class TestAHandlerOfANamedEvent:
    async def test_is_called_for_that_event_only(self):
        receiver, paid = make_named(), Handler()
        receiver.on("payment.success")(paid)

        assert await say(receiver, "payment.failed", "payment.success", "kyc.approved") == [204] * 3

        assert [event.event for event in paid.events] == ["payment.success"]

    async def test_may_be_registered_for_several_events(self):
        receiver, refunded = make_named(), Handler()
        receiver.on("payment.refunded", WebhookEventName.REFUND)(refunded)

        await say(receiver, "payment.refund", "payment.success", "payment.refunded")

        assert [event.event for event in refunded.events] == ["payment.refund", "payment.refunded"]

    def test_is_returned_unchanged(self):
        async def paid(event):
            return event

        assert make_named().on("payment.success")(paid) is paid

    async def test_is_called_after_on_event_in_the_order_of_registration(self):
        called = []

        def named(name):
            async def handler(event):
                called.append(name)

            return handler

        receiver = WebhookReceiver(named("on_event"), verifier=None, tolerance=None)
        receiver.on("payment.success")(named("first"))
        receiver.on("payment.success")(named("second"))
        await say(receiver, "payment.success", "payment.failed")
        assert called == ["on_event", "first", "second", "on_event"]

    async def test_that_raises_makes_the_next_delivery_call_all(self):
        receiver, first, second = make_named(), Handler(), Handler(outcomes=[ValueError()])
        for handler in (first, second):
            receiver.on("payment.success")(handler)

        assert await say(receiver, *["payment.success"] * 3) == [500, 204, 204]

        assert (len(first.events), len(second.events)) == (2, 2)

    async def test_registered_between_two_deliveries_is_called_for_the_next(self):
        receiver, early, late = make_named(), Handler(), Handler()
        receiver.on("payment.success")(early)
        await post(receiver, delivery(id="1"), {})
        receiver.on("payment.success")(late)
        await post(receiver, delivery(id="2"), {})
        assert [len(early.events), len(late.events)] == [2, 1]

    @pytest.mark.parametrize("name", [*WebhookEventName, "kyc.approved", "card.3ds-done"])
    async def test_accepts_each_published_name_and_other_names_without_payment(self, name):
        receiver, handler = make_named(), Handler()
        receiver.on(name)(handler)
        await say(receiver, name)
        assert len(handler.events) == 1

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("payment.sucess", "payment.success"),
            ("payment.succeeded", "payment.success"),
            ("payments.success", "payment.success"),
            ("paymnt.failed", "payment.failed"),
            ("payment.refunds", "payment.refund"),
            ("payment.charged.back", None),
        ],
    )
    def test_for_a_misspelt_name_is_an_error_with_the_right_name(self, name, meant):
        with pytest.raises(ConfigurationError, match=f"{name}.*did you mean") as caught:
            make_named().on(name)
        assert meant is None or f"'{meant}'" in str(caught.value)

    @pytest.mark.parametrize(
        "name", ["success", "", "Payment.Success", "kyc.*", "*", None, 5, "a b.c", print]
    )
    def test_for_an_invalid_name_is_an_error(self, name):
        with pytest.raises(ConfigurationError, match="is not the name of an event"):
            make_named().on(name)

    def test_needs_a_name(self):
        with pytest.raises(ConfigurationError, match=r"on\(\"payment.success\"\)"):
            make_named().on()

    @pytest.mark.parametrize("handler", [None, "paid", 5])
    def test_must_be_callable(self, handler):
        with pytest.raises(ConfigurationError, match="handler must be a coroutine function"):
            make_named().on("payment.success")(handler)


async def test_an_event_is_not_acknowledged_by_a_receiver_without_any_handler(caplog):
    assert await say(make_named(), "payment.success") == [500]
    assert "register handlers by receiver.on" in caplog.text


class TestAnEventWithoutAPayment:
    async def test_is_acknowledged_though_a_handler_tries_to_confirm_it(self, caplog):
        after = Handler()
        async with PaywintClient("key", "secret", base_url="http://127.0.0.1:9") as client:

            async def on_event(event):
                await event.confirm(client)

            receiver = make(on_event, verifier=None)
            receiver.on("kyc.approved")(after)
            assert await post(receiver, OF_NO_PAYMENT, {}) == 204
        assert len(after.events) == 1
        ((_name, level, line),) = caplog.record_tuples
        assert (level, "is not about a payment" in line) == (logging.WARNING, True)

    @pytest.mark.parametrize(
        ("error", "body"),
        [
            (InvalidRequestError("amount", "must be above 0"), OF_NO_PAYMENT),
            (InvalidRequestError("payment_id", "is no UUID"), delivery()),
        ],
    )
    async def test_still_raises_other_errors(self, handler, error, body):
        handler.outcomes = [error]
        assert await post(make(handler, verifier=None), body, {}) == 500

    @pytest.mark.parametrize(
        "name", ["kyc.approved", "kyb.deleted", "wallet.funding.success", "card.added"]
    )
    async def test_has_no_payment_id_even_if_its_data_have_one(self, handler, name):
        await post(make(handler, verifier=None), delivery(event=name), {})
        (event,) = handler.events
        assert (event.payment_id, event.data["payment_id"]) == (None, PAYMENT_ID)

    async def test_is_recognised_by_the_id_if_its_name_is_not_published(self, handler):
        await post(make(handler, verifier=None), delivery(event="refund.created"), {})
        assert [str(event.payment_id) for event in handler.events] == [PAYMENT_ID]

    async def test_wakes_no_waiter(self, handler):
        async with PaywintClient("key", "secret", base_url="http://127.0.0.1:9") as client:
            assert await post(make(handler, verifier=None, client=client), OF_NO_PAYMENT, {}) == 204
            assert not client.payments._tracker.wakes.has_begun
