"""A nightly job: appends new payments to a file of JSON lines, and continues after an interruption.

    pip install paywint-async
    PAYWINT_API_KEY=... PAYWINT_API_SECRET=... python examples/nightly_export.py payments.jsonl

(`paywint export --checkpoint` does this, too; this is the code, for a job that does more.)
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from paywint_async import PaywintClient, PaywintError, to_json_lines


class Book:
    """A file, and next to it the checkpoint of its first `size` bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._note = path.with_name(path.name + ".checkpoint")
        known = json.loads(self._note.read_text()) if self._note.exists() else {}
        self.checkpoint: dict[str, Any] | None = known.get("checkpoint")
        self._file = path.open("ab")
        self._file.truncate(known.get("size", 0))  # remove what was never committed

    def write(self, lines: bytes, checkpoint: dict[str, Any] | None) -> None:
        """Flushes lines, then the checkpoint: after a crash in between, the lines are written again."""
        self._file.write(lines)
        self._file.flush()
        os.fsync(self._file.fileno())
        part = self._note.with_name(self._note.name + ".part")
        part.write_text(json.dumps({"size": self._file.tell(), "checkpoint": checkpoint}))
        part.replace(self._note)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


async def export(client: PaywintClient, path: Path) -> int:
    """Appends new payments, and returns their number."""
    book, count = Book(path), 0
    try:
        async with client.payments.received(checkpoint=book.checkpoint) as listing:
            async for page in listing.pages():
                book.write(to_json_lines(page.records), listing.checkpoint)
                count += len(page.records)
        book.write(b"", listing.checkpoint)  # finished: the next run begins after it
    finally:
        book.close()
    return count


async def main(path: str) -> int:
    """Runs the job; returns its exit code."""
    try:
        async with PaywintClient.from_env() as client:
            print(f"{await export(client, Path(path)):,} new payments")
    except PaywintError as error:
        print(f"stopped: {error}; the next run continues from there", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
