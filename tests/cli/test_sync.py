"""`paywint sync`: every destination has the payments of the API in their current state, once each.

The last test kills real processes; PAYWINT_CRASH_RUNS says how often (12 by default).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import attrs
import pytest
from effort import slow_but
from export_destinations import KINDS, SERVED, is_on_a_server, output_in, rows_in

from paywint_async import AuthenticationError, ServerError, TransportError
from paywint_async._cli.sync import _SyncJob
from paywint_async.export import _database

Command = Callable[..., Any]

KILLS = int(os.environ.get("PAYWINT_CRASH_RUNS", "12"))
ROUNDS = 3 + KILLS // 20  # between them, payments arrive and change
FINAL = {"success", "failed", "rejected", "expired", "retried"}
EACH_KIND = pytest.mark.parametrize("kind", slow_but(KINDS, "csv", "sqlite"))


def arguments(output: str) -> list[str]:
    """None for a database server, whose URL with a password must be in the environment."""
    return [] if is_on_a_server(output) else [output]


@pytest.fixture(params=slow_but(KINDS, "csv", "sqlite"))
def output(request: pytest.FixtureRequest, tmp_path: Path, use: Command) -> str:
    """A destination of each kind, which is also in PAYWINT_DESTINATION."""
    found = output_in(tmp_path, request.param)
    use({"PAYWINT_DESTINATION": found})
    return found


def statuses_in(output: str, direction: str = "received") -> dict[str, str]:
    rows = [row for row in rows_in(output) if row.get("direction", direction) == direction]
    found = {row["payment_id"]: row["status"] for row in rows}
    assert len(found) == len(rows), "a payment was written twice"
    return found


def open_in(account: Any, direction: str = "received") -> list[str]:
    return [each for each, status in account.truth(direction).items() if status not in FINAL]


def test_sync_adds_new_payments_and_updates_changed_ones(
    serve: Command, use: Command, paywint: Command, output: str
) -> None:
    account = serve(payments=250)
    use(account.environment)
    first = paywint("sync", *arguments(output))
    assert first.code == 0
    assert first.err.startswith("paywint: 250 new and 0 changed payments in ")
    assert statuses_in(output) == account.truth()

    changed = open_in(account)[3:]
    for each, event in zip(changed, cycle(["pay", "fail"]), strict=False):
        account.let(event, each)
    account.arrive(30)
    second = paywint("sync", *arguments(output))

    assert second.code == 0
    assert second.err.startswith(f"paywint: 30 new and {len(changed)} changed payments in ")
    assert statuses_in(output) == account.truth()


def test_both_directions_are_kept_apart(
    serve: Command, use: Command, paywint: Command, output: str
) -> None:
    account = serve(payments=120)
    use(account.environment)
    assert paywint("sync", *arguments(output), "--direction", "both").code == 0
    account.let("fail", open_in(account, "sent")[0])
    account.arrive(5, "sent")

    assert paywint("sync", *arguments(output), "--direction", "both").code == 0

    for direction in ("sent", "received"):
        assert statuses_in(output, direction) == account.truth(direction)


def test_a_retry_is_added_and_the_earlier_payment_becomes_retried(
    serve: Command, use: Command, paywint: Command, output: str
) -> None:
    account = serve(payments=60)
    use(account.environment)
    paywint("sync", *arguments(output))
    former = open_in(account)[0]
    account.let("fail", former)
    retry = account.let("retry", former)

    assert paywint("sync", *arguments(output)).code == 0

    found = statuses_in(output)
    assert found == account.truth()
    assert (found[former], found[retry]) == ("retried", "pending")


def test_recheck_updates_final_payments(
    serve: Command, use: Command, paywint: Command, output: str
) -> None:
    account = serve(payments=250, hostile=False, refunded_status="refunded")
    use(account.environment)
    account.let("fail", open_in(account)[0])
    paywint("sync", *arguments(output), "--direction", "both")
    before = account.truth()
    refunded = [each for each, status in before.items() if status == "success"][:5]
    failed = next(each for each, status in before.items() if status == "failed")
    for each in refunded:
        account.let("refund", each)
    account.let("retry", failed)

    without = paywint("sync", *arguments(output), "--direction", "both")
    found = statuses_in(output)
    assert [found[each] for each in (*refunded, failed)] == 5 * ["success"] + ["failed"]
    rechecked = paywint("sync", *arguments(output), "--direction", "both", "--recheck", 9)

    assert (without.code, rechecked.code) == (0, 0)
    assert without.err.startswith("paywint: 1 new and 0 changed payments in ")
    assert rechecked.err.startswith("paywint: 0 new and 6 changed payments in ")
    for direction in ("received", "sent"):
        assert statuses_in(output, direction) == account.truth(direction)


def test_recheck_reads_only_the_pages_of_its_days(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=5_000, hostile=False)  # 72 a day
    use(account.environment)

    def requests_of(*options: object) -> int:
        before = account.request_count
        assert paywint("sync", str(tmp_path / "payments.jsonl"), *options).code == 0
        return int(account.request_count - before)

    requests_of()
    without = requests_of()

    pages, most_to_find_them = 3, 2 * 6 + 4  # of 50 pages
    assert requests_of("--recheck", 3) - without <= pages + most_to_find_them


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "a week", "99999999", "999999999999"])
def test_an_invalid_number_of_recheck_days_is_refused(
    paywint: Command, tmp_path: Path, days: str
) -> None:
    found = paywint("sync", tmp_path / "a.jsonl", "--emulator", 10, "--recheck", days)

    assert (found.code, [*tmp_path.iterdir()]) == (2, [])
    assert "--recheck" in found.err


def test_a_destination_that_begins_at_a_date_keeps_that_date(
    output: str, serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=300)
    use(account.environment)
    listed = [json.loads(line) for line in paywint("export").out.splitlines()]
    since = ["--since", listed[120]["created_at"]]

    assert paywint("sync", *arguments(output), *since).code == 0
    account.arrive(5)
    assert paywint("sync", *arguments(output), *since).code == 0
    assert paywint("sync", *arguments(output)).code == 0

    assert {*statuses_in(output)} == {*account.ids("received")[: 5 + 121]}
    assert paywint("sync", *arguments(output), "--since", "2001-01-01").code != 0


@pytest.mark.parametrize("ending", ["jsonl", "csv", "jsonl.gz", "csv.zst"])
def test_a_file_keeps_its_order_and_is_not_rewritten_without_changes(
    serve: Command, use: Command, paywint: Command, tmp_path: Path, ending: str
) -> None:
    account = serve(payments=130)
    use(account.environment)
    output = tmp_path / f"payments.{ending}"
    paywint("sync", output)
    account.let("pay", open_in(account)[3])
    assert paywint("sync", output).err.startswith("paywint: 0 new and 1 changed ")
    before = output.read_bytes()

    again = paywint("sync", output)

    assert again.err.startswith("paywint: 0 new and 0 changed ")
    assert output.read_bytes() == before
    assert list(statuses_in(str(output))) == account.ids()
    assert sorted(os.listdir(tmp_path)) == [output.name, f"{output.name}.checkpoint"]


def test_a_few_open_payments_are_requested_one_by_one(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=300)
    use(account.environment)
    paywint("sync", tmp_path / "a.jsonl")
    asked = account.request_count

    paywint("sync", tmp_path / "a.jsonl")

    assert account.request_count - asked == len(open_in(account)) + 1


def test_for_many_open_payments_the_lists_are_read_again(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=2000)
    use(account.environment)
    paywint("sync", tmp_path / "a.jsonl")
    for each in open_in(account)[::2]:
        account.let("pay", each)
    assert len(open_in(account)) > 100
    asked = account.request_count

    assert paywint("sync", tmp_path / "a.jsonl", "--concurrency", 4).code == 0

    assert account.request_count - asked <= 25
    assert statuses_in(str(tmp_path / "a.jsonl")) == account.truth()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_watching_continues_until_a_signal(
    serve: Command,
    use: Command,
    start: Command,
    end: Command,
    wait_until: Command,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    word: str,
) -> None:
    account = serve(payments=50)
    use(account.environment)
    output = f"{tmp_path}/a.jsonl"
    process = start("sync", output, "--watch", 0.05)
    wait_until(process, lambda: os.path.exists(output) and len(rows_in(output)) == 50)
    account.arrive(7)
    account.let("pay", open_in(account)[0])

    wait_until(process, lambda: statuses_in(output) == account.truth())
    process.send_signal(number)
    outcome = end(process)

    assert outcome.code == code
    assert outcome.err.endswith(f"paywint: {word}\n") or word in outcome.err
    assert statuses_in(output) == account.truth()


async def test_watching_continues_after_transient_errors_only(
    capfd: pytest.CaptureFixture[str],
) -> None:
    outcomes = [ServerError(503, "later"), TransportError("lost"), AuthenticationError(401, "who?")]
    times = []

    @attrs.define(kw_only=True)
    class Scripted(_SyncJob):
        async def run(self, client: Any, *, is_repeated: bool = False) -> None:
            times.append(asyncio.get_running_loop().time())
            raise outcomes[len(times) - 1]

    job = Scripted(output="a.jsonl", place="a.jsonl", direction="sent", options={})

    with pytest.raises(AuthenticationError):
        await job.watch(None, 60)  # type: ignore[arg-type]

    assert [round(each - times[0]) for each in times] == [0, 60, 120]
    assert capfd.readouterr().err == (
        "paywint: the API answered 503: later; next look in 60 s\n"
        "paywint: lost; next look in 60 s\n"
    )


def test_a_reader_of_the_database_is_waited_for_and_reported(
    paywint: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = f"sqlite:///{tmp_path}/payments.db"
    assert paywint("sync", output, "--emulator", 20).code == 0
    monkeypatch.setattr(_database, "BUSY_TIMEOUT", 0.05)
    reader = sqlite3.connect(
        tmp_path / "payments.db", check_same_thread=False, isolation_level=None
    )
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM paywint_payments").fetchall()
    handler = logging.Handler()
    handler.emit = lambda record: reader.execute("COMMIT")  # type: ignore[method-assign]
    logging.getLogger("paywint_async.export").addHandler(handler)

    outcome = paywint("sync", output, "--emulator", 40)

    logging.getLogger("paywint_async.export").removeHandler(handler)
    reader.close()
    assert outcome.code == 0
    assert f"paywint: {output} is locked by another program; waiting" in outcome.err
    assert len(rows_in(output)) == 40


def test_a_destination_must_be_given(paywint: Command) -> None:
    outcome = paywint("sync")

    assert (outcome.code, outcome.out) == (2, "")
    assert "name the destination, as an argument or in PAYWINT_DESTINATION" in outcome.err


@pytest.mark.parametrize("name", ["books.db", "books.SQLITE3"])
@pytest.mark.parametrize("command", [["sync"], ["export", "--output"]])
def test_a_database_file_must_be_given_as_a_url(
    paywint: Command, tmp_path: Path, command: list[str], name: str
) -> None:
    outcome = paywint(*command, tmp_path / name, "--emulator", 10)

    assert (outcome.code, outcome.out, os.listdir(tmp_path)) == (2, "", [])
    assert outcome.err == (
        f"paywint: {tmp_path / name} would be a file of text: "
        f"for a database say sqlite:///{tmp_path / name}\n"
    )


def test_a_directory_is_not_accepted_as_a_file(paywint: Command, tmp_path: Path) -> None:
    outcome = paywint("sync", tmp_path, "--emulator", 10)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"paywint: cannot open {tmp_path}: Is a directory\n"
    assert not os.path.exists(f"{tmp_path}.checkpoint")


@pytest.mark.parametrize("command", [("sync",), ("export", "--output")])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:correct-horse@127.0.0.1/books",
        "postgresql://me@corp:correct-horse@127.0.0.1/books",
        "postgresql://me:correct-horse/or?not#@127.0.0.1/books",
        "postgresql://127.0.0.1/books?password=correct-horse",
    ],
)
def test_a_password_on_the_command_line_is_refused(
    paywint: Command, command: tuple[str, ...], url: str
) -> None:
    outcome = paywint(*command, url)

    assert (outcome.code, outcome.out) == (2, "")
    assert "PGPASSWORD" in outcome.err
    assert "correct-horse" not in outcome.err


def test_a_password_of_the_environment_is_never_shown(paywint: Command, use: Command) -> None:
    use({"PAYWINT_DESTINATION": "postgresql://me:correct-horse@127.0.0.1:1/books"})

    outcome = paywint("sync", "--emulator", 10)

    assert (outcome.code, outcome.out) == (1, "")
    assert "cannot open postgresql://me:***@127.0.0.1:1/books: " in outcome.err
    assert "correct-horse" not in outcome.err


@pytest.mark.parametrize("option", ["--format", "--checkpoint"])
def test_an_export_into_a_dataset_has_neither_format_nor_checkpoint(
    paywint: Command, tmp_path: Path, option: str
) -> None:
    command = ["export", "--emulator", 10, "--output", tmp_path / "a.parquet"]

    outcome = paywint(*command, option, "csv")

    assert (outcome.code, os.listdir(tmp_path)) == (2, [])
    assert f"{option} is for files" in outcome.err


@pytest.mark.parametrize("kind", [each for each in KINDS if each not in SERVED])
def test_an_export_can_go_to_each_kind_of_destination(
    paywint: Command, tmp_path: Path, kind: str
) -> None:
    output = output_in(tmp_path, kind)

    outcome = paywint("export", "--emulator", 150, "--direction", "both", "--output", output)

    assert outcome.code == 0
    assert len(rows_in(output)) == 300


# -- killed at random times ------------------------------------------------------------------------


@attrs.define
class Chain:
    """A destination whose sync is killed and run again while payments arrive and change."""

    output: str
    account: Any
    start: Command
    chance: random.Random
    kills: int = 0

    def run(self, kills: int) -> None:
        goal = self.kills + kills
        while self.kills < goal:
            process = self.start("sync", *arguments(self.output), "--rows-per-page", 10)
            try:
                process.wait(timeout=self.chance.uniform(0.3, 0.9))
                goal -= 1  # it ended before it could be killed
            except subprocess.TimeoutExpired:
                process.kill()
                self.kills += 1
            assert process.wait() in (0, -signal.SIGKILL), process.stderr.read()
        assert self.start("sync", *arguments(self.output)).wait() == 0


def happen(account: Any, chance: random.Random) -> None:
    """Adds payments and changes others, between two runs."""
    account.arrive(chance.randint(0, 40))
    for each in chance.sample(open_in(account), 3):
        account.let(chance.choice(["pay", "fail"]), each)


@pytest.mark.slow
def test_a_sync_killed_at_any_time_is_completed_exactly_by_the_next_runs(
    tmp_path: Path, serve: Command, use: Command, start: Command
) -> None:
    kinds: Sequence[str] = SERVED or ("jsonl", "csv.gz", "parquet", "sqlite")
    account = serve(payments=700, latency=0.04)
    use(account.environment)
    chains = []
    for number, kind in enumerate(kinds):
        folder = tmp_path / str(number)
        folder.mkdir()
        chains.append(Chain(output_in(folder, kind), account, start, random.Random(number)))
    use({"PAYWINT_DESTINATION": chains[0].output})
    chance = random.Random(7)

    for _ in range(ROUNDS):
        with ThreadPoolExecutor(len(chains)) as pool:
            list(pool.map(lambda chain: chain.run(-(-KILLS // ROUNDS // len(chains))), chains))
        for chain in chains:
            assert statuses_in(chain.output) == account.truth()
        happen(account, chance)

    assert sum(chain.kills for chain in chains) >= len(chains)


def test_a_span_that_the_destination_remembers_is_reported(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    use(serve(payments=300).environment)
    output = f"sqlite:///{tmp_path}/a.db"
    assert paywint("export", "--output", output, "--until", "2015-01-01").code == 0

    outcome = paywint("sync", output)

    assert outcome.code == 0
    assert (
        "paywint: only payments created before 2015-01-02T00:00:00+00:00: "
        f"{output} remembers it; newer payments followed already, so none will be added\n"
    ) in outcome.err
    assert "remembers" not in paywint("sync", f"{tmp_path}/b.csv", "--since", "2015-01-01").err
