"""`paywint doctor`: a report to read or as JSON on stdout, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from paywint_async._doctor.assumptions import ASSUMPTIONS

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_the_emulators_account_confirms_everything(
    serve: Command, use: Command, paywint: Command
) -> None:
    use(serve(payments=1000).environment)

    outcome = paywint("doctor", "--json")

    report = json.loads(outcome.out)
    assert outcome.code == 0
    assert list(report) == ["findings"]
    assert {tuple(each) for each in report["findings"]} == {("topic", "verdict", "detail")}
    assert {each["topic"]: each["verdict"] for each in report["findings"]} == {
        each.topic: "confirmed" for each in ASSUMPTIONS
    }
    start = (
        f"paywint: {len(ASSUMPTIONS)} confirmed, 0 contradicted, 0 not to be seen here; 20 requests"
    )
    assert outcome.err.startswith(start)
    assert outcome.err.count("\n") == 1


def test_what_is_contradicted_comes_first_with_what_to_do(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=1000, deviations=["other-sent-path"])
    use(account.environment)

    outcome = paywint("doctor")

    assert outcome.code == 3
    head, _, title, first = outcome.out.split("\n")[:4]
    assert head.endswith(f"sandbox · {account.environment['PAYWINT_BASE_URL']}")
    assert title == "CONTRADICTED (1)"
    assert first.split()[:2] == ["sent", "path"]
    assert "To do: Ask Paywint for the path, pass it as PaywintClient(sent_path=" in outcome.out


def test_an_api_that_cannot_be_reached(
    use: Command, paywint: Command, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    use({"PAYWINT_API_KEY": "key", "PAYWINT_API_SECRET": "secret", "PAYWINT_BASE_URL": url})

    outcome = paywint("doctor", "--json")

    verdicts = {each["verdict"] for each in json.loads(outcome.out)["findings"]}
    assert (outcome.code, verdicts) == (1, {"not to be seen here"})
    assert outcome.err.startswith("paywint: the API cannot be reached: ")
    assert "Connection refused" in outcome.err


def test_keys_that_are_refused(serve: Command, use: Command, paywint: Command) -> None:
    use(serve(payments=10).environment | {"PAYWINT_API_SECRET": "wrong-secret"})

    outcome = paywint("doctor")

    assert outcome.code == 3
    assert "credentials" in outcome.out.split("CONFIRMED")[0]
    assert "wrong-secret" not in outcome.out + outcome.err


def test_no_credentials(paywint: Command) -> None:
    outcome = paywint("doctor")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("paywint: api_key is missing")


def test_an_api_that_answers_with_errors_alone(
    serve: Command, use: Command, paywint: Command
) -> None:
    use(serve(payments=10, failures=1.0).environment)

    outcome = paywint("doctor")

    assert outcome.code == 1
    assert outcome.err.startswith("paywint: the API cannot be reached: ")
    assert "503" in outcome.err
