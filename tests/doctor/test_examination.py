"""The requests of an examination, its end, and what its report must not contain."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from contradictions import CONTRADICTIONS
from effort import slow_but
from fault_catalogue import UNKNOWN_AUTHORITY
from fault_server import PAGE, PAYMENT, FaultServer, answer, redirect
from virtual_time import pass_time

from paywint_async._doctor import (
    Observations,
    Setup,
    Verdict,
    find,
    json_text,
    read_setup,
    text_lines,
)
from paywint_async._doctor.verdicts import confirmed
from paywint_async.emulator import Emulator

READS = {"list_received", "list_sent", "get"}


def texts(examined: Any) -> str:
    return json_text(examined.findings) + "\n".join(text_lines(examined.findings))


async def test_an_examination_only_reads(examine_account: Callable[..., Any]) -> None:
    async with Emulator(hostile=True, payments=1000) as emulator:
        before = emulator.count("received"), emulator.count("sent")
        await examine_account(emulator)

        assert {each.operation for each in emulator.requests} == READS
        assert (emulator.count("received"), emulator.count("sent")) == before


async def test_an_examination_sends_at_most_forty_requests(
    examine_account: Callable[..., Any],
) -> None:
    async with Emulator(hostile=True, payments=10_000, failures=0.9) as emulator:
        examined = await examine_account(emulator)

        assert emulator.request_count == examined.observations.request_count <= 40
    assert "contradicted" not in examined.verdicts.values()


async def test_a_slow_examination_ends_in_time_and_reports_what_it_has_not_seen(
    examine_account: Callable[..., Any],
) -> None:
    async with Emulator(payments=1000, latency=3) as emulator:
        examined = await examine_account(emulator)

        await pass_time(0.1)  # until the server notices the disconnect
        assert emulator.in_flight == 0
    assert examined.verdicts["latency"] == "contradicted"
    assert examined.verdicts["sent path"] == "confirmed"
    assert examined.detail("get payment") == "the time ended before this could be asked"


async def test_payments_that_arrive_meanwhile_contradict_nothing(
    examine_account: Callable[..., Any],
) -> None:
    async with Emulator(hostile=True, payments=25, arrivals=50, latency=0.2) as emulator:
        examined = await examine_account(emulator)

    assert set(examined.verdicts.values()) == {"confirmed"}


@pytest.mark.parametrize("records", ["list", "null"])
@pytest.mark.parametrize("total", ["zero", "null", "absent"])
async def test_an_account_without_payments_contradicts_nothing(
    examine_account: Callable[..., Any], records: Any, total: Any
) -> None:
    async with Emulator(payments=0, empty_records=records, empty_total=total) as emulator:
        examined = await examine_account(emulator)

    assert set(examined.verdicts.values()) == {"confirmed", "not to be seen here"}
    assert examined.detail("amounts") == "the account has no payments that show it"


@pytest.mark.parametrize("topic", slow_but(["", *CONTRADICTIONS], "", *list(CONTRADICTIONS)[::4]))
async def test_a_report_names_no_payer_no_payment_and_no_key(
    topic: str, examine_account: Callable[..., Any]
) -> None:
    async with Emulator(hostile=True, payments=300, **CONTRADICTIONS.get(topic, {})) as emulator:
        examined = await examine_account(emulator)
        newest = [each for _, each in emulator.newest("received")]

    report = texts(examined)
    ids = {each.payment_id for each in newest}
    names = {each.payer_name for each in newest} | {each.description for each in newest}
    amounts = {each.amount for each in newest if len(each.amount) > 5}
    keys = {emulator.api_key, emulator.api_secret}
    telling = {text for text in ids | names | amounts | keys if text and len(text) > 4}
    assert {text for text in telling if text in report} == set()
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", report)


async def test_a_text_in_place_of_a_name_is_not_shown(examine_server: Callable[..., Any]) -> None:
    more = b'{"Ann Payer, 5 Elm St":1,"card_id":2,'
    body = PAGE.replace(b'"success"}', b'"x y z"}').replace(
        b'{"payment_id"', more + b'"payment_id"'
    )
    async with FaultServer(answer(body=body)) as server:
        examined = await examine_server(server)

    report = texts(examined)
    assert "ignored: card_id, 1 more that are not shown" in report
    assert "Ann" not in report
    assert "x y z" not in report


async def test_fields_of_the_platform_site_are_reported(
    examine_account: Callable[..., Any],
) -> None:
    async with Emulator(payments=100, extra_fields=True) as emulator:
        examined = await examine_account(emulator)

    assert set(examined.verdicts.values()) == {"confirmed"}
    assert "processing_fee" in examined.detail("unknown fields")


async def test_unknown_fields_statuses_and_methods_are_reported_and_contradict_nothing(
    examine_server: Callable[..., Any],
) -> None:
    body = PAGE.replace(b'"success"}', b'"settling","payment_method":"CHECK_MAIL","card_id":1}')
    async with FaultServer(answer(body=body)) as server:
        examined = await examine_server(server)

    unknown = {
        each: examined.detail(f"unknown {each}") for each in ("fields", "statuses", "methods")
    }
    assert unknown == {
        "fields": "unknown fields, ignored: card_id",
        "statuses": "unknown statuses, kept unchanged, never final: settling",
        "methods": "unknown methods, kept unchanged: CHECK_MAIL",
    }
    assert {examined.verdicts[f"unknown {each}"] for each in unknown} == {"confirmed"}


async def test_an_untrusted_certificate_contradicts_tls(
    examine_server: Callable[..., Any],
) -> None:
    async with FaultServer(UNKNOWN_AUTHORITY) as server:
        examined = await examine_server(server)

    assert examined.verdicts["proxy and TLS"] == "contradicted"
    assert "certificate" in examined.detail("proxy and TLS")
    assert set(examined.verdicts.values()) == {"contradicted", "not to be seen here"}


async def test_a_redirect_contradicts_the_environment(examine_server: Callable[..., Any]) -> None:
    async with FaultServer(redirect(302, "https://example.com/login")) as server:
        examined = await examine_server(server)

    contradicted = [
        each for each, verdict in examined.verdicts.items() if verdict == "contradicted"
    ]
    assert contradicted == ["environment"]


async def test_the_address_of_the_other_environment_contradicts_the_environment() -> None:
    setup = Setup(environment="production", base_url="https://api.sandbox.paywint.com")

    (finding,) = (each for each in find(Observations(setup=setup)) if each.topic == "environment")

    assert (finding.verdict, finding.judgement.detail) == (
        "contradicted",
        "the environment is production, but https://api.sandbox.paywint.com is the address of sandbox",
    )


async def test_announced_limits_are_reported(examine_server: Callable[..., Any]) -> None:
    headers = "X-RateLimit-Limit: 100\r\nX-RateLimit-Remaining: 73\r\n"
    async with FaultServer(answer(headers=headers)) as server:
        examined = await examine_server(server)

    limits = "headers: x-ratelimit-limit: 100, x-ratelimit-remaining: 73"
    assert examined.verdicts["rate-limit headers"] == "confirmed"
    assert examined.detail("rate-limit headers").endswith(limits)


def test_the_proxy_in_use_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@proxy.example:3128")
    for name in ("https_proxy", "no_proxy", "NO_PROXY", "PAYWINT_BASE_URL", "PAYWINT_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)

    assert read_setup() == Setup(
        environment="sandbox",
        base_url="https://api.sandbox.paywint.com",
        proxy_source="HTTPS_PROXY",
    )


async def test_a_rate_limit_leaves_some_questions_open(
    examine_account: Callable[..., Any],
) -> None:
    async with Emulator(payments=1000, rate_limit=0.001) as emulator:
        examined = await examine_account(emulator)

    details = {
        each: examined.detail(each) for each in ("shape of a 404", "get payment", "compression")
    }
    assert details == {
        "shape of a 404": "the API answered 429",
        "get payment": "a limit of requests kept it from being asked",
        "compression": "the API answered 429",
    }


async def test_get_payment_is_not_judged_with_an_invalid_id(
    examine_account: Callable[..., Any],
) -> None:
    async with Emulator(payments=10, deviations=["short-ids"]) as emulator:
        examined = await examine_account(emulator)

    reason = "it cannot be asked with the payment_id that the list has"
    assert examined.detail("get payment") == reason


@pytest.mark.parametrize(
    ("deviation", "seen", "reason"),
    [
        ("keys-refused", ["environment", "proxy and TLS", "clock"], "the keys are not accepted"),
        ("another-site", ["proxy and TLS", "clock"], "what answers is not the API"),
        ("network-login", ["clock"], "the API answered 511"),
    ],
)
async def test_an_obstacle_leaves_the_following_assumptions_unseen(
    examine_account: Callable[..., Any], deviation: str, seen: list[str], reason: str
) -> None:
    async with Emulator(payments=1000, deviations=[deviation]) as emulator:
        examined = await examine_account(emulator)

    by_verdict = {word: [t for t, v in examined.verdicts.items() if v == word] for word in Verdict}
    assert by_verdict[Verdict.CONFIRMED] == seen
    assert len(by_verdict[Verdict.CONTRADICTED]) == 1
    reasons = {examined.detail(each) for each in by_verdict[Verdict.NOT_SEEN]}
    assert reasons - {"what is contradicted explains it"} == {reason}


@pytest.mark.parametrize(
    ("base_url", "detail"),
    [
        ("https://api.sandbox.paywint.com", "sandbox, https://api.sandbox.paywint.com"),
        ("https://pay.example", "sandbox, https://pay.example, which is set by hand"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080, on this machine (an emulator)"),
    ],
)
async def test_the_address_is_reported(
    examine_account: Callable[..., Any], base_url: str, detail: str
) -> None:
    async with Emulator(payments=1) as emulator:
        examined = await examine_account(emulator)

    setup = Setup(environment="sandbox", base_url=base_url, proxy_source="HTTPS_PROXY")
    findings = {each.topic: each for each in find(attrs.evolve(examined.observations, setup=setup))}
    assert findings["environment"].judgement == confirmed(detail)
    is_local = base_url.startswith("http:")
    assert findings["proxy and TLS"].judgement.detail == (
        "plain http, which stays on this machine; without a proxy"
        if is_local
        else "https, the certificate is valid; through the proxy of HTTPS_PROXY"
    )


async def test_the_order_of_times_in_different_zones_is_recognised(
    examine_server: Callable[..., Any],
) -> None:
    older = PAYMENT.replace(b"10:04:51.739761Z", b"11:30:00.000000+02:00")
    body = PAGE.replace(PAYMENT, PAYMENT + b"," + older).replace(
        b'"totalRecords":1', b'"totalRecords":2'
    )
    async with FaultServer(answer(body=body)) as server:
        examined = await examine_server(server)

    assert examined.detail("order") == "received: newest first; sent: newest first"
