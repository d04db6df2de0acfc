"""Time in the emulator: expiry of links, timetables, scheduled changes, and a clock that tests move."""

import asyncio
from datetime import UTC, datetime

import pytest
from virtual_time import pass_time

from paywint_async.emulator import Emulator

DAY = 86_400


async def link(account):
    return (await account.create_link({"amount": 1})).json["data"]["payment_id"]


async def status(account, payment_id):
    return (await account.get(payment_id)).json["data"]["status"]


async def test_a_link_expires_after_a_day(serve):
    async with serve() as account:
        payment_id = await link(account)
        account.emulator.advance(DAY - 1)
        before = await status(account, payment_id)
        account.emulator.advance(1)
        assert (before, await status(account, payment_id)) == ("pending", "expired")


async def test_a_link_expires_after_the_given_time(serve):
    async with serve(expire_after=60.0) as account:
        payment_id = await link(account)
        account.emulator.advance(60)
        assert await status(account, payment_id) == "expired"


async def test_a_link_expires_at_its_own_time_however_far_the_clock_jumps(serve):
    async with serve(expire_after=60.0) as account:
        payment_id = await link(account)
        account.emulator.advance(10 * DAY)
        (_, made), (name, ended) = account.emulator.timeline(payment_id)
    assert (name, ended - made) == ("expired", 60_000_000)


async def test_a_link_expires_without_any_request(serve):
    heard = []
    async with serve() as account:
        await link(account)
        account.emulator.subscribe(heard.append)
        await pass_time(DAY + 1)
        assert [change.payment.status for change in heard] == ["expired"]


@pytest.mark.parametrize("move", ["process", "pay", "fail", "reject"])
async def test_a_payment_in_progress_or_ended_does_not_expire(serve, move):
    async with serve() as account:
        payment_id = await link(account)
        await getattr(account.emulator, move)(payment_id)
        before = await status(account, payment_id)
        account.emulator.advance(2 * DAY)
        assert await status(account, payment_id) == before


async def test_a_retried_link_expires_after_another_day(serve):
    async with serve() as account:
        payment_id = await link(account)
        account.emulator.advance(2 * DAY)
        new_id = await account.emulator.retry(payment_id)
        account.emulator.advance(DAY - 1)
        before = await status(account, new_id)
        account.emulator.advance(1)
        assert (before, await status(account, new_id)) == ("pending", "expired")


async def test_a_timetable_changes_links_automatically(serve):
    timetable = [(2, "opened"), (3, "processing"), (5, "success")]
    async with serve(timetable=timetable) as account:
        payment_id = await link(account)
        heard = []
        account.emulator.subscribe(heard.append)
        await pass_time(6)
        changes = len(heard)  # without a request
        steps = account.emulator.timeline(payment_id)
    assert changes == 3
    made = steps[0][1]
    assert [(name, (at - made) // 1_000_000) for name, at in steps] == [
        ("pending", 0),
        ("opened", 2),
        ("processing", 3),
        ("success", 5),
    ]


async def test_a_scheduled_change_that_is_not_possible_any_more_is_skipped(serve):
    async with serve(timetable=[(5, "opened"), (9, "failed")]) as account:
        payment_id = await link(account)
        await account.emulator.pay(payment_id)
        account.emulator.advance(10)
        assert [name for name, _at in account.emulator.timeline(payment_id)] == [
            "pending",
            "success",
        ]


async def test_scheduled_changes_of_many_payments_happen_in_the_order_of_their_times(serve):
    heard = []
    async with serve(timetable=[(10, "opened"), (20, "success")]) as account:
        account.emulator.subscribe(heard.append)
        for _ in range(3):
            await link(account)
            account.emulator.advance(4)
        account.emulator.advance(100)
        await asyncio.sleep(0)
    times = [change.at_us for change in heard]
    assert times == sorted(times)
    assert [change.payment.status for change in heard[3:]] == ["opened"] * 3 + ["success"] * 3


async def test_a_change_can_be_scheduled_for_one_payment(serve):
    async with serve() as account:
        first, second = await link(account), await link(account)
        account.emulator.schedule(first, after=30, status="success")
        account.emulator.advance(30)
        assert [await status(account, one) for one in (first, second)] == ["success", "pending"]


async def test_a_retry_can_be_scheduled(serve):
    async with serve() as account:
        payment_id = await link(account)
        account.emulator.schedule(payment_id, after=1, status="failed")
        account.emulator.schedule(payment_id, after=2, status="retried")
        account.emulator.advance(2)
        newest = (await account.page("received", 1, 10)).records[0]
        assert await status(account, payment_id) == "retried"
    assert newest["payment_id"] != payment_id


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"after": -1, "status": "success"}, "after must be from 0"),
        ({"after": float("nan"), "status": "success"}, "after must be from 0"),
        ({"after": 1e10, "status": "success"}, "after must be from 0"),
        ({"after": 1, "status": "paid"}, "status must be one of .*, not 'paid'"),
        ({"after": 1, "status": "pending"}, "status must be one of .*, not 'pending'"),
    ],
)
async def test_an_invalid_schedule_is_refused(serve, options, message):
    async with serve() as account:
        payment_id = await link(account)
        with pytest.raises(ValueError, match=message):
            account.emulator.schedule(payment_id, **options)


