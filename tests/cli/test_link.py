"""`paywint link` and `paywint payment`: machine-readable lines on stdout."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paywint_async.export._stream import Stream

Command = Callable[..., Any]


@pytest.fixture
def account(serve: Command, use: Command) -> Any:
    account = serve(payments=150)
    use(account.environment)
    return account


def test_a_created_link_is_one_line_of_json(account: Any, paywint: Command) -> None:
    outcome = paywint(
        "link", "create", "150.75", "--description", "June [bold]", "--invoice-number", "INV-12"
    )

    assert (outcome.code, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    link = json.loads(outcome.out)
    assert list(link) == ["payment_id", "payment_link"]
    payment = json.loads(paywint("payment", "get", link["payment_id"]).out, parse_float=str)
    assert (payment["amount"], payment["description"], payment["status"]) == (
        "150.75",
        "June [bold]",
        "pending",
    )


def test_an_unknown_payment(account: Any, paywint: Command) -> None:
    outcome = paywint("payment", "get", "00000000-0000-0000-0000-000000000000")

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("paywint: the API answered 404: ")


@pytest.mark.parametrize("direction", ["sent", "received"])
@pytest.mark.parametrize("limit", [0, 5, 120, 1000])
def test_a_list_ends_at_its_limit(
    account: Any, paywint: Command, direction: str, limit: int
) -> None:
    outcome = paywint("payment", "list", direction, "--limit", limit)

    ids = [json.loads(line)["payment_id"] for line in outcome.out.split("\n")[:-1]]
    assert (outcome.code, outcome.err, ids) == (0, "", account.ids(direction)[:limit])


def test_a_list_without_a_limit_has_all_payments(account: Any, paywint: Command) -> None:
    outcome = paywint("payment", "list", "received")

    assert outcome.out == paywint("export").out
    assert outcome.err == ""


def test_a_link_that_cannot_be_printed_is_not_lost(
    account: Any, paywint: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        outcome = paywint("link", "create", "5")

    created = account.ids()[0]
    assert outcome.code == 1
    start = f"paywint: cannot write stdout: No space left on device; the link exists: {created} "
    assert outcome.err.startswith(start)
    assert outcome.err.count("\n") == 1


def test_nothing_is_created_if_stdout_is_closed(
    account: Any, paywint: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    outcome = paywint("link", "create", "5")

    assert (outcome.code, outcome.err) == (1, "paywint: cannot write stdout: it is closed\n")
    assert account.request_count == 0


def test_an_interrupted_create_says_that_its_outcome_is_unknown(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=1, latency=60)
    use(account.environment)

    account.after_requests(1, lambda emulator: os.kill(os.getpid(), signal.SIGINT))
    outcome = paywint("link", "create", "5")

    line = "interrupted; the link may or may not exist: look before you repeat it"
    assert (outcome.code, outcome.err) == (130, f"paywint: {line}\n")


def test_a_create_without_an_answer_warns_against_repeating_it(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=1, latency=60)
    use(account.environment)

    account.after_requests(1, lambda emulator: emulator.aclose())
    outcome = paywint("link", "create", "5")

    assert outcome.code == 1
    assert "create_link may or may not have happened" in outcome.err
    assert "check before you repeat it" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_link_is_named_if_the_command_is_interrupted_before_it_is_printed(
    account: Any, paywint: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_room = Stream._wait_for_room

    async def interrupted(stream: Stream) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await wait_for_room(stream)

    monkeypatch.setattr(Stream, "_wait_for_room", interrupted)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, b" " * 4096)
    with os.fdopen(write_end, "w") as full, os.fdopen(read_end):
        monkeypatch.setattr(sys, "stdout", full)
        outcome = paywint("link", "create", "5")

    assert outcome.code == 130
    start = f"paywint: interrupted; the link exists: {account.ids()[0]} http"
    assert outcome.err.startswith(start)
