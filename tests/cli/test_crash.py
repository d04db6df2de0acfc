"""`kill -9` at random instants: the next run completes the file, exactly.

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

Command = Callable[..., Any]

KILLS = int(os.environ.get("PAYWINT_CRASH_RUNS", "20"))
CHAINS = 5
LONGEST = 3.0  # seconds: a whole export takes longer, so that each kill hits one under way


@attrs.define
class Chain:
    """One export that is killed and run again, until it has been killed often enough."""

    folder: Path
    start: Command
    direction: str
    chance: random.Random
    kills: int = 0
    confirmed: list[int] = attrs.field(factory=list)

    def run(self, kills: int) -> None:
        while self.kills < kills:
            process = self.start(*self.command)
            if self._ended_within(process, self.chance.uniform(0, LONGEST)):
                assert process.returncode == 0, process.stderr.read()
                self._check_what_is_confirmed()
                self._begin_anew()
                continue
            process.kill()
            process.wait()
            self.kills += 1
            self._check_what_is_confirmed()
        assert self.start(*self.command, "--concurrency", 64).wait() == 0

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

    def _check_what_is_confirmed(self) -> None:
        checkpoint = self.folder / "cp"
        if not checkpoint.exists() or not checkpoint.stat().st_size:
            return
        size = json.loads(checkpoint.read_bytes())["size"]
        confirmed = self.output.read_bytes()[:size]
        assert len(confirmed) == size
        assert not confirmed or confirmed.endswith(b"\n")
        self.confirmed.append(size)

    def _begin_anew(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()

    @staticmethod
    def _ended_within(process: Any, seconds: float) -> bool:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def test_killed_anywhere_an_export_is_completed_exactly_by_the_next_run(
    tmp_path: Path, serve: Command, use: Command, start: Command
) -> None:
    account = serve(payments=2500, latency=0.15)
    use(account.environment)
    chains = []
    for number in range(CHAINS):
        folder = tmp_path / str(number)
        folder.mkdir()
        direction = "both" if number == 0 else "received"
        chains.append(Chain(folder, start, direction, random.Random(number)))

    with ThreadPoolExecutor(CHAINS) as pool:
        list(pool.map(lambda chain: chain.run(-(-KILLS // CHAINS)), chains))

    assert sum(chain.kills for chain in chains) >= KILLS
    assert any(size > 0 for chain in chains for size in chain.confirmed)
    for chain in chains:
        directions = ["sent", "received"] if chain.direction == "both" else ["received"]
        for direction in directions:
            ids = [each for where, each in chain.ids if where == direction]
            assert ids == account.ids(direction)
        assert len(chain.ids) == len(set(chain.ids)) == 2500 * len(directions)
