"""The example service, on aiohttp, whole."""

from __future__ import annotations

import logging

import aiohttp
import pytest
from example_modules import SECRET, load
from web_servers import serve_aiohttp

from paywint_async.emulator import Emulator

pytestmark = pytest.mark.real_time
NOBODY = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"


@pytest.fixture
async def served(environment):
    """The service's session and URL, and its emulator."""
    async with Emulator(webhook_secret=SECRET, webhook_retry_delays=(0.0, 0.0)) as emulator:
        environment(emulator)
        async with (
            serve_aiohttp(load("service").make_app()) as url,
            aiohttp.ClientSession(url) as s,
        ):
            emulator.webhook_url = f"{url}/webhooks"
            yield s, emulator


async def ask(session, method, path, **options):
    async with session.request(method, path, **options) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else await answer.text()


async def test_a_link_is_made_and_its_payment_shown(served):
    session, emulator = served
    status, made = await ask(session, "POST", "/links", json={"amount": "4.50"})
    assert (status, made["payment_link"]) == (201, f"{emulator.url}/pay/{made['payment_id']}")
    await emulator.pay(made["payment_id"])
    shown = await ask(session, "GET", f"/payments/{made['payment_id']}")
    assert shown == (200, {"status": "success", "amount": "4.50"})


async def test_a_webhook_is_confirmed(served, caplog):
    caplog.set_level(logging.INFO, "service")
    session, emulator = served
    _status, made = await ask(session, "POST", "/links", json={"amount": "4.50"})
    await emulator.pay(made["payment_id"])
    await emulator.delivered()
    assert emulator.deliveries[0].attempts == [204]
    assert f"payment {made['payment_id']} is success" in caplog.messages


async def test_a_webhook_of_a_stranger_is_refused(served):
    session, _emulator = served
    assert await ask(session, "POST", "/webhooks", data=b"{}") == (401, "")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"amount": "0"}, 422),
        ({"amount": "1.999"}, 422),
        ({"amount": "4.50", "description": "x" * 256}, 422),
        ({"amount": "much"}, 400),
        ({"amount": 4.5}, 400),
        ({}, 400),
        ([], 400),
    ],
)
async def test_what_is_asked_wrongly_is_said(served, asked, status):
    session, _emulator = served
    code, told = await ask(session, "POST", "/links", json=asked)
    assert (code, "amount" in str(told) or "description" in str(told)) == (status, True)


async def test_no_such_payment(served):
    session, _emulator = served
    answer = await ask(session, "GET", f"/payments/{NOBODY}")
    assert answer == (404, {"problem": "no such payment"})


async def test_an_account_that_is_not_there_is_no_traceback(served, caplog):
    session, emulator = served
    caplog.set_level(logging.CRITICAL, "service")
    await emulator.aclose()
    code, told = await ask(session, "POST", "/links", json={"amount": "4.50"})
    assert (code, told) == (502, {"problem": "payments are not available"})
