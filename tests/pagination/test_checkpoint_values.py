"""A checkpoint as JSON: a position survives the round trip, and an invalid value is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from account_server import account
from history_model import EPOCH

from paywint_async import InvalidRequestError
from paywint_async._pagination.checkpoint import from_json, to_json
from paywint_async._pagination.position import Order, Position, Span

FULL = Position(
    order=Order.OLDEST_FIRST,
    snapshot=30,
    low_watermark=4,
    expected=26,
    delivered=5,
    remaining=21,
    last=(1, 2),
    head=(3, 4),
    earlier_head=(5, 6),
    due=(7, 8),
    tail=(9, 10),
    is_changed=True,
    span=Span(since=EPOCH, until=EPOCH + timedelta(days=1)),
    is_closed=True,
    is_filtered=True,
    is_oldest_first=True,
    is_from_end=True,
    handed=11,
)
POSITIONS = [
    FULL,
    msgspec.structs.replace(FULL, is_closed=False),
    msgspec.structs.replace(FULL, is_filtered=False),
    msgspec.structs.replace(FULL, is_oldest_first=False, is_from_end=False),
    msgspec.structs.replace(FULL, is_from_end=False, tail=()),
    msgspec.structs.replace(FULL, span=Span(since=EPOCH)),
    msgspec.structs.replace(FULL, span=Span(until=EPOCH)),
    msgspec.structs.replace(FULL, span=None, is_closed=False, is_filtered=False, handed=0),
    Position(),
]


def test_the_example_sets_each_field() -> None:
    blank = Position()
    same = [name for name in FULL.__struct_fields__ if getattr(FULL, name) == getattr(blank, name)]
    assert same == []


@pytest.mark.parametrize("position", POSITIONS)
def test_a_position_equals_the_one_from_its_checkpoint(position: Position) -> None:
    value = json.loads(json.dumps(to_json(position, "received")))
    assert from_json(value, "received") == position


@pytest.mark.parametrize("kind", ["received", "history"])
async def test_a_listing_that_was_not_started_has_the_checkpoint_that_it_was_given(
    kind: str,
) -> None:
    async with account(250) as (_, client):
        listing = getattr(client.payments, kind)()
        await listing.collect(limit=120)
        assert getattr(client.payments, kind)(checkpoint=listing.checkpoint).checkpoint == (
            listing.checkpoint
        )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "listing"}, "must be the value of a history's checkpoint"),
        ({"version": 9}, "is damaged, or of another version"),
        ({"sent": ...}, "is damaged, or of another version"),
    ],
)
async def test_an_invalid_history_checkpoint_is_refused_with_the_reason(
    change: dict[str, Any], problem: str
) -> None:
    async with account(250) as (_, client):
        listing = client.payments.history()
        await listing.collect(limit=120)
        changed = {**(listing.checkpoint or {}), **change}
        value = {name: each for name, each in changed.items() if each is not ...}
        with pytest.raises(InvalidRequestError) as caught:
            client.payments.history(checkpoint=value)
    assert str(caught.value) == f"checkpoint: {problem}"
