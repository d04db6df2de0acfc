"""Changes of payments: statuses, retries, final statuses, and listeners."""

import asyncio
import uuid

import pytest

from paywint_async.emulator import Emulator, IllegalChange

STEPS = {
    "opened": "open",
    "processing": "process",
    "success": "pay",
    "failed": "fail",
    "rejected": "reject",
    "expired": "expire",
    "retried": "retry",
}
ENDS = {"success", "failed", "rejected", "expired"}
ALLOWED = {
    "pending": {"opened", "processing"} | ENDS,
    "opened": {"processing"} | ENDS,
    "processing": {"success", "failed"},
    "success": set(),
    "failed": {"retried"},
    "rejected": {"retried"},
    "expired": {"retried"},
    "retried": set(),
}
WAYS = {
    "pending": [],
    "opened": ["open"],
    "processing": ["open", "process"],
    "success": ["pay"],
    "failed": ["fail"],
    "rejected": ["reject"],
    "expired": ["expire"],
    "retried": ["fail", "retry"],
}


async def link(account, **fields):
    """Create a link; return its id."""
    made = await account.create_link({"amount": 12.5, **fields})
    return made.json["data"]["payment_id"]


async def seen(account, payment_id):
    return (await account.get(payment_id)).json["data"]


@pytest.mark.parametrize("before", ALLOWED)
@pytest.mark.parametrize("after", STEPS)
async def test_a_payment_can_change_only_to_an_allowed_status(serve, before, after):
    async with serve() as account:
        payment_id = await link(account)
        for step in WAYS[before]:
            await getattr(account.emulator, step)(payment_id)
        move = getattr(account.emulator, STEPS[after])
        if after in ALLOWED[before]:
            await move(payment_id)
            assert (await seen(account, payment_id))["status"] == after
        else:
            with pytest.raises(IllegalChange, match=f"{payment_id} is {before} and can become"):
                await move(payment_id)
            assert (await seen(account, payment_id))["status"] == before


async def test_a_refused_change_says_what_is_possible(serve):
    async with serve() as account:
        payment_id = await link(account)
        await account.emulator.process(payment_id)
        with pytest.raises(IllegalChange, match="can become settling or success or failed, not"):
            await account.emulator.expire(payment_id)


async def test_a_paid_payment_has_a_date_a_payer_and_methods(serve):
    async with serve() as account:
        payment_id = await link(account)
        await account.emulator.pay(payment_id)
        payment = await seen(account, payment_id)
    assert payment["payment_date"] >= payment["created_at"]
    assert (payment["payment_method"], payment["receiving_method"]) == ("WALLET", "WALLET")
    assert payment["payer_id"]
    assert payment["payer_name"]


async def test_an_unpaid_payment_has_neither_date_nor_payer(serve):
    async with serve() as account:
        payment_id = await link(account)
        await account.emulator.open(payment_id)
        payment = await seen(account, payment_id)
    assert [payment[n] for n in ("payment_date", "payer_id", "payment_method")] == [None] * 3


async def test_a_failed_payment_has_the_given_reason(serve):
    async with serve() as account:
        payment_id = await link(account)
        await account.emulator.fail(payment_id, reason='Card "declined" <now>')
        assert (await seen(account, payment_id))["failure_reason"] == 'Card "declined" <now>'


async def test_a_failed_payment_always_has_a_reason(serve):
    async with serve() as account:
        payment_id = await link(account)
        await account.emulator.fail(payment_id)
        assert (await seen(account, payment_id))["failure_reason"]


async def test_a_retry_is_a_new_pending_payment_with_the_same_request(serve):
    async with serve() as account:
        old_id = await link(account, description="June")
        await account.emulator.fail(old_id)
        new_id = await account.emulator.retry(old_id)
        old, new = await seen(account, old_id), await seen(account, new_id)
        newest = (await account.page("received", 1, 10)).records[0]
    assert new_id != old_id
    assert (old["status"], new["status"]) == ("retried", "pending")
    assert [new[n] for n in ("amount", "description", "failure_reason", "payment_date")] == [
        "12.5",
        "June",
        None,
        None,
    ]
    assert newest == new


async def test_the_change_to_retried_names_the_new_payment(serve):
    heard = []
    async with serve() as account:
        payment_id = await link(account)
        account.emulator.subscribe(heard.append)
        await account.emulator.expire(payment_id)
        new_id = await account.emulator.retry(payment_id)
        await asyncio.sleep(0)
    assert [(c.payment.payment_id, c.payment.status, c.retry_payment_id) for c in heard] == [
        (payment_id, "expired", None),
        (payment_id, "retried", new_id),
        (new_id, "pending", None),
    ]


