"""Measuring: contenders take turns, and only medians of ratios are compared, never absolute times.

Machines are shared and noisy. What slows one contender down for a second also slows its neighbours
in the same round, so a ratio is taken within each round, and the median of the ratios is reported.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median

RUNS = 7
LIBRARIES = ("aiohttp", "attrs", "backoff", "cattrs", "msgspec")
PEERS = ("httpx", "openai", "orjson", "pydantic", "stripe")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured value, and its target, if any."""

    measure: str
    measured: float
    unit: str = "×"
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.at_least is not None:
            return round(self.measured, 3) >= self.at_least
        if self.at_most is not None:
            return round(self.measured, 3) <= self.at_most
        return None

    @property
    def target(self) -> str:
        """The target in words."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}"
        return "" if self.at_most is None else f"≤ {self.at_most:g} {self.unit}"

    @property
    def value(self) -> str:
        """The measured value in words."""
        if isinstance(self.measured, int):
            return f"{self.measured:,} {self.unit}"
        return f"{self.measured:.{1 if self.measured >= 10 else 3}f} {self.unit}"

    def line(self) -> str:
        """The row as text for the terminal."""
        verdict = {True: "  met", False: "  MISSED", None: ""}[self.is_met]
        target = f"  (target {self.target})" if self.target else ""
        note = f"  [{self.note}]" if self.note else ""
        return f"{self.measure}: {self.value}{target}{verdict}{note}"


class Rounds:
    """Seconds per unit of work, for each contender in each round; ``wall`` and ``cpu`` time."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def enter(self, name: str, wall: float, cpu: float) -> None:
        """Records one run."""
        self.wall.setdefault(name, []).append(wall)
        self.cpu.setdefault(name, []).append(cpu)

    def rate(self, name: str) -> float:
        """Units of work a second."""
        return 1 / median(self.wall[name])

    def speed(self, name: str, against: str) -> float:
        """The speed of one contender as a multiple of another's."""
        pairs = zip(self.wall[name], self.wall[against], strict=True)
        return median(theirs / ours for ours, theirs in pairs)

    def speed_by_cpu(self, name: str, against: str) -> float:
        """The speed ratio by processor time, which a busy machine affects less."""
        pairs = zip(self.cpu[name], self.cpu[against], strict=True)
        return median(theirs / ours for ours, theirs in pairs)

    def spread(self, name: str, against: str) -> str:
        """The lowest and the highest ratio."""
        ratios = sorted(b / a for a, b in zip(self.wall[name], self.wall[against], strict=True))
        return f"{ratios[0]:.2f}–{ratios[-1]:.2f}"


Work = Callable[[], Awaitable[int]]


async def interleave(contenders: Mapping[str, Work], runs: int = RUNS) -> Rounds:
    """Lets the contenders take turns, after a warm-up round that is not counted.

    Each returns the number of units of work it has done.
    """
    rounds = Rounds()
    for number in range(runs + 1):
        for name, work in contenders.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            done = await work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number:
                rounds.enter(name, wall / done, cpu / done)
    return rounds


def interleave_calls(
    contenders: Mapping[str, Callable[[], object]], *, number: int, runs: int = RUNS
) -> Rounds:
    """Like `interleave`, for plain functions, each called ``number`` times per run."""

    def repeat(call: Callable[[], object]) -> Work:
        async def work() -> int:
            for _ in range(number):
                call()
            return number

        return work

    return asyncio.run(interleave({n: repeat(call) for n, call in contenders.items()}, runs))


def in_a_process(script: str, *arguments: object) -> list[float]:
    """Runs a script in a new process with the arguments as JSON; returns the numbers it prints."""
    finished = subprocess.run(
        [sys.executable, script, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=900,
    )
    return [float(word) for word in finished.stdout.split()]


def peak_memory() -> float:
    """The peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KB on Linux


def machine() -> dict[str, str]:
    """Describes this machine: processor, cores, system, Python, libraries."""
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for name in LIBRARIES + PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def report(question: str, rows: Sequence[Row], **more: object) -> None:
    """Prints the rows; with ``--json FILE`` also writes them and ``more`` to a file for `run.py`."""
    print(f"== {question}")
    for row in rows:
        print(row.line())
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", metavar="FILE")
    if path := parser.parse_known_args()[0].json:  # the others are of the benchmark
        answer = {"question": question, "rows": [asdict(row) for row in rows], **more}
        Path(path).write_text(json.dumps(answer), "utf-8")
