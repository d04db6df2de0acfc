"""The complete published flow in a real browser: link, page, payment, webhook, status page.

Needs Chromium and Playwright: run by `nox -s browser`, never by the suite itself. Screenshots are
saved in the folder PAYWINT_SCREENSHOTS.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def end(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


def is_problem(line: ConsoleMessage) -> bool:
    """Whether it is an error. Chromium reports a form's 422 as one, though the page handles it."""
    return line.type == "error" and "status of 422" not in line.text


@pytest.fixture
def started() -> Iterator[dict[str, str]]:
    """`paywint emulator` and the example shop, started like in the shop's docstring."""
    env = {**os.environ, "PAYWINT_WEBHOOK_SECRET": "whsec_test_secret"}
    command = [sys.executable, "-m", "paywint_async", "emulator", "--payments", "40"]
    serve = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "shop:app", "--fd"]
    with ExitStack() as running:
        # Connections made before the shop has started wait in this socket's queue.
        listening = running.enter_context(socket.create_server(("127.0.0.1", 0)))
        shop = f"http://127.0.0.1:{listening.getsockname()[1]}"
        command += ["--webhook-url", f"{shop}/webhooks", "--redirect-url", f"{shop}/back"]
        account = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True)
        running.callback(end, account)
        assert account.stdout is not None
        variables: dict[str, str] = {}
        while "PAYWINT_BASE_URL" not in variables:
            line = account.stdout.readline()
            assert line, "the emulator ended"
            variables |= re.findall(r"export (\w+)='?([^'\n]*)'?\n", line)
        env |= variables
        queue = listening.fileno()
        running.callback(end, subprocess.Popen([*serve, str(queue)], env=env, pass_fds=[queue]))
        yield env | {"shop": shop, "emulator": variables["PAYWINT_BASE_URL"]}


@pytest.fixture(params=["desktop", "phone"])
def page(
    browser: Browser, started: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Page]:
    """An empty page, closed before the servers; its errors fail the test."""
    size = {"desktop": (1280, 900), "phone": (390, 800)}[request.param]
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if is_problem(line) else None)
    yield page
    context.close()
    assert problems == []


