"""Draws the pictures of the README and the guides from real runs of the command: `nox -s pictures`.

Each picture is made against the emulator, so it needs no account; a report is photographed by Chromium.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from close_a_month import account_and_books
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

STATIC = Path(__file__).resolve().parent / "_static"
WIDTH = 148  # columns of the terminal: the longest line is not cut
EXPORT = "paywint export --emulator 10000 --output payments.jsonl"
RECONCILE = "paywint reconcile books.csv --emulator 400 --html report.html"
# The browser shows its own fonts: a picture must not fetch any.
SVG_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def run(command: str, folder: Path) -> str:
    """What the command prints, both streams in their order."""
    words = [sys.executable, "-m", "paywint_async", *command.split()[1:]]
    finished = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if finished.returncode not in (0, 3):  # 3: the books differ, as they should
        sys.exit(f"{command} failed:\n{finished.stdout}")
    return finished.stdout.strip("\n")


def write_books(folder: Path) -> None:
    """A ledger in which one payment is missing, one is booked twice, and one has a wrong amount."""
    run("paywint export --emulator 400 --output ledger.csv", folder)
    with (folder / "ledger.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    amount, status = header.index("amount"), header.index("status")
    missing, doubled, mistaken = [row for row in rows if row[status] == "success"][7:10]
    rows.remove(missing)
    rows.append(doubled)
    mistaken[amount] = str(Decimal(mistaken[amount]) + 9)
    with (folder / "books.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def draw_terminal(folder: Path) -> None:
    """The two commands and what they print, as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for command in (EXPORT, RECONCILE):
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        console.print(Text(run(command, folder)), "", soft_wrap=True, sep="\n")
    svg = console.export_svg(title="paywint", code_format=SVG_FORMAT, unique_id="paywint")
    (STATIC / "terminal.svg").write_text(svg, "utf-8")


async def photograph_month(folder: Path) -> None:
    """The report of the guide "Close a month"."""
    command = "reconcile quickbooks.csv --since 2026-05-01 --until 2026-05-31"
    words = (sys.executable, "-m", "paywint_async", *command.split(), "--html", "month.html")
    async with account_and_books(folder) as environment:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=folder, env=os.environ | environment, stdout=subprocess.DEVNULL
        )
        if await process.wait() != 3:  # the books differ, as they should
            sys.exit("the month could not be compared")
    photograph(folder / "month.html", STATIC / "month.png", height=1180)


def photograph(page: Path, picture: Path, height: int = 900) -> None:
    """A page as a browser shows it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("the report's picture needs Chromium")
    options = ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size=1000,{height}")
    words = [browser, *options, f"--screenshot={picture}", page.as_uri()]
    subprocess.run(words, check=True, capture_output=True)


def main() -> None:
    """Draws all pictures into docs/_static."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_books(folder)
        draw_terminal(folder)
        photograph(folder / "report.html", STATIC / "report.png")
        asyncio.run(photograph_month(folder))


if __name__ == "__main__":
    main()
