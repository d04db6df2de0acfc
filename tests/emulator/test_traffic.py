"""Latency, the request limit, arrivals and the journal, on the event loop's clock."""

import asyncio

import pytest
from virtual_time import pass_time


async def in_flight(emulator, count):
    """Wait until that many requests are being served."""
    while emulator.in_flight != count:
        await asyncio.sleep(0)


async def test_each_request_waits_for_the_latency_once(serve):
    async with serve(latency=5.0) as account:
        for _ in range(3):
            await account.page("sent", 1)
        waits = [exchange.finished - exchange.started for exchange in account.emulator.requests]
    assert waits == [5.0] * 3


async def test_requests_wait_for_the_latency_concurrently(serve):
    async with serve(latency=5.0) as account:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(account.page("sent", 1) for _ in range(4)))
        assert asyncio.get_running_loop().time() - started == pytest.approx(5.0)


async def test_the_answer_has_the_state_after_the_latency(serve):
    async with serve(payments=10, latency=5.0) as account:
        request = asyncio.ensure_future(account.page("sent", 1))
        await in_flight(account.emulator, 1)
        account.emulator.arrive("sent", 2)
        assert (await request).json["totalRecords"] == 12


async def test_requests_above_the_limit_get_a_retry_after(serve):
    async with serve(rate_limit=2.0) as account:
        answers = [await account.page("sent", 1) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"
    assert answers[2].json["success"] is False


async def test_a_client_that_waits_for_retry_after_is_served(serve):
    async with serve(rate_limit=0.1) as account:
        await account.page("sent", 1)
        wait = int((await account.page("sent", 1)).headers["Retry-After"])
        await pass_time(wait)
        assert (wait, (await account.page("sent", 1)).status) == (10, 200)


async def test_an_idle_account_has_at_most_one_burst(serve):
    async with serve(rate_limit=3.0) as account:
        await pass_time(3600)
        answers = [await account.page("sent", 1) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]


async def test_wrong_keys_do_not_use_up_the_limit(serve):
    async with serve(rate_limit=1.0) as account:
        await account.ask("GET", "/api/x", headers={"X-Api-Key": "wrong"})
        assert (await account.page("sent", 1)).status == 200


async def test_payments_keep_arriving_in_both_directions(serve):
    async with serve(payments=10, arrivals=0.5) as account:
        await pass_time(20)
        totals = [(await account.page(way, 1)).json["totalRecords"] for way in ("sent", "received")]
    assert totals == [20, 20]


async def test_arrivals_have_the_content_of_their_ranks(serve):
    async with serve(payments=10, arrivals=1.0) as growing, serve(payments=15) as longer:
        await pass_time(5)
        assert growing.emulator.history("sent") == longer.emulator.history("sent")


async def test_no_rank_is_reassigned_when_links_mix_with_arrivals(serve):
    async with serve(arrivals=1.0) as account:
        seen = []
        for _ in range(5):
            await pass_time(3)
            await account.create_link({"amount": 1})
            page = (await account.page("received", 1)).records[::-1]
            assert page[: len(seen)] == seen
            seen = page
    assert [row["status"] for row in seen[3::4]] == ["pending"] * 5


async def test_nothing_arrives_while_it_is_closed(serve):
    async with serve(arrivals=1.0) as account:
        await pass_time(2)
        await account.emulator.aclose()
        await pass_time(100)
        await account.emulator.start()
        await pass_time(3)
        assert len(account.emulator.history("sent")) == 5


async def test_the_journal_has_requests_and_answers(serve):
    async with serve() as account:
        await account.page("sent", 3)
        await account.get("nonsense")
        seen = [(e.method, e.path, e.status, e.page_no) for e in account.emulator.requests]
    assert seen == [
        ("POST", "/api/user-api/payment/list/payment-sent", 200, 3),
        ("GET", "/api/user-api/payment/get/nonsense", 422, None),
    ]


async def test_the_journal_is_bounded_and_the_count_is_exact(serve, monkeypatch):
    monkeypatch.setattr("paywint_async.emulator._traffic.JOURNAL_LENGTH", 5)
    async with serve() as account:
        for page_no in range(1, 9):
            await account.page("sent", page_no)
        assert [exchange.page_no for exchange in account.emulator.requests] == [4, 5, 6, 7, 8]
        assert account.emulator.request_count == 8


async def test_the_peak_is_the_largest_number_at_the_same_time(serve):
    async with serve(latency=1.0) as account:
        await asyncio.gather(*(account.page("sent", 1) for _ in range(7)))
        await account.page("sent", 1)
        assert (account.emulator.peak_in_flight, account.emulator.in_flight) == (7, 0)


async def test_the_request_of_a_disconnected_client_is_cancelled(serve):
    async with serve(latency=1000.0) as account:
        request = asyncio.ensure_future(account.create_link({"amount": 1}))
        await in_flight(account.emulator, 1)
        request.cancel()
        await in_flight(account.emulator, 0)
        assert account.emulator.requests[0].status is None
        assert account.emulator.history("received") == []


async def test_the_journal_keeps_operation_time_and_bodies(serve):
    async with serve() as account:
        await account.create_link({"amount": 7.25})
        await account.ask("GET", "/nothing")
        made, lost = account.emulator.journal.exchanges
        now_us = account.emulator._clock.now_us()
    assert (made.operation, made.request_body, made.duration) == (
        "create_link",
        '{"amount": 7.25}',
        made.finished - made.started,
    )
    assert '"message":"Payment link created"' in made.response_body
    assert 0 <= now_us - made.at_us < 60_000_000
    assert lost.operation is None


async def test_the_journal_keeps_the_beginning_of_a_body(serve):
    async with serve(payments=100) as account:
        await account.page("sent", 1)
        (exchange,) = account.emulator.journal.exchanges
    assert len(exchange.response_body) == 1000


async def test_the_journal_never_holds_a_credential(serve):
    async with serve() as account:
        emulator = account.emulator
        secrets = [emulator.api_key, emulator.api_secret, emulator.payer_key, emulator.payer_secret]
        for secret in secrets:
            await account.create_link({"amount": 1, "description": secret})
            await account.create_link({"amount": 1, "description": "x" * 960 + secret})
            await account.get(secret)
        token = await account.create_token({"amount": 5, "email": "a@b.example"})
        secrets.append(token.json["data"]["checkout_token"])
        kept = "".join(map(repr, emulator.journal.exchanges))
    assert [secret for secret in secrets if secret in kept or secret[:30] in kept] == []


async def test_listeners_are_called_for_requests(serve):
    heard = []
    async with serve() as account:
        end = account.emulator.journal.subscribe(heard.append)
        await account.page("sent", 1)
        end()
        await account.page("sent", 1)
    assert [exchange.operation for exchange in heard] == ["list_sent"]