def keep(page: Page, name: str) -> None:
    """Save a screenshot, if enabled; check that the page is not wider than the screen."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    if folder := os.environ.get("PAYWINT_SCREENSHOTS"):
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)


def make_link(started: dict[str, str], description: str) -> str:
    """Make a payment link without the shop, and return its URL."""
    body = json.dumps({"amount": 1234567.89, "description": description}).encode()
    request = urllib.request.Request(
        f"{started['emulator']}/api/user-api/payment/create-payment-link", data=body
    )
    request.add_header("Content-Type", "application/json")
    request.add_header("X-Api-Key", started["PAYWINT_API_KEY"])
    request.add_header("X-Api-Secret", started["PAYWINT_API_SECRET"])
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["data"]["payment_link"])


def test_a_buyer_pays_and_the_shop_knows(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    keep(page, "shop")
    page.get_by_role("button", name="Coffee").click()
    expect(page.get_by_role("heading", name="$4.50")).to_be_visible()
    keep(page, "pay")
    page.keyboard.press("Enter")  # the focus is on the button to pay

    page.wait_for_url(f"{started['shop']}/orders/*")
    expect(page.locator("#status")).to_have_text("success")
    keep(page, "order")

    page.goto(f"{started['emulator']}/console/webhooks")
    expect(
        page.get_by_role("row", name=re.compile("payment.success.*delivered.*204"))
    ).to_be_visible()
    keep(page, "webhooks")
    page.get_by_role("link", name="payment.success").click()
    expect(page.get_by_role("list").get_by_text("processing")).to_be_visible()
    keep(page, "payment")
    page.get_by_role("link", name="Requests").click()
    expect(page.get_by_role("row", name=re.compile("create-payment-link.*200"))).to_be_visible()
    keep(page, "requests")


def test_a_webhook_alone_updates_an_order(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    page.get_by_role("button", name="Cake").click()
    payment_id = page.url.rpartition("/")[2]
    other = page.context.new_page()
    other.goto(f"{started['shop']}/back?id={payment_id}")
    expect(other.locator("#status")).to_have_text("opened")

    page.goto(f"{started['emulator']}/console/payments/{payment_id}")
    page.get_by_role("button", name="Fail").click()

    expect(other.locator("#status")).to_have_text("failed")
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_role("heading")).to_contain_text(["success"])


def test_a_buyer_declines(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    page.get_by_role("button", name="Both").click()
    page.get_by_role("button", name="Decline").click()
    expect(page.locator("#status")).to_have_text("rejected")


def test_an_expired_link_cannot_be_paid(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    page.get_by_role("button", name="Both").click()
    page.get_by_text("Let something else happen").click()
    page.get_by_role("button", name="Let the link expire").click()
    expect(page.get_by_role("status")).to_have_text("This link has expired")
    expect(page.get_by_role("button", name=re.compile("Pay"))).to_have_count(0)
    keep(page, "expired")


def test_the_console_shows_changes_at_once(page: Page, started: dict[str, str]) -> None:
    page.goto(started["emulator"])
    keep(page, "payments")
    other = page.context.new_page()
    other.goto(started["shop"])
    other.get_by_role("button", name="Coffee").click()
    expect(page.get_by_role("row", name=re.compile(r"opened \$4.50"))).to_be_visible()


def test_the_console_filters(page: Page, started: dict[str, str]) -> None:
    page.goto(started["emulator"])
    page.get_by_label("Status").select_option("processing")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr")
    expect(rows).not_to_have_count(0)
    expect(rows.filter(has_text="success")).to_have_count(0)


def test_settings_are_checked_and_kept(page: Page, started: dict[str, str]) -> None:
    page.goto(f"{started['emulator']}/console/settings")
    keep(page, "settings")
    page.get_by_label("Rate limit").fill("7")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_label("Rate limit")).to_have_value("7")
    page.get_by_label("Receiver").fill("http://example.com/")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_contain_text("webhook_url must be http(s) on localhost")
    expect(page.get_by_label("Receiver")).to_have_value("http://example.com/")
    keep(page, "problem")
    page.get_by_label("Receiver").fill(f"{started['shop']}/webhooks")
    page.get_by_label("Share lost").fill("1")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.goto(make_link(started, "lost"))
    page.goto(f"{started['emulator']}/console/webhooks")
    expect(page.get_by_role("row", name=re.compile("payment.opened.*dropped"))).to_be_visible()
    keep(page, "dropped")


HOSTILE = {
    "script": "<script>document.title = 'broken'</script><img src=x onerror=alert(1)>",
    "long": "W" * 255,
    "rtl": "\u202e\u202eevil \u0627\u0644\u0639\u0631\u0628\u064a\u0629 ]]>--> {{ 7 * 7 }}",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_shown_as_text(page: Page, started: dict[str, str], kind: str) -> None:
    hostile = HOSTILE[kind]
    link = make_link(started, hostile)
    page.goto(link)
    keep(page, f"hostile-{kind}")
    expect(page.get_by_text(hostile, exact=True)).to_be_visible()
    expect(page).to_have_title(re.compile("to Emulated Goods"))
    for url in (started["emulator"], link.replace("/pay/", "/console/payments/")):
        page.goto(url)
        keep(page, f"hostile-{kind}-console")
        expect(page.get_by_text(hostile, exact=True)).to_have_count(1)
        expect(page).to_have_title(re.compile("Paywint emulator"))


def test_everything_works_by_keyboard(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    for _ in "12":
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cake")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pay")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Decline")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("rejected")

    page.goto(started["emulator"])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=re.compile("Received"))).to_be_focused()
    make_link(started, "the page is reloaded and keeps the focus")
    expect(page.get_by_role("link", name=re.compile("Received 42"))).to_be_focused()


def test_a_resend_does_not_wait_for_an_unreachable_receiver(
    page: Page, started: dict[str, str]
) -> None:
    page.goto(make_link(started, "told"))
    page.goto(f"{started['emulator']}/console/settings")
    page.get_by_label("Receiver").fill("http://127.0.0.1:1/nobody")
    page.get_by_role("button", name="Apply").click()
    page.goto(f"{started['emulator']}/console/webhooks")
    page.get_by_role("button", name="Resend").first.click()
    expect(page.get_by_role("row", name=re.compile("payment.opened.*pending"))).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("no connection"))).to_be_visible()
    keep(page, "resent")


def test_everything_works_without_a_script(browser: Browser, started: dict[str, str]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(started["shop"])
    page.get_by_role("button", name="Coffee").click()
    page.get_by_role("button", name="Pay $4.50").click()
    expect(page.locator("#status")).to_have_text("success")
    page.goto(started["emulator"])
    expect(page.get_by_role("row", name=re.compile("success"))).not_to_have_count(0)
    context.close()
