"""The whole published flow in a real browser: link, page, payment, webhook, status page.

Needs Chromium and Playwright: run by `nox -s browser`, never by the suite itself. Screenshots go to
the folder that PAYWINT_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`paywint emulator` and the example shop, as the shop's own docstring starts them."""
    shop, emulator = free_port(), free_port()
    env = {**os.environ, "PAYWINT_WEBHOOK_SECRET": "whsec_test_secret"}
    command = [sys.executable, "-m", "paywint_async", "emulator", "--payments", "40"]
    command += ["--port", str(emulator), "--webhook-url", f"http://127.0.0.1:{shop}/webhooks"]
    command += ["--redirect-url", f"http://127.0.0.1:{shop}/back"]
    account = (tmp_path / "account.sh").open("w+")
    processes = [subprocess.Popen(command, stdout=account, env=env)]
    try:
        wait_for(emulator)
        text = (tmp_path / "account.sh").read_text()
        env |= dict(re.findall(r"export (\w+)='?([^'\n]*)'?\n", text))
        serve = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "shop:app"]
        processes.append(subprocess.Popen([*serve, "--port", str(shop)], env=env))
        wait_for(shop)
        yield {"shop": f"http://127.0.0.1:{shop}", "emulator": f"http://127.0.0.1:{emulator}"}
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        account.close()


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("PAYWINT_SCREENSHOTS"):
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)


def test_a_buyer_pays_and_the_shop_knows(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    page.get_by_role("button", name="Coffee").click()
    expect(page.get_by_role("heading", name="$4.50")).to_be_visible()
    keep(page, "pay")
    page.keyboard.press("Enter")  # the button to pay has the focus

    page.wait_for_url(f"{started['shop']}/orders/*")
    expect(page.locator("#status")).to_have_text("success")

    page.goto(f"{started['emulator']}/console/webhooks")
    expect(
        page.get_by_role("row", name=re.compile("payment.success.*delivered.*204"))
    ).to_be_visible()
    keep(page, "webhooks")
    page.get_by_role("link", name="payment.success").click()
    expect(page.get_by_role("list").get_by_text("processing")).to_be_visible()
    keep(page, "payment")


def test_a_webhook_alone_settles_an_order(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    page.get_by_role("button", name="Cake").click()
    payment_id = page.url.rpartition("/")[2]
    other = page.context.new_page()
    other.goto(f"{started['shop']}/orders/{payment_id}")
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


def test_a_link_that_expired_cannot_be_paid(page: Page, started: dict[str, str]) -> None:
    page.goto(started["shop"])
    page.get_by_role("button", name="Both").click()
    page.get_by_text("Let something else happen").click()
    page.get_by_role("button", name="Let the link expire").click()
    expect(page.get_by_role("status")).to_have_text("This link has expired")
    expect(page.get_by_role("button", name=re.compile("Pay"))).to_have_count(0)
    keep(page, "expired")


def test_the_console_shows_what_happens_as_it_happens(page: Page, started: dict[str, str]) -> None:
    page.goto(started["emulator"])
    keep(page, "payments")
    other = page.context.new_page()
    other.goto(started["shop"])
    other.get_by_role("button", name="Coffee").click()
    expect(page.get_by_role("row", name=re.compile(r"opened \$4.50"))).to_be_visible()


def test_the_console_filters(page: Page, started: dict[str, str]) -> None:
    page.goto(started["emulator"])
    page.get_by_label("Status").select_option("failed")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr")
    expect(rows).not_to_have_count(0)
    expect(rows.filter(has_text="success")).to_have_count(0)


def test_settings_are_checked_and_hold(page: Page, started: dict[str, str]) -> None:
    page.goto(f"{started['emulator']}/console/settings")
    keep(page, "settings")
    page.get_by_label("Rate limit").fill("7")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_label("Rate limit")).to_have_value("7.0")
    page.get_by_label("Receiver").fill("http://example.com/")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_contain_text("webhook_url must be http(s) on localhost")


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
