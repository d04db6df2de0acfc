"""Get Payment returns the record of every id, and of no other id."""

import uuid

import pytest


@pytest.mark.parametrize("direction", ["sent", "received"])
async def test_every_listed_payment_can_be_fetched(serve, direction):
    async with serve(payments=40) as account:
        listed = await account.everything(direction)
        fetched = [(await account.get(record["payment_id"])).json["data"] for record in listed]
    assert fetched == listed


async def test_the_first_and_the_last_of_a_million_can_be_fetched(serve):
    async with serve(payments=1_000_000) as account:
        for page_no in (1, 10_000):
            record = (await account.page("sent", page_no)).records[-1]
            assert (await account.get(record["payment_id"])).json["data"] == record


async def test_an_id_in_capitals_is_the_same_id(serve):
    async with serve(payments=1) as account:
        (payment_id,) = account.emulator.history("sent")
        answer = await account.get(payment_id.upper())
    assert answer.json["data"]["payment_id"] == payment_id


async def test_an_unknown_id_is_not_found(serve):
    async with serve(payments=10) as account:
        answer = await account.get(str(uuid.UUID(int=0)))
    assert answer.status == 404
    assert answer.json == {"success": False, "message": "Payment not found"}


async def test_the_id_of_another_seed_is_not_found(serve):
    async with serve(payments=10, seed=1) as account, serve(payments=10, seed=2) as other:
        assert (await account.get(other.emulator.history("sent")[0])).status == 404


async def test_a_payment_that_has_not_arrived_yet_is_not_found(serve):
    async with serve(payments=10) as account, serve(payments=11) as later:
        newest = later.emulator.history("sent")[0]
        before = await account.get(newest)
        account.emulator.arrive("sent")
        after = await account.get(newest)
    assert (before.status, after.status) == (404, 200)


@pytest.mark.parametrize(
    "text", ["1", "%20", "{00000000-0000-0000-0000-000000000000}", "0" * 32, "g" * 36]
)
async def test_an_id_that_is_not_a_uuid_is_a_422_in_fastapis_shape(serve, text):
    async with serve() as account:
        answer = await account.get(text)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["path", "payment_id"]
