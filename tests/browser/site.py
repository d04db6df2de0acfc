"""The documentation site in a real browser: every page opens, no link is broken, search works.

Run by `nox -s browser`. Screenshots are saved in the folder PAYWINT_SCREENSHOTS.
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
    """Serves files without a log."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Builds and serves the site; yields its URL."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "docs", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def failed(request: Request) -> bool:
    """Return whether a request failed; those aborted by leaving a page do not count."""
    return request.failure != "net::ERR_ABORTED"


@pytest.fixture
def opened(page: Page, site: str) -> Iterator[Page]:
    """The first page; the test fails if it loads anything from the network, or a link is broken."""
    requested: list[str] = []
    lost: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("requestfailed", lambda request: lost.append(request.url) if failed(request) else None)
    page.on("response", lambda answer: lost.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{site}/index.html")
    yield page
    assert [url for url in requested if not url.startswith((site, "data:"))] == []
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


def test_the_page_of_errors_has_an_anchor_for_an_error(opened: Page, site: str) -> None:
    opened.goto(f"{site}/reference/errors.html")

    expect(opened.locator("#paywint_async\\.OutcomeUnknownError")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_site_follows_the_readers_colour_scheme(
    scheme: str, browser: Browser, site: str
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page.goto(f"{site}/tutorial.html")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in colour[4:-1].split(","))
    if folder := os.environ.get("PAYWINT_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/site-{scheme}.png")
    page.close()

    assert (brightness > 3 * 128) == (scheme == "light")
