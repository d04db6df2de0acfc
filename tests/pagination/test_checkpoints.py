"""A listing continues where another one stopped, without repeats; invalid checkpoints fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from account_server import account, ids

from paywint_async import IncompleteHistoryError, InvalidRequestError


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("taken", [1, 99, 100, 101, 350, 999, 1000])
async def test_a_checkpoint_resumes_right_after_it(order: str, taken: int) -> None:
    async with account(1000, order=order) as (emulator, client):
        before = emulator.history("received")[:: 1 if order == "newest" else -1]
        delivered = []
        async with client.payments.received() as listing:
            async for payment in listing:
                delivered.append(payment)
                if len(delivered) == taken:
                    break
            checkpoint = json.loads(json.dumps(listing.checkpoint))
        emulator.arrive("received", 2345)
        count = emulator.request_count
        if taken < 1000:
            resumed = client.payments.received(checkpoint=checkpoint, rows_per_page=50)
            assert ids(delivered + await resumed.collect()) == before
            assert emulator.request_count - count <= (1000 - taken) // 50 + 4
            assert resumed.total == 1000
        else:
            assert checkpoint["finished"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_a_finished_checkpoint_yields_only_new_payments_each_time(order: str) -> None:
    async with account(250, order=order) as (emulator, client):
        checkpoint, seen = None, 0
        for new in (0, 0, 1, 99, 100, 101, 250):
            emulator.arrive("received", new)
            count = emulator.request_count
            listing = client.payments.received(checkpoint=checkpoint)
            delivered = ids(await listing.collect())
            history = emulator.history("received")
            expected = history[: len(history) - seen]
            assert delivered == expected[:: 1 if order == "newest" else -1]
            if checkpoint is not None:
                assert emulator.request_count - count <= -(-new // 100) + 1
            checkpoint, seen = listing.checkpoint, len(history)


async def test_a_checkpoint_of_the_other_direction_is_refused_before_sending() -> None:
    async with account(10) as (emulator, client):
        listing = client.payments.sent()
        await listing.collect()
        count = emulator.request_count
        with pytest.raises(InvalidRequestError, match="checkpoint"):
            client.payments.received(checkpoint=listing.checkpoint)
        assert emulator.request_count == count


@pytest.mark.parametrize(
    "damage",
    [
        {"remaining": 3},
        {"version": 2},
        {"last": []},
        {"last": ["no uuid"]},
        {"check": "0"},
        {"order": "sideways"},
        {"snapshot": None},
    ],
    ids=str,
)
async def test_a_damaged_checkpoint_is_refused_before_sending(damage: dict[str, Any]) -> None:
    async with account(200) as (emulator, client):
        listing = client.payments.sent()
        await listing.collect(limit=150)
        count = emulator.request_count
        assert listing.checkpoint is not None
        with pytest.raises(InvalidRequestError, match="checkpoint"):
            client.payments.sent(checkpoint=listing.checkpoint | damage)
        assert emulator.request_count == count


@pytest.mark.parametrize("checkpoint", [[], "text", 7, {}], ids=str)
async def test_another_value_than_a_checkpoint_is_refused(checkpoint: Any) -> None:
    async with account() as (_, client):
        for listing in (client.payments.sent, client.payments.history):
            with pytest.raises(InvalidRequestError, match="checkpoint"):
                listing(checkpoint=checkpoint)


@pytest.mark.parametrize("taken", [150, 500])
async def test_the_checkpoint_of_another_account_is_an_error_and_delivers_nothing(
    taken: int,
) -> None:
    async with account(500) as (_, mine), account(600, seed=2) as (_, other):
        listing = mine.payments.received()
        await listing.collect(limit=taken)
        delivered = []
        with pytest.raises(IncompleteHistoryError):
            async for payment in other.payments.received(checkpoint=listing.checkpoint):
                delivered.append(payment)
        assert delivered == []


async def test_before_the_first_read_there_is_no_checkpoint() -> None:
    async with account(150) as (_, client):
        for listing in (client.payments.sent(), client.payments.history()):
            assert (listing.total, listing.checkpoint) == (None, None)


@pytest.mark.parametrize("taken", [1, 2, 333, 1399, 1400])
async def test_payments_fetched_ahead_of_a_history_are_not_in_its_checkpoint(taken: int) -> None:
    async with account(700) as (emulator, client):
        whole = await client.payments.history().collect()
        listing = client.payments.history()
        first = await listing.collect(limit=taken)
        emulator.arrive("sent", 130)
        emulator.arrive("received", 70)
        rest = client.payments.history(checkpoint=json.loads(json.dumps(listing.checkpoint)))
        entries = first + await rest.collect()
        if taken < 1400:
            assert entries == whole
        finished = client.payments.history(checkpoint=rest.checkpoint)
        entries += await finished.collect()
        everything = [*emulator.history("sent"), *emulator.history("received")]
        assert sorted(ids(entry.payment for entry in entries)) == sorted(everything)
        assert len(everything) == 1600
