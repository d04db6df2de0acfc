"""Each assumption is confirmed by the default emulator, and contradicted by one with an option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contradictions import CONTRADICTIONS

from paywint_async._doctor.assumptions import ASSUMPTIONS
from paywint_async.emulator import Emulator


@pytest.mark.parametrize("hostile", [True, False])
@pytest.mark.parametrize("payments", [1000, 101, 11, 2])
async def test_the_emulator_confirms_everything(
    examine_account: Callable[..., Any], payments: int, hostile: bool
) -> None:
    async with Emulator(payments=payments, hostile=hostile) as emulator:
        examined = await examine_account(emulator)

    assert examined.verdicts == {
        each.topic: "confirmed" for each in ASSUMPTIONS if not each.needs_delivery
    }


@pytest.mark.parametrize(
    ("unit", "expected"), [("cents", "cents"), ("dollars", "dollars"), ("text", "dollars")]
)
async def test_the_emulator_confirms_everything_with_a_delivery(
    examine_account: Callable[..., Any],
    record_delivery: Callable[..., Any],
    unit: Any,
    expected: str,
) -> None:
    async with Emulator(payments=1000, webhook_amounts=unit) as emulator:
        delivery = await record_delivery(emulator)
        examined = await examine_account(emulator, delivery=delivery)

    assert examined.verdicts == {each.topic: "confirmed" for each in ASSUMPTIONS}
    assert examined.detail("webhook unit").startswith(f"it is in {expected}: ")


def test_the_topics_keep_their_names() -> None:
    """They are printed by `--json`: removing or renaming one breaks programs that read it."""
    assert [each.topic for each in ASSUMPTIONS] == [
        "credentials",
        "environment",
        "proxy and TLS",
        "clock",
        "latency",
        "sent path",
        "page sizes",
        "order",
        "totals",
        "null fields",
        "amounts",
        "currency",
        "times",
        "ids",
        "get payment",
        "unknown fields",
        "unknown statuses",
        "unknown methods",
        "shape of a 404",
        "shape of a 422",
        "rate-limit headers",
        "compression",
        "keep-alive",
        "webhook unit",
        "readability",
    ]


def test_each_assumption_has_a_contradiction() -> None:
    assert set(CONTRADICTIONS) == {each.topic for each in ASSUMPTIONS if not each.is_report_only}


@pytest.mark.parametrize("topic", CONTRADICTIONS)
async def test_an_emulator_can_contradict_exactly_one_assumption(
    topic: str, examine_account: Callable[..., Any], record_delivery: Callable[..., Any]
) -> None:
    async with Emulator(payments=1000, **CONTRADICTIONS[topic]) as emulator:
        needs_delivery = any(each.topic == topic and each.needs_delivery for each in ASSUMPTIONS)
        delivery = await record_delivery(emulator) if needs_delivery else None
        examined = await examine_account(emulator, delivery=delivery)

    contradicted = [
        each for each, verdict in examined.verdicts.items() if verdict == "contradicted"
    ]
    assert contradicted == [topic], examined.findings
