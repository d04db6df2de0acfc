"""`--oldest-first`: a file is in the order of time, and stays so when it is continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from account_server import sort_by_amount

from paywint_async import PaywintClient

Command = Callable[..., Any]


def ids_in(text: str) -> list[str]:
    return [json.loads(line)["payment_id"] for line in text.split("\n")[:-1]]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_a_continued_file_is_in_the_order_of_time(
    order: str, serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=300, order=order)
    use(account.environment)
    output = tmp_path / "a.jsonl"
    place = ["--output", output, "--checkpoint", tmp_path / "a.checkpoint"]

    for new, options in ((0, ["--oldest-first"]), (130, ["--oldest-first"]), (7, [])):
        account.arrive(new)
        assert paywint("export", *options, *place).code == 0

        assert ids_in(output.read_text("utf-8")) == account.ids()[::-1]


def test_both_directions_are_merged_in_the_order_of_time(
    serve: Command, use: Command, paywint: Command
) -> None:
    use(serve(payments=150).environment)

    newest_first = paywint("export", "--direction", "both").out
    oldest_first = paywint("export", "--direction", "both", "--oldest-first").out

    times = [json.loads(line)["created_at"] for line in oldest_first.split("\n")[:-1]]
    assert len(times) == 300
    assert times == sorted(times)
    assert sorted(ids_in(oldest_first)) == sorted(ids_in(newest_first))


def test_a_file_in_another_order_is_not_continued(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    use(serve(payments=30).environment)
    place = ["--output", tmp_path / "a.jsonl", "--checkpoint", tmp_path / "a.checkpoint"]
    assert paywint("export", *place).code == 0
    written = (tmp_path / "a.jsonl").read_bytes()

    outcome = paywint("export", "--oldest-first", *place)

    assert outcome.code == 1
    assert "in the server's order" in outcome.err
    assert (tmp_path / "a.jsonl").read_bytes() == written


@pytest.mark.parametrize("ending", ["jsonl", "csv", "db"])
def test_a_synced_destination_remembers_the_order(
    ending: str, serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=120)
    use(account.environment)
    output = tmp_path / f"a.{ending}"
    place = f"sqlite:///{output}" if ending == "db" else output

    assert paywint("sync", place, "--oldest-first").code == 0
    account.arrive(45)
    assert paywint("sync", place).code == 0

    if ending == "jsonl":
        assert ids_in(output.read_text("utf-8")) == account.ids()[::-1]
    assert "0 new" in paywint("sync", place, "--oldest-first").err


def test_payments_are_listed_in_the_order_of_time(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=250)
    use(account.environment)

    whole = paywint("payment", "list", "received", "--oldest-first")
    first = paywint("payment", "list", "received", "--oldest-first", "--limit", 3)

    assert ids_in(whole.out) == account.ids()[::-1]
    assert ids_in(first.out) == account.ids()[:-4:-1]


def test_a_list_not_sorted_by_time_is_reported(
    serve: Command, use: Command, paywint: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is sorted by amount."""

    def from_env(**options: Any) -> PaywintClient:
        return make(middlewares=(sort_by_amount,), **options)

    make = PaywintClient.from_env
    monkeypatch.setattr(PaywintClient, "from_env", from_env)
    account = serve(payments=250)
    use(account.environment)

    outcome = paywint("export", "--oldest-first")

    assert outcome.code == 0
    assert sorted(ids_in(outcome.out)) == sorted(account.ids())
    assert outcome.err.count("not in the order of created_at") == 1
