"""How fast is `paywint export` into JSON lines, against a hand-written loop that writes the same?

Both run in separate processes, and flush and fsync the file before they end. Each also reports its
rate without the start of the interpreter and the imports.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import _peers
import _server
import msgspec
from _measure import Rounds, Row, Work, interleave, report

RECORDS = 200_000
IN_FLIGHT = 16
OURS, HAND = "paywint export", "hand-written loop"
_RATE = re.compile(r"\(([\d,]+)/s\)")


async def write(url: str, path: str) -> None:
    """The hand-written loop, in a separate process."""
    started = time.perf_counter()
    encode_lines = msgspec.json.Encoder(decimal_format="number").encode_lines
    with open(path, "wb") as file:  # noqa: ASYNC230  (as one would write it)
        async with _peers.aiohttp_session() as session:
            async for body in _peers.bodies(session, url, IN_FLIGHT):
                file.write(encode_lines(_peers.decode_ordered_page(body).records))
        file.flush()
        os.fsync(file.fileno())
    print(f"({RECORDS / (time.perf_counter() - started):,.0f}/s)", file=sys.stderr)


def commands(url: str, folder: Path) -> dict[str, list[str]]:
    """The commands by name."""
    options = ["--output", str(folder / OURS), "--format", "jsonl", "--concurrency", str(IN_FLIGHT)]
    return {
        OURS: [sys.executable, "-m", "paywint_async", "export", *options],
        HAND: [sys.executable, __file__, url, str(folder / HAND)],
    }


async def run(command: list[str], env: dict[str, str], note: Callable[[float], None]) -> int:
    """Runs one process; records the seconds per record that it reports."""
    finished = subprocess.run(  # noqa: ASYNC221  (nothing else runs meanwhile)
        command, env=env, capture_output=True, text=True, check=True, timeout=120
    )
    rate = _RATE.search(finished.stderr)
    assert rate is not None, finished.stderr
    note(1 / float(rate[1].replace(",", "")))
    return RECORDS


def rows(server: str) -> list[Row]:
    """The rows of the rounds."""
    url = _server.place(server, records=RECORDS)
    keys = {"PAYWINT_API_KEY": _peers.HEADERS["X-Api-Key"], "PAYWINT_API_SECRET": "secret"}
    env = {**os.environ, **keys, "PAYWINT_BASE_URL": url}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # installed modules are compiled
    inside = Rounds()
    with TemporaryDirectory() as folder:
        contenders: dict[str, Work] = {
            name: partial(run, command, env, partial(inside.enter, name, cpu=0.0))
            for name, command in commands(url, Path(folder)).items()
        }
        whole = asyncio.run(interleave(contenders))
        same = Path(folder, OURS).read_bytes() == Path(folder, HAND).read_bytes()
    assert same, "the two files differ"
    for name in contenders:  # the first round is not counted
        del inside.wall[name][0]
    return [
        Row(
            measure=f"export to JSON lines, {how}, against the hand-written loop",
            measured=rounds.speed(OURS, HAND),
            at_least=0.80,
            note=f"{rounds.spread(OURS, HAND)}; {rounds.rate(OURS):,.0f} records/s",
        )
        for how, rounds in (("while it runs", inside), ("with its start", whole))
    ]


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1].startswith("http"):
        asyncio.run(write(*sys.argv[1:]))
    else:
        with _server.serving() as address:
            report(str(__doc__).partition("\n")[0], rows(address))
