"""The answers to a sender, and the calls of the handler."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import attrs
import pytest
from webhook_deliveries import ID, NOW, PAYMENT_ID, RETRY_ID, SECRET, clock, delivery, signed
from webhook_posting import BODY, make, post

from paywint_async import ConfigurationError, NotFoundError, PaywintClient
from paywint_async.emulator import Emulator
from paywint_async.webhooks import (
    MAX_BODY,
    MemoryReplayStore,
    StandardWebhooks,
    WebhookReceiver,
    parse_event,
)


class TestAnAnswer:
    async def test_is_204_once_the_event_is_processed(self, receiver, handler):
        assert await post(receiver) == 204
        assert handler.events == [
            attrs.evolve(parse_event(BODY, {}, clock=clock), is_verified=True)
        ]

    async def test_is_204_for_a_repeat_which_is_not_processed(self, receiver, handler):
        assert [await post(receiver) for _ in range(3)] == [204] * 3
        assert len(handler.events) == 1

    @pytest.mark.parametrize(
        ("headers", "body", "status"),
        [
            ({}, BODY, 401),
            (signed(BODY, secret="other"), BODY, 401),
            ([("a",)], BODY, 401),
            (signed(BODY, at=int(NOW) - 400), BODY, 400),
            (signed(BODY, at=int(NOW) + 400), BODY, 400),
            (signed(b"{"), b"{", 400),
            (signed(b""), b"", 400),
            (signed(delivery(id=None)), delivery(id=None), 400),
            (signed(BODY), b" " * (MAX_BODY + 1), 413),
        ],
    )
    async def test_is_4xx_for_a_refused_delivery(self, receiver, handler, headers, body, status):
        assert await post(receiver, body, headers) == status
        assert handler.events == []

    @pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "post", ""])
    async def test_is_405_for_another_method(self, receiver, handler, method):
        assert await receiver.handle(method, signed(BODY), BODY) == 405
        assert handler.events == []

    async def test_is_500_when_the_handler_fails_and_the_next_delivery_is_processed(
        self, receiver, handler
    ):
        handler.outcomes = [ValueError("x"), KeyError("y")]
        assert [await post(receiver) for _ in range(4)] == [500, 500, 204, 204]
        assert len(handler.events) == 3

    async def test_is_500_when_the_event_is_forged(self, receiver, handler):
        handler.outcomes = [NotFoundError(404, "no such payment")]
        assert await post(receiver) == 500

    @pytest.mark.parametrize("fails", ["claim", "complete"])
    async def test_is_500_when_the_store_fails(self, handler, fails):
        store = MemoryReplayStore()
        works = getattr(store, fails)

        async def fail(event_id):
            setattr(store, fails, works)
            raise OSError("the database is gone")

        setattr(store, fails, fail)
        receiver = make(handler, store=store)
        assert [await post(receiver), await post(receiver)] == [500, 204]

    async def test_is_500_when_the_store_is_full_and_no_event_is_processed_twice(
        self, handler, caplog
    ):
        receiver = make(handler, store=MemoryReplayStore(capacity=1))
        other = delivery(id=str(uuid4()))
        answers = [await post(receiver, body) for body in (BODY, other, BODY, other)]
        assert answers == [204, 500, 204, 500]
        assert [str(event.id) for event in handler.events] == [ID]
        assert "the replay store is full" in caplog.text

    async def test_is_the_same_for_a_replay_at_the_end_of_its_tolerance(self, handler):
        now = 0.0
        store = MemoryReplayStore(keep=600, clock=lambda: now)
        receiver = make(handler, store=store, clock=lambda: NOW + now)
        early = signed(BODY, at=int(NOW) + 300)  # the sender's clock is ahead
        assert await post(receiver, headers=early) == 204
        now = 599.0
        assert await post(receiver, headers=early) == 204
        now = 601.0
        assert await post(receiver, headers=early) == 400
        assert len(handler.events) == 1

    async def test_uses_by_default_a_store_that_outlasts_the_tolerance(self, handler):
        kept = [make(handler, tolerance=t)._store.keep for t in (None, "auto", 100_000)]
        assert kept == [86_400, 86_400, 200_000]

    async def test_is_a_cancellation_even_when_the_store_cannot_release(self):
        async def cancelled(event):
            raise asyncio.CancelledError

        async def fail(event_id):
            raise OSError("no store")

        store = MemoryReplayStore()
        store.release = fail
        with pytest.raises(asyncio.CancelledError):
            await post(make(cancelled, store=store))

    async def test_is_500_when_the_handler_is_not_a_coroutine_function(self):
        assert await post(make(lambda event: None)) == 500


class TestAFailingClock:
    async def test_shows_no_header(self, handler, shown):
        def fail():
            raise OSError("no time")

        headers = signed(BODY) | {"Authorization": SECRET}
        with pytest.raises(OSError, match="no time") as caught:
            await post(make(handler, clock=fail), headers=headers)
        assert SECRET not in shown(caught.value)


class TestWithoutAVerifier:
    async def test_must_be_passed_explicitly(self, handler):
        with pytest.raises(TypeError, match="verifier"):
            WebhookReceiver(handler)

    async def test_the_event_is_not_verified(self, handler):
        assert await post(make(handler, verifier=None), headers={}) == 204
        assert [event.is_verified for event in handler.events] == [False]

    async def test_an_old_event_is_refused_unless_any_age_is_allowed(self, handler):
        old = delivery(at=NOW - 901)
        assert await post(make(handler, verifier=None), old, {}) == 400
        assert await post(make(handler, verifier=None, tolerance=None), old, {}) == 204


class TestAWaitingClient:
    def client(self, woken):
        def wake(payment_id, **retry):
            woken.append((payment_id, retry) if retry else payment_id)

        return SimpleNamespace(payments=SimpleNamespace(wake=wake))

    async def test_is_woken_by_each_event_once_also_when_the_handler_fails(self, handler):
        woken = []
        handler.outcomes = [ValueError()]
        receiver = make(handler, client=self.client(woken))
        assert await post(receiver) == 500
        assert woken == [UUID(PAYMENT_ID)]
        assert [await post(receiver), await post(receiver)] == [204, 204]
        assert woken == [UUID(PAYMENT_ID)] * 2

    async def test_is_woken_by_a_retry_if_the_event_is_verified(self, handler):
        woken = []
        body = delivery(status="retried", retry_payment_id=RETRY_ID)
        await post(make(handler, client=self.client(woken)), body)
        await post(make(handler, client=self.client(woken), verifier=None), body, {})
        named = {"retry_payment_id": UUID(RETRY_ID)}
        assert woken == [(UUID(PAYMENT_ID), named), UUID(PAYMENT_ID)]

    async def test_that_cannot_be_woken_makes_the_answer_500(self, handler):
        def wake(payment_id):
            raise RuntimeError("closed")

        client = SimpleNamespace(payments=SimpleNamespace(wake=wake))
        assert await post(make(handler, client=client)) == 500
        assert handler.events == []

    async def test_is_not_woken_by_a_refused_delivery(self, handler):
        woken = []
        await post(make(handler, client=self.client(woken)), headers={})
        assert woken == []


class TestTheLog:
    async def test_has_one_line_for_a_refusal(self, receiver, caplog):
        await post(receiver, headers={})
        ((_name, level, line),) = caplog.record_tuples
        assert level == logging.WARNING
        assert line.startswith("a webhook was refused: the header webhook-id is missing")

    async def test_escapes_the_senders_text(self, handler, caplog):
        receiver = make(handler, verifier=None)
        await post(receiver, delivery(at="1\nERROR everything is lost"), {})
        handler.outcomes = [ValueError()]
        await post(receiver, delivery(id="1\nERROR everything is lost\x1b[2J" + "x" * 1000), {})
        assert [line for line in caplog.messages if not line.isprintable() or len(line) > 150] == []
        assert len(caplog.messages) == 2

    async def test_has_the_handlers_failure_with_its_traceback(self, receiver, handler, caplog):
        handler.outcomes = [ValueError("out of stock")]
        await post(receiver)
        (record,) = caplog.records
        assert (record.levelno, ID in record.getMessage()) == (logging.ERROR, True)
        assert "out of stock" in caplog.text
        logged = record.paywint_event, record.paywint_webhook_id, record.paywint_error
        assert logged == ("webhook_not_processed", ID, "ValueError")

    async def test_has_no_secret(self, receiver, handler, caplog):
        caplog.set_level(logging.DEBUG)
        handler.outcomes = [ValueError()]
        for headers in (None, None, {}, signed(BODY, secret="other")):
            await post(receiver, headers=headers)
        assert len(caplog.records) == 3
        assert SECRET not in caplog.text + "".join(str(vars(r)) for r in caplog.records)


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_event": None},
        {"verifier": "secret"},
        {"tolerance": 0},
        {"tolerance": -1},
        {"tolerance": float("nan")},
        {"tolerance": "300"},
        {"tolerance": True},
        {"tolerance": "Auto"},
        {"tolerance": timedelta(minutes=5)},
        {"clock": None},
        {"clock": 5.0},
        {"store": "redis://localhost"},
        {"store": MemoryReplayStore},
        {"store": SimpleNamespace(claim=print, complete=print)},
        {"store": MemoryReplayStore(keep=1799)},
        {"store": MemoryReplayStore(keep=1799), "verifier": lambda body, headers: True},
        {"store": MemoryReplayStore(keep=599), "verifier": StandardWebhooks(SECRET)},
        {"store": MemoryReplayStore(keep=1e5), "tolerance": 50_001},
        {"client": "client"},
        {"client": SimpleNamespace(payments=SimpleNamespace())},
    ],
)
def test_an_invalid_argument_is_refused_at_once(handler, wrong):
    arguments = {"on_event": handler, "verifier": None} | wrong
    on_event = arguments.pop("on_event")
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        WebhookReceiver(on_event, **arguments)


@pytest.mark.parametrize("name", ["verifier", "store", "client"])
def test_an_invalid_argument_is_not_shown(handler, name, shown):
    arguments = {"verifier": None, name: SECRET}
    with pytest.raises(ConfigurationError, match=name) as caught:
        WebhookReceiver(handler, **arguments)
    assert SECRET not in shown(caught.value)


async def test_confirming_uses_only_get_payment():
    async with Emulator() as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            link = await client.payments.create_link(5)
            body = delivery(payment_id=str(link.payment_id), status="success", amount=10**9)
            payment = await parse_event(body, {}, clock=clock).confirm(client)
            assert (payment.status, payment.amount) == ("pending", 5)
            with pytest.raises(NotFoundError):
                await parse_event(delivery(), {}, clock=clock).confirm(client)
