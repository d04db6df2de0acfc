"""Runs every benchmark, and writes the results into RESULTS.md and listing.svg."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import _plot
from _measure import RUNS, Row, machine

HERE = Path(__file__).resolve().parent
RESULTS, PLOT = HERE / "RESULTS.md", HERE / "listing.svg"
SCRIPTS = (
    *("listing", "calls", "decode", "export", "memory", "sinks", "databases", "wasted"),
    *("imports", "startup", "reconcile", "spans"),
)
LONGEST = 900  # seconds for one script; all of them take about twelve minutes
KEPT = "## Tried and did not help"  # from here on the file is written by hand


def run(script: str) -> dict[str, Any]:
    """Runs one script, which also prints to the terminal, and returns its results."""
    with TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        command = [sys.executable, str(HERE / f"{script}.py"), "--json", str(answer)]
        subprocess.run(command, check=True, timeout=LONGEST)
        return dict(json.loads(answer.read_text("utf-8")))


def table(answer: dict[str, Any]) -> list[str]:
    """One question and its rows, as Markdown."""
    rows = [Row(**values) for values in answer["rows"]]
    return [
        "",
        f"### {answer['question']}",
        "",
        "| measure | target | measured | | |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {row.measure} | {row.target} | {row.value} | {_verdict(row)} | {row.note} |"
            for row in rows
        ),
    ]


def _verdict(row: Row) -> str:
    return {True: "met", False: "**missed**", None: ""}[row.is_met]


def page(answers: list[dict[str, Any]], seconds: float) -> str:
    """The whole file; the part written by hand is kept."""
    lines = [
        "# Measured",
        "",
        f"Written by `nox -s bench` in {seconds / 60:.0f} minutes. Each ratio is the median over",
        f"at least {RUNS} rounds in which the contenders take turns; the last column has the lowest and",
        "the highest round, the ratio by processor time, and rates of this machine: compare only",
        "ratios. Against another client, above 1 means that the SDK is faster.",
        "",
        "![Records per second, by client](listing.svg)",
        "",
        "## Where",
        "",
        *(f"* {name}: {value}" for name, value in machine().items()),
        "",
        "## What",
        *(line for answer in answers for line in table(answer)),
        "",
    ]
    return "\n".join(lines) + "\n" + kept()


def kept() -> str:
    """The part of the present file that was written by hand."""
    text = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
    return text[text.index(KEPT) :] if KEPT in text else f"{KEPT}\n"


def main() -> None:
    """Runs all scripts; fails if a script fails, not if a target is missed."""
    started = time.monotonic()
    answers = [run(script) for script in SCRIPTS]
    RESULTS.write_text(page(answers, time.monotonic() - started), "utf-8")
    drawn = next(answer["drawn"] for answer in answers if "drawn" in answer)
    PLOT.write_text(_plot.bars(drawn, ours="paywint_async", unit="records per second"), "utf-8")
    print(f"written: {RESULTS.name}, {PLOT.name}")


if __name__ == "__main__":
    main()
