"""`kill -9` at random times: the next run completes the file exactly.

PAYWINT_CRASH_RUNS says how often (20 by default). Exports are killed and continued in a few chains
side by side, since they mostly wait for the emulator.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

pytestmark = pytest.mark.slow

Command = Callable[..., Any]

KILLS = int(os.environ.get("PAYWINT_CRASH_RUNS", "20"))
CHAINS = 5
MOST_COMMITS = 2  # before a run is killed, chosen at random
LONGEST = 0.7  # seconds from there to the kill, less than start-up and the next commit take


@attrs.define
class Chain:
    """An export that is repeatedly killed and run again."""

    folder: Path
    start: Command
    direction: str
    wanted: dict[str, list[str]]
    chance: random.Random
    kills: int = 0
    confirmed: list[int] = attrs.field(factory=list)

    def run(self, kills: int) -> None:
        while self.kills < kills:
            process = self.start(*self.command)
            if self._ended_before_the_kill(process):
                assert process.returncode == 0, process.stderr.read()
                self._check_all()
                self._start_over()
                continue
            process.kill()
            process.wait()
            self.kills += 1
            self._check_what_is_confirmed()
        assert self.start(*self.command, "--concurrency", 64).wait() == 0
        self._check_all()

    @property
    def command(self) -> list[object]:
        command = ["export", "--direction", self.direction, "--rows-per-page", 10]
        return [*command, "--output", self.output, "--checkpoint", self.folder / "cp"]

    @property
    def output(self) -> Path:
        return self.folder / "payments.jsonl"

    @property
    def ids(self) -> list[tuple[str, str]]:
        lines = self.output.read_text("utf-8").split("\n")
        assert lines.pop() == ""
        rows = [json.loads(line) for line in lines]
        return [(row.get("direction", self.direction), row["payment_id"]) for row in rows]

    @property
    def confirmed_size(self) -> int:
        checkpoint = self.folder / "cp"
        text = checkpoint.read_bytes() if checkpoint.exists() else b""
        return json.loads(text)["size"] if text else 0

    def _ended_before_the_kill(self, process: Any) -> bool:
        for _ in range(self.chance.randint(0, MOST_COMMITS)):
            size = self.confirmed_size
            while self.confirmed_size == size:
                if self._ended_within(process, 0.01):
                    return True
        return self._ended_within(process, self.chance.uniform(0, LONGEST))

    def _check_what_is_confirmed(self) -> None:
        size = self.confirmed_size
        if not size:
            return
        confirmed = self.output.read_bytes()[:size]
        assert len(confirmed) == size
        assert confirmed.endswith(b"\n")
        self.confirmed.append(size)

    def _check_all(self) -> None:
        for direction, wanted in self.wanted.items():
            assert [each for where, each in self.ids if where == direction] == wanted
        assert len(self.ids) == sum(map(len, self.wanted.values()))

    def _start_over(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()

    @staticmethod
    def _ended_within(process: Any, seconds: float) -> bool:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def test_an_export_killed_at_any_time_is_completed_exactly_by_the_next_run(
    tmp_path: Path, serve: Command, use: Command, start: Command
) -> None:
    account = serve(payments=2500, latency=0.15)
    use(account.environment)
    chains = []
    for number in range(CHAINS):
        folder = tmp_path / str(number)
        folder.mkdir()
        direction = "both" if number == 0 else "received"
        directions = ["sent", "received"] if number == 0 else ["received"]
        wanted = {each: account.ids(each) for each in directions}
        chains.append(Chain(folder, start, direction, wanted, random.Random(number)))

    with ThreadPoolExecutor(CHAINS) as pool:
        list(pool.map(lambda chain: chain.run(-(-KILLS // CHAINS)), chains))

    assert sum(chain.kills for chain in chains) >= KILLS
    assert any(chain.confirmed for chain in chains)
