"""The payer's page and the console over HTTP; `nox -s browser` tests them in a browser."""

import asyncio
import html
import json
import re
import time

import pytest
from aiohttp import web

from paywint_async.emulator import WebhookFaults, _rendering
from paywint_async.emulator._clock import LATEST_US

NOBODY = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"


async def link(account, **fields):
    answer = await account.create_link({"amount": 4.5, **fields})
    return answer.json["data"]["payment_id"]


async def read(account, path, code=200, **params):
    answer = await account.ask("GET", path, params=params)
    assert answer.status == code
    return answer.body.decode()


async def press(account, path, **fields):
    """Submit a form; return the status and the target of the redirect."""
    answer = await account.ask("POST", path, data=fields, allow_redirects=False)
    return answer.status, answer.headers.get("Location")


def text(page):
    """The text of the page."""
    without = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(without).split())


class TestThePayersPage:
    async def test_says_who_asks_for_what(self, serve):
        async with serve() as account:
            payment_id = await link(account, description="Coffee", invoice_number="INV-7")
            page = text(await read(account, f"/pay/{payment_id}"))
        for text_shown in ("Emulated Goods & Co. asks for $4.50 Coffee Invoice INV-7", "Decline"):
            assert text_shown in page

    async def test_opens_the_payment_once(self, serve):
        async with serve() as account:
            payment_id = await link(account)
            for _ in range(2):
                await read(account, f"/pay/{payment_id}")
            statuses = [status for status, _at in account.emulator.timeline(payment_id)]
        assert statuses == ["pending", "opened"]

    @pytest.mark.parametrize(
        ("action", "status", "message"),
        [
            ("pay", "success", "Paid"),
            ("fail", "failed", "The payment failed"),
            ("decline", "rejected", "Declined"),
            ("expire", "expired", "This link has expired"),
        ],
    )
    async def test_has_a_button_for_each_outcome(self, serve, action, status, message):
        async with serve() as account:
            payment_id = await link(account)
            path = f"/pay/{payment_id}"
            assert await press(account, path, action=action) == (303, path)
            page = await read(account, path)
            assert account.emulator.payment(payment_id).status == status
        assert (message in text(page), "<button" in page) == (True, False)

    @pytest.mark.parametrize("action", ["pay", "fail", "decline"])
    async def test_redirects_with_id_and_status(self, serve, action):
        async with serve(redirect_url="http://shop.test/back?a=1") as account:
            payment_id = await link(account)
            status, url = await press(account, f"/pay/{payment_id}", action=action)
            end = account.emulator.payment(payment_id).status
        assert (status, url) == (303, f"http://shop.test/back?a=1&id={payment_id}&status={end}")

    async def test_does_not_redirect_after_expiry(self, serve):
        async with serve(redirect_url="http://shop.test/back") as account:
            path = f"/pay/{await link(account)}"
            assert await press(account, path, action="expire") == (303, path)

    async def test_accepts_one_decision_from_two_tabs(self, serve):
        async with serve() as account:
            payment_id = await link(account)
            await press(account, f"/pay/{payment_id}", action="pay")
            assert (await press(account, f"/pay/{payment_id}", action="decline"))[0] == 409
            assert account.emulator.payment(payment_id).status == "success"

    async def test_refuses_an_unknown_action(self, serve):
        async with serve() as account:
            payment_id = await link(account)
            for fields in ({"action": "refund"}, {}):
                assert (await press(account, f"/pay/{payment_id}", **fields))[0] == 400
            assert account.emulator.payment(payment_id).status == "pending"

    async def test_answers_404_for_an_unknown_payment(self, serve):
        async with serve() as account:
            for path in (f"/pay/{NOBODY}", "/pay/x"):
                assert "No such payment" in await read(account, path, code=404)
                assert (await press(account, path, action="pay"))[0] == 404


