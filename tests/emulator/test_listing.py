"""Pages: their order, their boundaries, and their envelope."""

import time

import pytest


async def test_the_newest_payment_comes_first(serve):
    async with serve(payments=30) as account:
        first = (await account.page("sent", 1, 10)).records
        assert [record["payment_id"] for record in first] == account.emulator.history("sent")[:10]


async def test_an_oldest_first_server_reverses_the_listing(serve):
    async with serve(payments=30) as newest, serve(payments=30, order="oldest") as oldest:
        turned = (await oldest.page("sent", 1, 50)).records
        assert turned == (await newest.page("sent", 1, 50)).records[::-1]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_the_last_page_has_the_rest(serve, order):
    async with serve(payments=25, order=order) as account:
        pages = [(await account.page("sent", number, 10)).records for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("rows_per_page", [10, 20, 50, 100])
async def test_pages_of_every_size_cover_the_history_exactly(serve, order, rows_per_page):
    async with serve(payments=130, order=order) as account:
        seen = []
        for number in range(1, 130 // rows_per_page + 2):
            seen += (await account.page("received", number, rows_per_page)).records
        expected = account.emulator.history("received")
    ids = [record["payment_id"] for record in seen]
    assert (ids if order == "newest" else ids[::-1]) == expected


async def test_a_page_far_beyond_the_end_is_empty(serve):
    async with serve(payments=5) as account:
        assert (await account.page("sent", 10**100, 10)).records == []


async def test_an_empty_history_is_one_empty_page(serve):
    async with serve() as account:
        answer = (await account.page("received", 1)).json
    assert (answer["records"], answer["totalRecords"]) == ([], 0)


async def test_the_envelope_has_the_total_and_the_time(serve):
    async with serve(payments=12) as account:
        answer = (await account.page("sent", 2, 10)).json
    assert (answer["success"], answer["status_code"], answer["totalRecords"]) == (True, 200, 12)
    assert abs(float(answer["queryGeneratedTime"]) - time.time()) < 60


async def test_an_integer_may_be_written_with_a_decimal_point(serve):
    async with serve(payments=12) as account:
        assert len((await account.page("sent", 1.0, 10.0)).records) == 10


async def test_the_history_lists_the_ids_newest_first_whatever_the_order(serve):
    async with serve(payments=9) as newest, serve(payments=9, order="oldest") as oldest:
        assert newest.emulator.history("sent") == oldest.emulator.history("sent")


async def test_payments_that_arrive_take_the_next_ranks(serve):
    async with serve(payments=10) as account, serve(payments=13) as longer:
        account.emulator.arrive("sent", 3)
        assert account.emulator.history("sent") == longer.emulator.history("sent")


async def test_payments_arrive_in_the_direction_that_was_named(serve):
    async with serve(payments=10) as account:
        account.emulator.arrive("sent")
        totals = [(await account.page(way, 1)).json["totalRecords"] for way in ("sent", "received")]
    assert totals == [11, 10]


async def test_a_deleted_payment_is_removed_and_the_others_move_up(serve):
    async with serve(payments=30) as account:
        before = account.emulator.history("sent")
        for rank in (20, 3, 4):
            account.emulator.delete("sent", rank)
        rows = (await account.page("sent", 1, 50)).records
    assert [row["payment_id"] for row in rows] == before[:10] + before[11:26] + before[28:]


async def test_a_deleted_payment_is_not_found(serve):
    async with serve(payments=3) as account:
        newest = account.emulator.history("sent")[0]
        account.emulator.delete("sent", 3)
        assert (await account.get(newest)).status == 404


@pytest.mark.parametrize("rank", [0, 4, 2])
async def test_a_missing_payment_cannot_be_deleted(serve, rank):
    async with serve(payments=3) as account:
        account.emulator.delete("sent", 2)
        with pytest.raises(ValueError, match=f"no sent payment of rank {rank}"):
            account.emulator.delete("sent", rank)


async def test_an_unknown_direction_is_refused(serve):
    async with serve() as account:
        with pytest.raises(ValueError, match="'sent' or 'received', not 'both'"):
            account.emulator.arrive("both")


async def test_a_negative_number_of_arrivals_is_refused(serve):
    async with serve() as account:
        with pytest.raises(ValueError, match="count must not be negative: -1"):
            account.emulator.arrive("sent", -1)
