"""The default history: amounts and names of a small company, dates that end today."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from paywint_async.emulator import Emulator

DAY = date(2026, 3, 14)
END = datetime(2026, 3, 14, 0, 30, tzinfo=UTC)
UNPAID = {"pending", "initiated", "opened"}
ENDED = {"success", "failed", "rejected", "expired", "retried"}


@pytest.fixture
async def records(serve):
    """1,500 payments of each direction that end on a given day."""
    async with serve(hostile=False, payments=1500, today=DAY) as account:
        return {way: await account.everything(way) for way in ("sent", "received")}


@pytest.fixture
def both(records):
    return records["sent"] + records["received"]


def created(record):
    return datetime.fromisoformat(record["created_at"])


async def test_the_same_seed_and_day_give_the_same_bytes(serve):
    pages = []
    for _ in range(2):
        async with serve(hostile=False, payments=100, seed=7, today=DAY) as account:
            pages.append((await account.page("sent", 1)).body.split(b'"totalRecords"')[0])
    assert pages[0] == pages[1]


async def test_the_history_ends_on_the_given_day(records):
    assert {created(rows[0]).date() for rows in records.values()} == {DAY}


async def test_the_history_ends_today(serve):
    async with serve(hostile=False, payments=10) as account:
        newest = created((await account.page("received", 1)).records[0])
        now = datetime.fromtimestamp(account.emulator.now_us() / 1e6, UTC)
    assert newest <= now
    assert newest.date() == (now - timedelta(hours=1)).date()


async def test_nothing_is_dated_in_the_future(both):
    dates = [created(r) for r in both]
    dates += [datetime.fromisoformat(r["payment_date"]) for r in both if r["payment_date"]]
    assert max(dates) <= END


async def test_created_at_decreases_strictly_from_row_to_row(records):
    assert all(newer > older for newer, older in pairwise(map(created, records["sent"])))


@pytest.mark.parametrize("payments", [1_000_000, 100_000_000])
async def test_a_long_history_reaches_back_three_years(serve, payments):
    async with serve(hostile=False, payments=payments, today=DAY) as account:
        oldest = (await account.page("sent", payments // 100)).records[-1]
    assert END - created(oldest) == pytest.approx(timedelta(days=3 * 365), abs=timedelta(days=1))


async def test_amounts_are_those_of_a_small_company(both):
    amounts = sorted(Decimal(record["amount"]) for record in both)
    assert Decimal(3) <= amounts[0]
    assert amounts[-1] < 25_000
    assert 20 < amounts[len(amounts) // 2] < 500


async def test_amounts_are_written_as_floats_are(both):
    assert [r["amount"] for r in both if str(float(r["amount"])) != r["amount"]] == []


async def test_texts_are_printable_and_begin_with_a_letter(both):
    texts = {r[name] for r in both for name in ("payer_name", "payee_name", "description")} - {None}
    assert [text for text in texts if not text.isprintable() or not text[0].isalpha()] == []


async def test_most_payments_are_paid(both):
    statuses = [record["status"] for record in both]
    assert 0.85 < statuses.count("success") / len(statuses) < 0.95


async def test_all_statuses_occur(serve):
    async with serve(hostile=False, payments=100_000, today=DAY) as account:
        rows = [r for n in range(1, 30) for r in (await account.page("sent", n)).records]
    assert {row["status"] for row in rows} == UNPAID | ENDED | {"processing"}


async def test_a_link_that_is_older_than_a_day_is_not_open(both):
    open_rows = [created(record) for record in both if record["status"] in UNPAID]
    assert min(open_rows) > END - timedelta(days=1)


async def test_only_final_payments_have_a_payment_date(both):
    assert {r["status"] for r in both if r["payment_date"]} <= ENDED
    assert {r["status"] for r in both if not r["payment_date"]} <= UNPAID | {"processing"}


async def test_the_payer_of_an_unpaid_payment_is_unknown(records):
    unpaid = [r for r in records["received"] if r["status"] in {*UNPAID, "expired"}]
    assert {(r["payer_id"], r["payer_name"], r["payment_method"]) for r in unpaid} == {
        (None, None, None)
    }


async def test_payments_that_arrive_have_the_time_of_the_clock(serve):
    async with serve(hostile=False, payments=10) as account:
        account.emulator.advance(5 * 86_400)
        account.emulator.arrive("received", 5)
        now = datetime.fromtimestamp(account.emulator.now_us() / 1e6, UTC)
        rows = (await account.page("received", 1)).records
    assert [timedelta(0) <= now - created(row) < timedelta(seconds=6) for row in rows[:5]] == [
        True
    ] * 5
    assert all(newer > older for newer, older in pairwise(map(created, rows)))


async def test_many_that_arrive_at_once_are_not_dated_in_the_future(serve):
    async with serve(hostile=False, payments=10) as account:
        account.emulator.arrive("received", 300)
        account.emulator.arrive("received", 300)
        now = datetime.fromtimestamp(account.emulator.now_us() / 1e6, UTC)
        rows = await account.everything("received")
    assert created(rows[0]) <= now
    assert all(newer > older for newer, older in pairwise(map(created, rows)))


async def test_a_state_file_keeps_the_day_and_what_has_arrived(serve, tmp_path):
    arguments = {"hostile": False, "payments": 10, "state": tmp_path / "state.db"}
    async with serve(**arguments, today=DAY) as account:
        account.emulator.arrive("received", 3)
        await account.link()
        account.emulator.arrive("received", 3)
        before = await account.everything("received")
    async with serve(**arguments) as account:
        assert await account.everything("received") == before


async def test_a_state_file_of_another_day_is_refused(tmp_path):
    file = tmp_path / "state.db"
    async with Emulator(state=file, today=DAY):
        pass
    with pytest.raises(ValueError, match="today=2026-03-14, not 2026-03-15"):
        await Emulator(state=file, today=date(2026, 3, 15)).start()


async def test_a_state_file_of_the_other_history_is_refused(tmp_path):
    file = tmp_path / "state.db"
    async with Emulator(state=file, hostile=True):
        pass
    with pytest.raises(ValueError, match="hostile=True, not False"):
        await Emulator(state=file).start()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"today": "2026-03-14"}, "today must be a date or None"),
        ({"today": datetime(2026, 3, 14)}, "today must be a date or None"),
        ({"today": date(1, 1, 1)}, "today must be from 1980-01-01 to 8000-01-01"),
        ({"today": DAY, "hostile": True}, "today cannot end it"),
        ({"hostile": 1}, "hostile"),
    ],
)
def test_an_argument_out_of_range_is_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        Emulator(**arguments)