class TestTheConsole:
    async def test_lists_both_directions(self, serve):
        async with serve(payments=60) as account:
            received = await read(account, "/")
            sent = await read(account, "/", direction="sent")
        assert (received.count("<tr>"), sent.count("<tr>")) == (51, 51)
        assert "Received 60 Sent 60" in text(received)
        assert received != sent

    async def test_pages_to_the_oldest_without_repeating_any(self, serve):
        async with serve(payments=120) as account:
            path, ids = "/", []
            while path:
                page = await read(account, path)
                ids += re.findall(r'href="/console/payments/([^"]+)"', page)
                older = re.search(r'<a href="([^"]*)">Older</a>', page)
                path = html.unescape(older[1]) if older else None
            assert ids == account.emulator.history("received")

    async def test_filters_by_status_and_by_text(self, serve):
        async with serve(payments=100) as account:
            payment_id = await link(account, description="a very special coffee")
            by_text = await read(account, "/", q="SPECIAL")
            by_id = await read(account, "/", q=payment_id)
            failed = await read(account, "/", status="failed")
            nothing = await read(account, "/", q="nothing has this in it")
        assert (by_text.count("<tr>"), by_id.count("<tr>")) == (2, 2)
        badges = set(re.findall(r'<span class="badge (\w+)"', failed))
        assert badges == {"failed"}
        assert "No payment matches." in nothing

    @pytest.mark.parametrize(
        "query", ["direction=both", "from=x", f"from={'9' * 5000}", "status=x"]
    )
    async def test_ignores_invalid_parameters(self, serve, query):
        async with serve(payments=5) as account:
            answer = await account.ask("GET", f"/?{query}")
        assert answer.status == (400 if "both" in query else 200)

    async def test_changes_a_payment_and_shows_its_timeline(self, serve):
        async with serve() as account:
            payment_id = await link(account)
            path = f"/console/payments/{payment_id}"
            for status in ("opened", "processing", "failed"):
                assert await press(account, path, status=status) == (303, path)
            code, retry = await press(account, path, status="retried")
            page = await read(account, path)
        assert (code, retry in page) == (303, True)
        statuses = re.findall(r'<li><span class="badge (\w+)"', page)
        assert statuses == ["pending", "opened", "processing", "failed", "retried"]

    async def test_refuses_a_change_that_is_not_possible(self, serve):
        async with serve(payments=1) as account:
            payment_id = await link(account)
            path = f"/console/payments/{payment_id}"
            assert (await press(account, path, status="retried"))[0] == 409
            assert (await press(account, path, status="nonsense"))[0] == 409
            assert (await press(account, f"/console/payments/{NOBODY}", status="success"))[0] == 404
            generated = account.emulator.history("sent")[0]
            assert "generated history" in await read(account, f"/console/payments/{generated}")

    async def test_shows_the_requests_the_latest_first(self, serve):
        async with serve(payments=5) as account:
            assert "Nobody has asked" in await read(account, "/console/requests")
            await account.page("received", 1)
            await account.get(NOBODY)
            page = text(await read(account, "/console/requests"))
        first, second = (
            page.index(f"/get/{NOBODY} – 404"),
            page.index("/list/payment-received 1 200"),
        )
        assert first < second

    async def test_shows_a_request_whose_client_disconnected(self, serve):
        async with serve(latency=1000.0) as account:
            asking = asyncio.ensure_future(account.get(NOBODY))
            while not account.emulator.in_flight:
                await asyncio.sleep(0)
            asking.cancel()
            while account.emulator.in_flight:
                await asyncio.sleep(0)
            assert "gone" in text(await read(account, "/console/requests"))


HOSTILE = "<script>alert('x')</script> \"'><b>{{ 7 * 7 }}"


class TestEveryPage:
    async def test_escapes_untrusted_text(self, serve):
        async with serve(payments=200) as account:
            payment_id = await link(account, description=HOSTILE)
            await account.emulator.fail(payment_id, HOSTILE)
            paths = ("/", f"/console/payments/{payment_id}", f"/pay/{payment_id}")
            for path in (*paths, f"/?q={payment_id}"):
                page = await read(account, path)
                assert ("<script>alert" in page, "<b>{{" in page) == (False, False)
                assert HOSTILE in html.unescape(page)
            page = await read(account, "/", q=HOSTILE)
        assert ("<script>alert" in page, HOSTILE in html.unescape(page)) == (False, True)

    async def test_its_policy_forbids_other_sources(self, serve):
        async with serve() as account:
            for path in ("/", f"/pay/{await link(account)}", "/console/static/console.css"):
                headers = (await account.ask("GET", path)).headers
                assert headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert headers["X-Content-Type-Options"] == "nosniff"

    async def test_loads_nothing_from_other_sources(self, serve):
        async with serve() as account:
            pages = [await read(account, path) for path in ("/", f"/pay/{await link(account)}")]
            used = {
                ref
                for page in pages
                for ref in re.findall(r'(?:src|href)="(/console/static[^"]*)', page)
            }
            assert {ref.rpartition("/")[2] for ref in used} == {"console.css", "console.js"}
            for ref in used:
                await read(account, ref)
            await read(account, "/console/static/secrets.txt", code=404)
        assert re.findall(r'(?:src|href)="(?:https?:)?//', "".join(pages)) == []

    async def test_names_the_extra_if_jinja_is_not_installed(self, serve, monkeypatch):
        monkeypatch.setattr(_rendering, "_environment", lambda: None)
        async with serve() as account:
            assert "pip install 'paywint-async[emulator]'" in await read(account, "/", code=501)
            assert (await account.page("received", 1)).status == 200


@pytest.fixture
async def receiver():
    """A receiver that answers 503 the first three times, and what it has seen."""
    seen = []

    async def answer(request):
        seen.append(json.loads(await request.read())["event"])
        return web.Response(status=503 if len(seen) < 4 else 204)

    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", seen
    await runner.cleanup()


