"""Failures: one clear line, the right exit code, no traceback, no secret."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

SECRET = "a-secret-nobody-may-see"


def assert_failed(outcome: Any, code: int, line: str) -> None:
    assert (outcome.code, outcome.err, outcome.out) == (code, f"paywint: {line}\n", "")
    assert SECRET not in outcome.err


@pytest.fixture
def wrong_key(serve: Command, use: Command) -> None:
    use({**serve(payments=10).environment, "PAYWINT_API_SECRET": SECRET})


@pytest.mark.usefixtures("wrong_key")
@pytest.mark.parametrize(
    "arguments", [["export"], ["link", "create", "5"], ["payment", "list", "sent"]]
)
def test_wrong_credentials(paywint: Command, arguments: list[str]) -> None:
    outcome = paywint(*arguments)

    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("paywint: the API answered 401: ")
    assert outcome.err.endswith(
        "; check PAYWINT_API_KEY, PAYWINT_API_SECRET and PAYWINT_ENVIRONMENT\n"
    )
    assert outcome.err.count("\n") == 1
    assert SECRET not in outcome.err


def test_an_address_where_nobody_listens(use: Command, paywint: Command) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        use({"PAYWINT_API_KEY": "key", "PAYWINT_API_SECRET": SECRET, "PAYWINT_BASE_URL": url})

        outcome = paywint("link", "create", "5")

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert outcome.err.startswith(f"paywint: create_link: cannot connect to {url} (")


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({}, "api_key is missing: pass it, or set PAYWINT_API_KEY"),
        ({"PAYWINT_API_KEY": "key"}, "api_secret is missing: pass it, or set PAYWINT_API_SECRET"),
        (
            {
                "PAYWINT_API_KEY": "key",
                "PAYWINT_API_SECRET": SECRET,
                "PAYWINT_ENVIRONMENT": "moon",
            },
            "PAYWINT_ENVIRONMENT must be sandbox or production, not 'moon'",
        ),
    ],
)
def test_no_account(use: Command, paywint: Command, environment: dict[str, str], line: str) -> None:
    use(environment)

    assert_failed(paywint("export"), 2, line)


WHOLE = "is not a whole number"
AMOUNT = "is not an amount in dollars, such as 150 or 150.75"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["exprot"], 'Unknown command "exprot". Did you mean "export"? Available commands: '),
        (["export", "--nope"], "Unknown option: --nope."),
        (["export", "extra"], "Unused Tokens: ['extra']."),
        (["export", "--emulator", "1_000"], f"Invalid value for --emulator: '1_000' {WHOLE}"),
        (["export", "--emulator", "2.7"], f"Invalid value for --emulator: '2.7' {WHOLE}"),
        (["export", "--emulator", "-1"], f"Invalid value for --emulator: '-1' {WHOLE}"),
        (["export", "--concurrency", "0"], f"Invalid value for --concurrency: '0' {WHOLE}, at"),
        (["export", "--rows-per-page", "11"], 'Invalid value "11" for --rows-per-page.'),
        (["export", "--direction", "up"], 'Invalid value "up" for --direction.'),
        (["export", "--format", "xls"], 'Invalid value "xls" for --format.'),
        (["export", "--emulator-latency", "nan"], "Invalid value for --emulator-latency: 'nan'"),
        (["export", "--output"], 'Command "export" parameter --output requires an argument.'),
        (
            ["export", "--checkpoint="],
            "--checkpoint must be the name of a file; see 'paywint --help'",
        ),
        (
            ["export", "--emulator", "999999999999"],
            "payments must be an integer from 0 to 100000000, not 999999999999; see",
        ),
        (["link", "create"], 'Command "link create" parameter AMOUNT requires an argument.'),
        (["link", "create", "1_000"], f"'1_000' {AMOUNT}"),
        (["link", "create", "1e3"], f"'1e3' {AMOUNT}"),
        (["link", "create", "NaN"], f"'NaN' {AMOUNT}"),
        (["link", "create", "-5"], f"'-5' {AMOUNT}"),
        (["link", "create", "1.234"], f"'1.234' {AMOUNT}"),
        (["link", "create", "١"], f"'١' {AMOUNT}"),
        (["payment", "list", "up"], 'Invalid value "up"'),
        (["payment", "list", "sent", "--limit", "-1"], "Invalid value for --limit: '-1' is not"),
        (["emulator", "--port", "70000"], "port must be an integer from 0 to 65535, not 70000"),
    ],
)
def test_wrong_usage(paywint: Command, arguments: list[str], line: str) -> None:
    outcome = paywint(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"paywint: {line}")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["link", "create", "0"], "amount: must be above zero, not 0"),
        (
            ["link", "create", "5", "--description", "x" * 256],
            "description: must have at most 255 characters, not 256",
        ),
        (["payment", "get", "no-id"], "payment_id: must be a UUID, not 'no-id'"),
    ],
)
def test_invalid_values_are_wrong_usage(
    use: Command, paywint: Command, arguments: list[str], line: str
) -> None:
    use({"PAYWINT_API_KEY": "key", "PAYWINT_API_SECRET": SECRET})

    assert_failed(paywint(*arguments), 2, line)


def test_a_missing_directory(paywint: Command, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "payments.jsonl"

    outcome = paywint("export", "--emulator", 10, "--output", path)

    assert_failed(outcome, 1, f"cannot open {path}.part: No such file or directory")


def test_a_full_disk(paywint: Command) -> None:
    outcome = paywint("export", "--emulator", 10, "--output", "/dev/full")

    assert_failed(outcome, 1, "cannot write /dev/full: No space left on device")


def test_a_disk_that_fills_up_in_the_middle(
    serve: Command, use: Command, paywint: Command, tmp_path: Path, disk_of: Command
) -> None:
    account = serve(payments=500)
    use(account.environment)
    output = tmp_path / "out.jsonl"
    export = ["export", "--output", output, "--checkpoint", tmp_path / "cp"]

    with disk_of(100_000):
        outcome = paywint(*export)

    line = f"cannot write {output}: File too large; run the same command again to continue"
    assert_failed(outcome, 1, line)
    assert paywint(*export).code == 0
    lines = output.read_text("utf-8").split("\n")[:-1]
    assert [json.loads(each)["payment_id"] for each in lines] == account.ids()


def test_a_disk_that_fills_up_under_a_file_that_cannot_be_continued(
    paywint: Command, tmp_path: Path, disk_of: Command
) -> None:
    output = tmp_path / "out.csv"

    with disk_of(100_000):
        outcome = paywint("export", "--emulator", 2000, "--output", output)

    line = (
        f"cannot write {output}.part: File too large; what was written is in {output}.part; "
        "with --checkpoint it could be continued"
    )
    assert_failed(outcome, 1, line)


def test_a_damaged_checkpoint(paywint: Command, tmp_path: Path) -> None:
    export = ["export", "--output", tmp_path / "out", "--checkpoint", tmp_path / "cp"]
    paywint(*export, "--emulator", 150)
    text = (tmp_path / "cp").read_text("utf-8")

    (tmp_path / "cp").write_text(text.replace('"snapshot": 150', '"snapshot": 151'), "utf-8")
    outcome = paywint(*export, "--emulator", 150)
    assert_failed(outcome, 1, "checkpoint: is damaged: its check does not fit its content")

    (tmp_path / "cp").write_text(text[:100], "utf-8")
    outcome = paywint(*export, "--emulator", 150)
    assert outcome.code == 1
    assert outcome.err.startswith(f"paywint: {tmp_path}/cp is not an export's checkpoint: ")


def test_a_checkpoint_of_another_account(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    export = ["export", "--output", tmp_path / "out", "--checkpoint", tmp_path / "cp"]
    for seed in (1, 2):
        use(serve(payments=150, seed=seed).environment)
        outcome = paywint(*export)

    assert outcome.code == 1
    assert "another account's?" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_checkpoint_of_another_direction(paywint: Command, tmp_path: Path) -> None:
    export = ["export", "--emulator", 10, "--output", tmp_path / "out"]
    export += ["--checkpoint", tmp_path / "cp"]
    paywint(*export)

    outcome = paywint(*export, "--direction", "sent")

    assert_failed(outcome, 1, f"{tmp_path}/cp belongs to a direction of 'received', not 'sent'")


@pytest.mark.parametrize("checkpoint", ["out", "./out", "link", "out.tmp"])
def test_output_and_checkpoint_in_one_file(
    paywint: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink("out", "link")

    outcome = paywint("export", "--emulator", 10, "--output", "out", "--checkpoint", checkpoint)

    line = "--output and --checkpoint must be different files, also FILE.tmp; see 'paywint --help'"
    assert_failed(outcome, 2, line)


def test_an_error_in_the_middle_says_what_was_written(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=1000, latency=0.002)
    use(account.environment)
    output = tmp_path / "out.jsonl"
    export = ["export", "--output", output, "--concurrency", 1, "--rows-per-page", 10]

    account.after_requests(20, lambda emulator: [emulator.delete("received", 500) for _ in "x"])
    without = paywint(*export)
    account.after_requests(20, lambda emulator: [emulator.delete("received", 400) for _ in "x"])
    resumable = paywint(*export, "--checkpoint", tmp_path / "cp")

    assert (without.code, resumable.code) == (1, 1)
    assert "cannot be proved complete" in without.err
    assert f" payments are done; they are in {output}.part; with --checkpoint" in without.err
    assert resumable.err.endswith(" payments are done; run the same command again to continue\n")


def test_text_of_the_server_cannot_imitate_lines_of_the_command() -> None:
    from paywint_async._cli.report import one_line

    assert one_line("no\npaywint: exported\x1b[2K 5\u202e\tpayments") == (
        "no paywint: exported?[2K 5? payments"
    )
    assert one_line("x" * 601) == "x" * 600 + "…"
