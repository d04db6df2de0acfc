"""The report of a comparison in a real browser: it loads nothing, and its table works.

Run by `nox -s browser`. Screenshots are saved in the folder PAYWINT_SCREENSHOTS.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

HOSTILE = "</script><img src=x onerror=alert(1)> \u202egnp.exe & \"q\" 'x'"


def paywint(*arguments: object) -> int:
    """Run the command in another process, since Playwright has an event loop in this one."""
    command = [sys.executable, "-m", "paywint_async", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on books with differences of five kinds, and a hostile name."""
    folder = tmp_path_factory.mktemp("report")
    ledger, page = folder / "books.csv", folder / "report.html"
    account = ["--emulator", "2000", "--direction", "both"]
    assert paywint("export", *account, "--output", ledger) == 0
    with ledger.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    paid = [row for row in rows if row["status"] == "success"]
    for row in paid[:4]:
        rows.remove(row)
    for row in paid[4:14]:
        row["amount"] = f"{row['amount']}1"
    for row in [row for row in rows if row["status"] == "failed"][:3]:
        row["status"] = "success"
    rows += [dict(paid[20]), paid[21] | {"payment_id": "", "description": HOSTILE, "amount": "77"}]
    with ledger.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert paywint("reconcile", ledger, *account, "--html", page) == 3
    return page


@pytest.fixture
def opened(page: Page, report: Path) -> Iterator[Page]:
    """The report in a page; the test fails if it loads anything."""
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(report.as_uri())
    yield page
    assert requested == [report.as_uri()]


def column(page: Page, number: int) -> list[str]:
    cells = page.locator(f"#table tbody tr:visible td:nth-child({number})")
    return [cell.get_attribute("data-key") or "" for cell in cells.all()]


def test_the_page_shows_all_differences_and_plots(opened: Page, browser: Browser) -> None:
    expect(opened.get_by_role("heading", level=1)).to_have_text("The books differ: 19 differences")
    expect(opened.get_by_text(HOSTILE)).to_be_visible()
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert opened.locator("svg[role=img]").count() == 10
    if folder := os.environ.get("PAYWINT_SCREENSHOTS"):
        width = opened.viewport_size["width"] if opened.viewport_size else 0
        opened.screenshot(path=f"{folder}/report-{width}.png", full_page=True)


def test_the_table_is_filtered_and_searched(opened: Page) -> None:
    opened.get_by_label("Kind").select_option("amount")
    expect(opened.locator("#shown")).to_have_text("10 of 19 shown")
    assert set(column(opened, 1)) == {"amount"}

    opened.get_by_label("Search").fill("no such thing")
    expect(opened.get_by_text("No difference matches.")).to_be_visible()

    opened.get_by_label("Kind").select_option("")
    opened.get_by_label("Search").fill("GNP.exe")
    expect(opened.locator("#shown")).to_have_text("1 of 19 shown")


def test_the_table_is_sorted_from_the_keyboard(browser: Browser, report: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(report.as_uri())
    button = page.get_by_role("button", name="Paywint")

    button.focus()
    page.keyboard.press("Enter")
    amounts = [float(each) for each in column(page, 6) if each]
    assert amounts == sorted(amounts)
    expect(page.locator("[aria-sort=ascending]")).to_have_text("Paywint")

    page.keyboard.press("Space")
    amounts = [float(each) for each in column(page, 6) if each]
    assert amounts == sorted(amounts, reverse=True)
    assert column(page, 6)[-1] == ""  # empty values stay at the end
    page.close()


@pytest.mark.parametrize("width", [390, 660, 800, 961, 1024, 1280])
def test_no_table_is_wider_than_the_page(browser: Browser, report: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(report.as_uri())

    widths = "[...document.querySelectorAll('.scroll')].map(e => e.scrollWidth - e.clientWidth)"
    assert max(page.evaluate(widths)) <= 1
    page.close()


def test_without_scripts_the_page_is_complete(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())

    assert len(column(page, 1)) == 19
    expect(page.get_by_label("Kind")).to_be_hidden()
    context.close()