class TestWebhooks:
    async def test_are_shown_with_their_answers_and_sent_again(self, serve, receiver):
        url, seen = receiver
        async with serve(webhook_url=url) as account:
            assert f"Told to {url}" in text(await read(account, "/console/webhooks"))
            payment_id = await link(account)
            await account.emulator.pay(payment_id)
            await account.emulator.delivered()
            page = await read(account, "/console/webhooks")
            assert "failed 503 · 503 · 503 Resend" in text(page)
            assert "payment.success failed 503" in text(
                await read(account, f"/console/payments/{payment_id}")
            )
            again = re.search(r'action="(/console/webhooks/[^"]+)"', page)[1]
            assert await press(account, again) == (303, "/console/webhooks")
            await account.emulator.delivered()
            page = text(await read(account, "/console/webhooks"))
        assert "delivered 503 · 503 · 503 · 204 Resend" in page
        assert seen == ["payment.success"] * 4

    async def test_are_sent_again_without_waiting_for_the_receiver(self, serve, unused_tcp_port):
        async with serve(webhook_url=f"http://127.0.0.1:{unused_tcp_port}/") as account:
            await account.emulator.pay(await link(account))
            await account.emulator.delivered()
            (delivery,) = account.emulator.deliveries
            assert delivery.outcome == "failed"
            await press(account, f"/console/webhooks/{delivery.number}")
            assert delivery.outcome == "pending"
            assert len(delivery.attempts) < 6

    async def test_that_were_not_made_cannot_be_sent_again(self, serve):
        async with serve() as account:
            assert (await press(account, f"/console/webhooks/{NOBODY}"))[0] == 404
            assert "There is no receiver" in text(await read(account, "/console/webhooks"))


GIVEN = {
    "latency": "0.5",
    "rate_limit": "7",
    "failures": "0.25",
    "webhook_url": "",
    "advance": "60",
}
GIVEN |= {"delay": "1", "duplicate": "0.1", "reorder": "0.2", "drop": "0.3"}
NUMBERS = ["latency", "rate_limit", "failures", "delay", "duplicate", "reorder", "drop"]


class TestSettings:
    async def test_are_kept_and_shown(self, serve):
        async with serve() as account:
            before_us = account.emulator.now_us()
            url = "http://127.0.0.1:9/hook"
            given = GIVEN | {"webhook_url": url}
            answer = await press(account, "/console/settings", **given)
            page = await read(account, "/console/settings")
            emulator = account.emulator
            assert answer == (303, "/console/settings")
            assert emulator.webhook_faults == WebhookFaults(
                delay=1, duplicate=0.1, reorder=0.2, drop=0.3
            )
            assert emulator.webhook_url == url
            assert emulator.now_us() - before_us >= 60_000_000
        shown = dict(re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', page))
        assert shown == given | {"advance": ""}

    async def test_change_the_api_at_once(self, serve):
        async with serve(payments=5) as account:
            await press(account, "/console/settings", failures="1")
            assert (await account.page("received", 1)).status == 503
            await press(account, "/console/settings", failures="0", rate_limit="1")
            answers = [(await account.page("received", 1)).status for _ in range(3)]
            assert answers == [200, 429, 429]
            await press(account, "/console/settings")
            assert (await account.page("received", 1)).status == 200

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"latency": "-1"}, "latency must be"),
            ({"latency": "soon"}, "soon"),
            ({"rate_limit": "0"}, "rate_limit must be"),
            ({"failures": "2"}, "failures must be"),
            ({"drop": "1.5"}, "drop"),
            ({"delay": "nan"}, "delay"),
            ({"webhook_url": "http://example.com/"}, "webhook_url must be"),
            ({"webhook_url": "http://evil\\@localhost/"}, "webhook_url must be"),
            ({"advance": "-1"}, "seconds must be"),
            ({"advance": "1e10"}, "seconds must be"),
            ({"advance": "2e8"}, "before the year 9000"),
            *[({name: "inf"}, name) for name in NUMBERS],
            *[({name: "nan"}, name) for name in NUMBERS],
            ({"advance": "inf"}, "seconds must be"),
            ({"advance": "nan"}, "seconds must be"),
        ],
    )
    async def test_that_are_invalid_change_nothing_and_stay_in_the_form(
        self, serve, wrong, message
    ):
        async with serve() as account:
            account.emulator._clock.restore(
                LATEST_US - 100_000_000_000_000 - time.time_ns() // 1000
            )
            before = await read(account, "/console/settings")
            answer = await account.ask("POST", "/console/settings", data=GIVEN | wrong)
            page = answer.body.decode()
            after = await read(account, "/console/settings")
        assert (answer.status, message in text(page)) == (422, True)
        ((name, value),) = wrong.items()
        assert f'value="{value}"' in re.search(f'<input name="{name}"[^>]*>', page)[0]
        without_time = re.compile(r"<time>.*?</time>")
        assert without_time.sub("", after) == without_time.sub("", before)


async def test_page_views_are_not_counted_as_requests(serve):
    async with serve() as account:
        for path in ("/", "/console/requests", f"/pay/{await link(account)}"):
            await read(account, path)
        assert [request.path for request in account.emulator.requests] == [
            "/api/user-api/payment/create-payment-link"
        ]
