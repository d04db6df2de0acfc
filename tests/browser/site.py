"""The documentation site in a real browser: every page opens, no link is broken, search works.

Run by `nox -s browser`. Screenshots go to the folder that PAYWINT_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

CHECKOUT = Path(__file__).resolve().parents[2]


class Quiet(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the site, which is built and served for these tests."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "docs", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def failed(request: Request) -> bool:
    """Return whether a request failed, and was not aborted because the browser left the page."""
    return request.failure != "net::ERR_ABORTED"


@pytest.fixture
def opened(page: Page, site: str) -> Iterator[Page]:
    """The first page; the test fails if it loads anything from the network, or a link is broken."""
    asked: list[str] = []
    lost: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: lost.append(request.url) if failed(request) else None)
    page.on("response", lambda answer: lost.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{site}/index.html")
    yield page
    assert [url for url in asked if not url.startswith((site, "data:"))] == []
    assert lost == []


def test_every_page_opens_and_fits_its_width(opened: Page, site: str) -> None:
    links = opened.locator(".sidebar-tree a.reference.internal")
    targets = dict.fromkeys(link.get_attribute("href") or "" for link in links.all())
    assert len(targets) > 25
    for target in filter(None, targets):
        opened.goto(f"{site}/{target.partition('#')[0]}")
        expect(opened.get_by_role("heading", level=1).first).to_be_visible()
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), target


def test_the_reference_shows_the_defaults_as_values(opened: Page, site: str) -> None:
    opened.goto(f"{site}/reference/emulator.html")
    delivery = opened.locator("dt[id='paywint_async.emulator.Delivery']")

    expect(delivery).to_contain_text("outcome: str = 'pending'")
    expect(delivery).to_contain_text("attempts: list[int | str] = []")


def test_the_reference_shows_the_values_of_constants_that_are_defaults(
    opened: Page, site: str
) -> None:
    opened.goto(f"{site}/reference/client.html")
    client = opened.locator("dt[id='paywint_async.PaywintClient']")

    expect(client).to_contain_text("retry: RetryPolicy = RetryPolicy(max_attempts=4")
    expect(client).to_contain_text("sent_path: str = '/api/user-api/payment/list/payment-sent'")


def test_the_search_finds_a_name_of_the_reference(opened: Page, site: str) -> None:
    opened.goto(f"{site}/search.html?q=wait_until_final")

    result = opened.locator("#search-results li a").first

    expect(result).to_be_visible(timeout=15_000)


def test_an_error_of_the_reference_links_to_where_it_stands(opened: Page, site: str) -> None:
    opened.goto(f"{site}/reference/errors.html")

    expect(opened.locator("#paywint_async\\.OutcomeUnknownError")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_shown_in_the_readers_colours(scheme: str, browser: Browser, site: str) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page.goto(f"{site}/tutorial.html")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in colour[4:-1].split(","))
    if folder := os.environ.get("PAYWINT_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/site-{scheme}.png")
    page.close()

    assert (brightness > 3 * 128) == (scheme == "light")