@pytest.mark.parametrize(
    "step", [(1, "paid"), (-1, "success"), ("1", "success"), (1,), (1, "retried"), (1, "pending")]
)
def test_an_invalid_timetable_is_refused(step):
    with pytest.raises(ValueError, match=r"timetable must have \(seconds, status\)"):
        Emulator(timetable=[step])


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
async def test_the_clock_can_only_be_moved_ahead(serve, seconds):
    async with serve() as account:
        with pytest.raises(ValueError, match="seconds must be from 0"):
            account.emulator.advance(seconds)


async def test_the_clock_cannot_reach_the_end_of_the_calendar(serve):
    async with serve() as account:
        with pytest.raises(ValueError, match="the clock must stay before the year 9000"):
            for _ in range(400):
                account.emulator.advance(1e9)
        reached_us = account.emulator.now_us()
        payment_id = await link(account)
        token = await account.create_token({"amount": 1, "email": "a@b"})
        page = await account.ask("GET", "/console/settings")
        assert (await status(account, payment_id), token.status, page.status) == (
            "pending",
            200,
            200,
        )
    year = datetime.fromtimestamp(reached_us // 1_000_000, UTC).year
    assert 8900 < year < 9000


async def test_arrivals_beyond_the_end_of_the_calendar_are_refused(serve):
    async with serve(payments=3, arrivals=1.0) as account:
        before_us = account.emulator.now_us()
        with pytest.raises(ValueError, match="before the year 9000"):
            account.emulator.advance(1e9)
        with pytest.raises(ValueError, match="before the year 9000"):
            account.emulator.arrive("sent", 10**9)
        with pytest.raises(ValueError, match="before the year 9000"):
            account.emulator.arrive("sent", 10**30)
        assert account.emulator.now_us() - before_us < DAY * 1_000_000
        assert (await account.page("sent", 1)).json["totalRecords"] < DAY


async def test_nothing_arrives_while_the_emulator_is_stopped():
    emulator = Emulator(hostile=True, payments=5, arrivals=1.0)
    emulator.advance(10)
    before = emulator.count("sent")
    async with emulator:
        await pass_time(3)
    emulator.advance(10)
    assert (before, emulator.count("sent")) == (5, 8)


async def test_answers_and_new_payments_have_the_time_of_the_moved_clock(serve):
    async with serve() as account:
        first = await account.get(await link(account))
        account.emulator.advance(5 * DAY)
        second = await account.get(await link(account))
    moved = [
        datetime.fromisoformat(answer.json["data"]["created_at"]) for answer in (first, second)
    ]
    generated = [float(answer.json["queryGeneratedTime"]) for answer in (first, second)]
    assert (moved[1] - moved[0]).total_seconds() == pytest.approx(5 * DAY, abs=60)
    assert generated[1] - generated[0] == pytest.approx(5 * DAY, abs=60)


async def test_arrivals_follow_the_moved_clock(serve):
    async with serve(arrivals=1.0) as account:
        account.emulator.advance(10)
        assert len(account.emulator.history("sent")) == 10


async def test_the_clock_does_not_go_back_when_the_emulator_is_started_again():
    emulator = Emulator()
    async with emulator:
        await pass_time(1000)
        reached = emulator._clock.now_us()
    async with emulator:
        assert emulator._clock.now_us() >= reached


async def test_no_timer_outlives_the_emulator():
    loop = asyncio.get_running_loop()
    async with Emulator(timetable=[(5, "opened")]) as emulator:
        emulator.schedule(emulator_link(emulator), after=3, status="success")
        timer = emulator._timer
    assert timer.cancelled()
    assert loop.time() < timer.when()


def emulator_link(emulator):
    """Create a link without HTTP."""
    payment = emulator._book.create_link(
        "received",
        amount="1",
        description=None,
        invoice_number=None,
        now_us=emulator._clock.now_us(),
    )
    emulator._lifecycle.create(payment)
    return payment.payment_id
