"""`paywint export`: the file equals the history, in every format and after every interruption."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

SUMMARY = re.compile(r"paywint: exported ([\d,]+) (.+) to (.+) in \d+\.\d s \([\d,]+/s\)\n")


def lines_of(text: str) -> list[str]:
    """Splits at newlines only, since a name may contain characters like U+2028."""
    assert not text or text.endswith("\n")
    return text.split("\n")[:-1]


def ids_in(text: str) -> list[str]:
    return [json.loads(line)["payment_id"] for line in lines_of(text)]


def rows_in(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_by_default_it_writes_received_payments_as_json_lines_to_stdout(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=250)
    use(account.environment)

    outcome = paywint("export")

    assert outcome.code == 0
    assert ids_in(outcome.out) == account.ids("received")
    match = SUMMARY.fullmatch(outcome.err)
    assert match
    assert match.groups() == ("250", "received payments", "stdout")


def test_the_emulator_needs_no_account_and_has_the_same_history_each_time(
    tmp_path: Path, serve: Command, paywint: Command
) -> None:
    first = paywint("export", "--emulator", 30, "--direction", "sent")
    second = paywint("export", "--emulator", 30, "--direction", "sent", "--emulator-latency", 0.01)

    assert first.code == second.code == 0
    assert first.out == second.out
    assert ids_in(first.out) == serve(payments=30).ids("sent")


def test_a_line_has_the_apis_fields_in_its_order_and_exact_amounts(
    serve: Command, use: Command, paywint: Command
) -> None:
    use(serve(payments=120).environment)

    lines = lines_of(paywint("export").out)

    first = json.loads(lines[0], parse_float=str, parse_int=str)
    assert list(first)[:6] == [
        "payment_id",
        "payer_id",
        "payer_name",
        "payee_id",
        "payee_name",
        "amount",
    ]
    amounts = [json.loads(line, parse_float=str, parse_int=str)["amount"] for line in lines]
    assert "9007199254740993.37" in amounts  # a float has 16 digits
    assert any(amount.endswith("0") and "." in amount for amount in amounts)


def test_with_both_directions_each_row_begins_with_its_direction(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=120)
    use(account.environment)
    output = tmp_path / "payments.jsonl"

    outcome = paywint("export", "--direction", "both", "--output", output)

    rows = [json.loads(line) for line in lines_of(output.read_text("utf-8"))]
    assert outcome.code == 0
    assert {next(iter(row)) for row in rows} == {"direction"}
    for direction in ("sent", "received"):
        ids = [row["payment_id"] for row in rows if row["direction"] == direction]
        assert ids == account.ids(direction)
    assert [row["created_at"] for row in rows] == sorted(
        (row["created_at"] for row in rows), reverse=True
    )


def test_csv_is_chosen_by_the_files_ending_or_by_option(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=120)
    use(account.environment)

    paywint("export", "--output", tmp_path / "a.csv", "--rows-per-page", 20)
    paywint("export", "--output", tmp_path / "a.txt", "--format", "csv", "--concurrency", 1)

    assert [row["payment_id"] for row in rows_in(tmp_path / "a.csv")] == account.ids()
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "a.txt"]


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
@pytest.mark.parametrize("direction", ["received", "both"])
def test_a_later_run_appends_exactly_the_new_payments(
    serve: Command, use: Command, paywint: Command, tmp_path: Path, ending: str, direction: str
) -> None:
    account = serve(payments=130)
    use(account.environment)
    output = tmp_path / f"payments.{ending}"
    export = ["export", "--output", output, "--checkpoint", tmp_path / "cp"]
    export += ["--direction", direction]
    assert paywint(*export).code == 0
    before = output.read_bytes()
    old = set(account.ids())
    account.arrive(250)

    assert paywint(*export).code == 0
    after = output.read_bytes()
    again = paywint(*export)

    assert after.startswith(before)
    added = after[len(before) :].decode()
    if ending == "csv":
        assert added.count("payment_id") == 0
        rows = [row for row in rows_in(output) if row.get("direction", "received") == "received"]
        ids = [row["payment_id"] for row in rows][130:]
    else:
        ids = ids_in(added)
    assert ids == [each for each in account.ids() if each not in old]
    assert (again.code, output.read_bytes()) == (0, after)
    assert again.err.startswith("paywint: exported 0 ")


def test_a_longer_emulated_history_appends_its_newer_payments(
    paywint: Command, tmp_path: Path
) -> None:
    output = tmp_path / "payments.jsonl"
    for count in (500, 750):
        arguments = ["--output", output, "--checkpoint", tmp_path / "cp"]
        assert paywint("export", "--emulator", count, *arguments).code == 0

    everything = ids_in(paywint("export", "--emulator", 750).out)

    ids = ids_in(output.read_text("utf-8"))
    assert ids == everything[250:] + everything[:250]


def test_stdout_is_continued_after_its_checkpoint(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=20)
    use(account.environment)
    export = ["export", "--format", "csv", "--checkpoint", tmp_path / "cp"]

    first = paywint(*export)
    account.arrive(1)
    second = paywint(*export)

    assert first.out.startswith("payment_id,")
    assert second.out.split(",")[0] == account.ids()[0]


def test_an_empty_history_is_exported(paywint: Command, tmp_path: Path) -> None:
    outcome = paywint("export", "--emulator", 0, "--output", tmp_path / "empty.csv")

    assert outcome.code == 0
    assert rows_in(tmp_path / "empty.csv") == []
    assert (tmp_path / "empty.csv").read_text("utf-8").startswith("payment_id,")


def test_a_concurrency_of_one_is_respected(serve: Command, use: Command, paywint: Command) -> None:
    account = serve(payments=500)
    use(account.environment)

    paywint("export", "--concurrency", 1)

    assert account.peak_in_flight == 1


def test_a_single_hyphen_is_stdout(paywint: Command) -> None:
    outcome = paywint("export", "--emulator", 3, "--output", "-")
    assert (outcome.code, len(lines_of(outcome.out))) == (0, 3)


def test_a_file_needs_a_name(paywint: Command) -> None:
    for option in ("--output", "--checkpoint"):
        outcome = paywint("export", "--emulator", 3, option, "")
        assert outcome.code == 2
        assert option in outcome.err


def test_a_span_of_days_includes_the_last_day(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=900)
    use(account.environment)
    everything = [json.loads(line) for line in lines_of(paywint("export").out)]
    days = sorted({each["created_at"][:10] for each in everything})
    since, until = days[1], days[-2]

    outcome = paywint("export", "--since", since, "--until", until)
    listed = paywint("payment", "list", "received", "--since", since, "--until", until)

    expected = [each for each in everything if since <= each["created_at"][:10] <= until]
    assert 0 < len(expected) < 900
    assert [json.loads(line) for line in lines_of(outcome.out)] == expected
    assert listed.out == outcome.out


def test_a_day_is_in_the_time_zone_and_a_time_as_the_end_is_excluded(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=300)
    use(account.environment)
    everything = [json.loads(line) for line in lines_of(paywint("export").out)]
    day = everything[150]["created_at"][:10]
    begin = datetime.fromisoformat(f"{day}T00:00:00+05:45")
    spans = [
        (
            ["--since", day, "--until", day, "--timezone", "Asia/Kathmandu"],
            begin,
            begin + timedelta(1),
        ),
        (["--until", everything[99]["created_at"]], None, moment(everything[99])),
        (["--since", everything[99]["created_at"]], moment(everything[99]), None),
    ]
    for options, since, until in spans:
        expected = [
            each
            for each in everything
            if (since is None or since <= moment(each)) and (until is None or moment(each) < until)
        ]
        assert ids_in(paywint("export", *options).out) == [each["payment_id"] for each in expected]


@pytest.mark.parametrize("direction", ["received", "both"])
def test_a_span_from_the_checkpoint_is_reported(
    serve: Command, use: Command, paywint: Command, tmp_path: Path, direction: str
) -> None:
    account = serve(payments=300)
    use(account.environment)
    output, checkpoint = tmp_path / "a.jsonl", tmp_path / "a.checkpoint"
    job = ["--direction", direction, "--output", output, "--checkpoint", checkpoint]
    span = ["--since", "2015-01-01", "--until", "2015-01-02"]
    told = (
        "only payments created from 2015-01-01T00:00:00+00:00 before 2015-01-03T00:00:00+00:00: "
        f"{checkpoint} remembers it"
    )

    first, along = paywint("export", *job, *span), paywint("export", *job, *span)
    alone = paywint("export", *job)

    assert (first.code, along.code, alone.code) == (0, 0, 0)
    assert told not in first.err + along.err
    assert f"paywint: {told}" in alone.err.splitlines()


def test_without_a_span_none_is_reported(
    paywint: Command, tmp_path: Path, serve: Command, use: Command
) -> None:
    use(serve(payments=30).environment)
    job = ["--output", tmp_path / "a.jsonl", "--checkpoint", tmp_path / "a.checkpoint"]

    outcomes = [paywint("export", *job), paywint("export", *job)]

    assert [len(outcome.err.splitlines()) for outcome in outcomes] == [1, 1]


def moment(payment: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(payment["created_at"])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--since", "2026-01-01T00:00:00"], "has no time zone"),
        (["--until", "yesterday"], "is neither a day"),
        (["--since", "2026-02-30"], "is neither a day"),
        (["--since", "2026-02-02", "--until", "2026-02-01"], "--until is before --since"),
        (["--since", "2026-02-02", "--timezone", "Mars/Olympus"], "is not a known time zone"),
        (["--until", "9999-12-31"], "out of the calendar"),
    ],
)
@pytest.mark.parametrize("command", [["export"], ["payment", "list", "received"]])
def test_an_invalid_span_is_wrong_usage(
    paywint: Command,
    use: Command,
    serve: Command,
    command: list[str],
    options: list[str],
    problem: str,
) -> None:
    use(serve(payments=1).environment)
    outcome = paywint(*command, *options)
    assert outcome.code == 2
    assert problem in " ".join(outcome.err.split())


def test_the_export_of_a_span_is_continued_and_keeps_its_span(
    tmp_path: Path, serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=500)
    use(account.environment)
    everything = [json.loads(line) for line in lines_of(paywint("export").out)]
    since = everything[200]["created_at"]
    place = ["--output", tmp_path / "a.jsonl", "--checkpoint", tmp_path / "a.checkpoint"]

    assert paywint("export", "--since", since, *place).code == 0
    assert paywint("export", "--since", since, *place).code == 0
    assert paywint("export", *place).code == 0
    other = paywint("export", "--since", everything[100]["created_at"], *place)

    assert other.code != 0
    assert "span" in other.err
    assert ids_in((tmp_path / "a.jsonl").read_text("utf-8")) == account.ids("received")[:201]
