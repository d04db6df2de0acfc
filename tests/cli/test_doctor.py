"""`paywint doctor`: a report on stdout, as text or JSON, and an exit code."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
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
    topics = [each.topic for each in ASSUMPTIONS if not each.needs_delivery]
    verdicts = {each["topic"]: each["verdict"] for each in report["findings"]}
    assert verdicts == dict.fromkeys(topics, "confirmed")
    start = f"paywint: {len(topics)} confirmed, 0 contradicted, 0 not to be seen here; 20 requests"
    assert outcome.err.startswith(start)
    assert outcome.err.count("\n") == 1


def test_contradicted_assumptions_come_first_with_the_next_step(
    serve: Command, use: Command, paywint: Command
) -> None:
    account = serve(payments=1000, sent_path="/api/user-api/payment/list/sent")
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


def test_an_api_that_answers_with_errors_only(
    serve: Command, use: Command, paywint: Command
) -> None:
    use(serve(payments=10, failures=1.0).environment)

    outcome = paywint("doctor")

    assert outcome.code == 1
    assert outcome.err.startswith("paywint: the API cannot be reached: the API answered 503; 2 req")


def test_an_api_that_never_answers(
    use: Command, paywint: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paywint_async._doctor.MAX_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        use({"PAYWINT_API_KEY": "key", "PAYWINT_API_SECRET": "secret", "PAYWINT_BASE_URL": url})
        outcome = paywint("doctor")

    assert outcome.code == 1
    assert outcome.err.startswith(
        "paywint: the API cannot be reached: no answer in time; 1 request"
    )
    assert "the time ended before this could be asked: credentials, " in outcome.out


def test_a_recorded_webhook_shows_the_unit_of_its_amount(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=10)
    use(account.environment)
    payment_id = json.loads(paywint("link", "create", "150.75").out)["payment_id"]
    data = {"payment_id": payment_id, "status": "success", "amount": 15075}
    event = {"event": "payment.success", "id": payment_id, "data": data}
    file = tmp_path / "delivery.txt"
    file.write_text(
        "X-Signature: 5d41\n\n" + json.dumps(event | {"eventGeneratedTime": 1750068291})
    )

    outcome = paywint("doctor", "--webhook", file)

    assert outcome.code == 0
    assert 'it is in cents: pass amounts="cents" to WebhookReceiver' in outcome.out
    assert "5d41" not in outcome.out


def test_a_file_without_a_webhook_is_refused_before_anything_is_requested(
    serve: Command, use: Command, paywint: Command, tmp_path: Path
) -> None:
    account = serve(payments=10)
    use(account.environment)
    file = tmp_path / "delivery.txt"
    file.write_text("Ann Payer")

    outcome = paywint("doctor", "--webhook", file)

    assert (outcome.code, outcome.out, account.request_count) == (1, "", 0)
    assert outcome.err.startswith(f"paywint: {file} holds no delivery of a webhook")
    assert "Ann" not in outcome.err


def test_a_missing_webhook_file(paywint: Command, tmp_path: Path) -> None:
    outcome = paywint("doctor", "--webhook", tmp_path / "none.json")

    assert (outcome.code, outcome.out) == (1, "")
    assert "cannot read" in outcome.err
