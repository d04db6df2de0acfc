"""A program that is killed at each file operation on a table in turn, and checks the files left.

`python killed_at_each_step.py KIND FOLDER`. It forks for each step, which is faster than starting
Python; in the child, the operation of that number ends the process like a kill, without clean-up.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from export_destinations import output_in, rows_in
from sample_payments import make_payment

from paywint_async import PaymentStatus
from paywint_async.export import make_table

PAGES = [[make_payment(3 * page + row) for row in (1, 2, 3)] for page in range(4)]
OPEN = PAGES[0][1]
PAGES[0][1] = attrs.evolve(OPEN, status=PaymentStatus.PENDING)
OPERATIONS = ("open", "write", "fsync", "ftruncate", "replace", "unlink", "makedirs")
KILLED = 9


async def live(output: str) -> None:
    """Continue the table: a commit after each page, and refreshes in between."""
    table = make_table(output, "sent")
    checkpoint = await table.open()
    done = checkpoint["delivered"] if checkpoint else 0
    for number in range(done, len(PAGES) + 1):
        if number >= 2:
            await refresh(table, {"delivered": number})
        if number < len(PAGES):
            await table.write(PAGES[number])
            await table.commit({"delivered": number + 1})
    await table.close(complete=True)


async def refresh(table: Any, checkpoint: dict[str, Any]) -> None:
    if [ids async for ids in table.pending()]:
        await table.refresh([OPEN])
        await table.commit(checkpoint)


def dying_at(step: int) -> None:
    """Kill the process before the operation with that number; the write before it may be partial."""
    steps = itertools.count()

    def wrap(operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            now = next(steps)
            if now == step:
                os._exit(KILLED)
            if operation is written and now == step - 1:
                return operation(arguments[0], arguments[1][: len(arguments[1]) // 2])
            return operation(*arguments, **options)

        return counted

    written = os.write
    for name in OPERATIONS:
        setattr(os, name, wrap(getattr(os, name)))


def in_a_child(work: Callable[[], None]) -> int:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        child = os.fork()  # warns of pyarrow's threads
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check(output: str) -> None:
    wanted = [(str(each.payment_id), "success") for page in PAGES for each in page]
    rows = [(row["payment_id"], row["status"]) for row in rows_in(output)]
    assert rows == wanted, f"{rows} are not {wanted}"


def try_step(kind: str, folder: Path, step: int) -> bool:
    """Return whether there was such an operation."""
    folder.mkdir()
    output = output_in(folder, kind)

    def die() -> None:
        dying_at(step)
        asyncio.run(live(output))

    code = in_a_child(die)
    assert code in (0, KILLED), f"step {step} ended with {code}"
    assert in_a_child(lambda: asyncio.run(live(output))) == 0, f"after step {step} a rerun fails"
    assert in_a_child(lambda: check(output)) == 0, f"after step {step} rows are wrong"
    left = sorted(path.name for path in folder.iterdir())
    assert not any(name.endswith(".tmp") for name in left), f"after step {step}: {left}"
    return code == KILLED


def main(kind: str, folder: Path) -> None:
    steps = itertools.takewhile(
        lambda step: try_step(kind, folder / str(step), step), itertools.count()
    )
    print(sum(1 for _ in steps))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
