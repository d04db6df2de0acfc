"""The two operations that create something: payment links and checkout tokens."""

import time
from datetime import UTC, datetime

import pytest


async def test_a_link_is_a_pending_payment_that_can_be_fetched(serve):
    async with serve() as account:
        made = (await account.create_link({"amount": 150.75, "description": "June"})).json
        payment = (await account.get(made["data"]["payment_id"])).json["data"]
    assert made["success"] is True
    seen = [payment[name] for name in ("status", "amount", "description", "payment_date")]
    assert seen == ["pending", "150.75", "June", None]


async def test_the_link_leads_to_the_emulator(serve):
    async with serve() as account:
        data = (await account.create_link({"amount": 1})).json["data"]
        assert data["payment_link"] == f"{account.emulator.url}/pay/{data['payment_id']}"


async def test_a_link_is_the_newest_received_payment(serve):
    async with serve(payments=20) as account:
        made = (await account.create_link({"amount": 1})).json["data"]["payment_id"]
        page = (await account.page("received", 1, 10)).json
    assert (page["records"][0]["payment_id"], page["totalRecords"]) == (made, 21)


async def test_a_link_does_not_change_the_sent_payments(serve):
    async with serve(payments=20) as account:
        await account.create_link({"amount": 1})
        assert (await account.page("sent", 1)).json["totalRecords"] == 20


async def test_a_link_has_the_present_time(serve):
    async with serve(payments=20) as account:
        await account.create_link({"amount": 1})
        newest = (await account.page("received", 1, 10)).records[0]
    age = datetime.now(UTC) - datetime.fromisoformat(newest["created_at"])
    assert abs(age.total_seconds()) < 60


@pytest.mark.parametrize("payments", [0, 10, 2_000_000])
async def test_times_increase_through_links_and_arrivals(serve, payments):
    async with serve(payments=payments) as account:
        for _ in range(3):
            await account.create_link({"amount": 1})
            await account.create_link({"amount": 2})
            account.emulator.arrive("received", 2)
        times = [row["created_at"] for row in (await account.page("received", 1, 20)).records]
    assert times == sorted(set(times), reverse=True)


async def test_payments_that_arrive_after_a_link_keep_their_place_and_content(serve):
    async with serve(payments=5) as account:
        await account.create_link({"amount": 1})
        account.emulator.arrive("received")
        before = (await account.page("received", 1, 10)).records
        await account.create_link({"amount": 2})
        assert (await account.page("received", 1, 10)).records[1:] == before


@pytest.mark.parametrize("digits", ["0.01", "1.10", "100.00", "12345678901234567.89"])
async def test_an_amount_keeps_its_digits(serve, digits):
    async with serve() as account:
        made = await account.create_link(b'{"amount": %s}' % digits.encode())
        payment = await account.get(made.json["data"]["payment_id"])
    assert payment.json["data"]["amount"] == digits


@pytest.mark.parametrize("text", ["a" * 255, '"\\\n\u2028<b>🦄\u0000', "", None])
async def test_a_description_is_returned_unchanged(serve, text):
    async with serve() as account:
        made = await account.create_link({"amount": 1, "description": text})
        payment = await account.get(made.json["data"]["payment_id"])
    assert payment.json["data"]["description"] == text


async def test_a_token_expires_in_the_future(serve):
    async with serve() as account:
        answer = await account.create_token({"amount": 5, "email": "a@b.example"})
    expires = datetime.fromisoformat(answer.json["data"]["expires_at"]).timestamp()
    assert 0 < expires - time.time() < 3600


async def test_tokens_are_distinct_and_determined_by_the_seed(serve):
    body = {"amount": 5, "phone": "5551234567", "phone_country_code": "+1", "currency": "USD"}
    async with serve() as one, serve() as other:
        ours = [(await one.create_token(body)).json["data"]["checkout_token"] for _ in "12"]
        theirs = [(await other.create_token(body)).json["data"]["checkout_token"] for _ in "12"]
    assert ours == theirs
    assert len(set(ours)) == 2