@pytest.mark.parametrize("name", ["pay", "retry", "open"])
async def test_an_unknown_payment_cannot_be_changed(serve, name):
    async with serve() as account:
        with pytest.raises(LookupError, match="no payment 'nonsense'"):
            await getattr(account.emulator, name)("nonsense")


async def test_an_id_may_be_a_uuid_or_in_capitals(serve):
    async with serve() as account:
        payment_id = await link(account)
        await account.emulator.open(uuid.UUID(payment_id))
        await account.emulator.pay(payment_id.upper())
        assert [status for status, _at in account.emulator.timeline(payment_id.upper())] == [
            "pending",
            "opened",
            "success",
        ]


async def test_a_generated_payment_that_is_not_final_can_be_changed_without_moving_others(serve):
    async with serve(payments=200) as account:
        before = await account.everything("sent")
        chosen = next(row for row in before if row["status"] == "pending")
        await account.emulator.pay(chosen["payment_id"])
        after = await account.everything("sent")
    changed = [(b["payment_id"], a["status"]) for b, a in zip(before, after, strict=True) if b != a]
    assert changed == [(chosen["payment_id"], "success")]


async def test_a_final_generated_payment_cannot_be_changed(serve):
    async with serve(payments=200) as account:
        rows = await account.everything("received")
        paid = next(row["payment_id"] for row in rows if row["status"] == "success")
        with pytest.raises(IllegalChange, match="nothing any more"):
            await account.emulator.fail(paid)


async def test_changes_of_one_account_do_not_change_another_with_the_same_seed(serve):
    async with serve(payments=30) as account, serve(payments=30) as other:
        rows = await account.everything("received")
        await account.emulator.pay(await link(account))
        assert (await account.everything("received"))[1:] == rows
        assert await other.everything("received") == rows


async def test_the_payer_sees_the_payment_as_sent(serve):
    async with serve(payments=5) as account:
        await account.emulator.pay(await link(account))
        ours = (await account.page("received", 1, 10)).json
        payer = {
            "X-Api-Key": account.emulator.payer_key,
            "X-Api-Secret": account.emulator.payer_secret,
        }
        account.session.headers.update(payer)
        theirs = (await account.page("sent", 1, 10)).json
        assert len((await account.page("received", 1, 10)).records) == 5
    assert (theirs["records"], theirs["totalRecords"]) == (ours["records"], 6)


async def test_a_link_of_the_other_party_is_a_sent_payment(serve):
    async with serve() as account:
        keys = dict(account.session.headers)
        account.session.headers["X-Api-Key"] = account.emulator.payer_key
        account.session.headers["X-Api-Secret"] = account.emulator.payer_secret
        payment_id = await link(account)
        await account.emulator.pay(payment_id)
        account.session.headers.update(keys)
        (sent,) = (await account.page("sent", 1, 10)).records
    assert (sent["payment_id"], sent["payer_name"]) == (payment_id, "Emulated Goods & Co.")


async def test_the_key_of_one_party_with_the_secret_of_the_other_is_refused(serve):
    async with serve() as account:
        answer = await account.ask(
            "GET", "/api/x", headers={"X-Api-Secret": account.emulator.payer_secret}
        )
    assert answer.status == 401


async def test_an_unsubscribed_listener_is_not_called(serve):
    heard = []
    async with serve() as account:
        end = account.emulator.subscribe(heard.append)
        payment_id = await link(account)
        end()
        await account.emulator.pay(payment_id)
        await asyncio.sleep(0)
    assert [change.payment.status for change in heard] == ["pending"]


async def test_an_exception_of_a_listener_does_not_affect_the_change(serve):
    raised = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: raised.append(what))

    def careless(change):
        raise ZeroDivisionError

    async with serve() as account:
        account.emulator.subscribe(careless)
        payment_id = await link(account)
        await account.emulator.pay(payment_id)
        assert (await seen(account, payment_id))["status"] == "success"
    assert [type(what["exception"]) for what in raised] == [ZeroDivisionError] * 2


async def test_a_change_costs_the_same_in_a_history_of_any_length():
    async with Emulator(hostile=True, payments=100_000_000) as emulator:
        newest = 100_000_000
        for rank in range(newest, newest - 300, -1):
            payment_id = emulator._identity.payment_id("sent", rank)
            if emulator.payment(payment_id).status == "pending":
                await emulator.pay(payment_id)
                assert emulator.payment(payment_id).status == "success"
                break
        else:
            pytest.fail("no pending payment among three hundred")
