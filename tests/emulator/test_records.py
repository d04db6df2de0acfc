"""The content of the hostile history, which only the seed determines."""

import hashlib
import json
import time
import tracemalloc
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest

from paywint_async.emulator import Emulator

FINAL = {"success", "failed", "rejected", "expired", "retried"}
STATUSES = {*FINAL, "initiated", "opened", "processing", "pending"}
METHODS = {"WALLET", "CARD", "ACH", "PW_BANK", "RTP", "FEDNOW"}
FIELDS = [
    "payment_id",
    "payer_id",
    "payer_name",
    "payee_id",
    "payee_name",
    "amount",
    "currency",
    "description",
    "payment_method",
    "receiving_method",
    "created_at",
    "payment_date",
    "status",
    "failure_reason",
]
SAMPLES = ["Ł", "ов", "王", "محمد", "शर्मा", "민준", "כהן", "🦄", "<b>", "'", '"', "\\", "\t"]
GOLDEN_ROW = (
    '[{"payment_id":"2a12e8dd-ac16-43f7-b5d3-f8c8eb6746aa"'
    ',"payer_id":"73b335ec-62c5-4384-b8ec-bf84ca641e36","payer_name":"Ђорђе Щербакова"'
    ',"payee_id":"549b047e-17cb-45d3-b9f3-ff6fe9ee4b06","payee_name":"Emulated Goods & Co."'
    ',"amount":2.71,"currency":"USD","description":"Déjeuner d\'équipe"'
    ',"payment_method":"PW_BANK","receiving_method":"CARD"'
    ',"created_at":"2015-01-01T00:00:51.079899Z","payment_date":"2015-01-03T00:37:55.688629Z"'
    ',"status":"success","failure_reason":null}]'
)
GOLDEN_DIGEST = "186f23c735e51e15048570b4d2e4e2448ca57a9e3d63f249c60eede3d156b56c"


@pytest.fixture
async def records(serve):
    """1,500 payments of each direction."""
    async with serve(payments=1500) as account:
        return {way: await account.everything(way) for way in ("sent", "received")}


@pytest.fixture
def both(records):
    return records["sent"] + records["received"]


async def test_the_same_seed_gives_the_same_bytes(serve):
    async with serve(payments=100, seed=7) as one, serve(payments=100, seed=7) as other:
        first, second = await one.page("sent", 1), await other.page("sent", 1)
    assert first.body.split(b'"totalRecords"')[0] == second.body.split(b'"totalRecords"')[0]


async def test_the_same_seed_gives_the_same_bytes_on_every_platform(serve):
    async with serve(payments=1, seed=1) as account:
        page = await account.page("received", 1, 10)
    assert page.body.split(b'"records":')[1].split(b',"totalRecords"')[0].decode() == GOLDEN_ROW


async def test_a_whole_history_has_the_same_bytes_on_every_python(serve):
    digest = hashlib.sha256()
    async with serve(payments=3000, seed=1) as account:
        for way in ("sent", "received"):
            for page_no in range(1, 31):
                page = await account.page(way, page_no)
                digest.update(page.body.split(b'"totalRecords"')[0])
    assert digest.hexdigest() == GOLDEN_DIGEST


async def test_another_seed_gives_another_history(serve):
    async with serve(payments=20, seed=1) as one, serve(payments=20, seed=2) as other:
        assert not set(one.emulator.history("sent")) & set(other.emulator.history("sent"))


async def test_a_longer_history_begins_with_the_shorter_one(serve):
    async with serve(payments=250) as short, serve(payments=300) as long:
        longer = await long.everything("received")
        assert longer[50:] == await short.everything("received")


async def test_ids_are_distinct_version_4_uuids(both):
    ids = {UUID(record["payment_id"]) for record in both}
    assert (len(ids), {payment_id.version for payment_id in ids}) == (3000, {4})


async def test_every_record_has_the_published_fields_in_order(both):
    assert [list(record) for record in both] == [FIELDS] * 3000


async def test_created_at_decreases_strictly_from_row_to_row(records):
    times = [datetime.fromisoformat(record["created_at"]) for record in records["sent"]]
    assert all(newer > older for newer, older in pairwise(times))


async def test_times_have_microseconds_and_a_zone(both):
    written = {record["created_at"] for record in both} | {
        record["payment_date"] for record in both if record["payment_date"]
    }
    assert {(len(text), text[-1], text[-8]) for text in written} == {(27, "Z", ".")}


async def test_all_statuses_occur_and_success_is_the_most_common(both):
    statuses = [record["status"] for record in both]
    assert set(statuses) == STATUSES
    assert statuses.count("success") > len(statuses) / 2


async def test_all_methods_occur(both):
    seen = {record["payment_method"] for record in both} & {
        record["receiving_method"] for record in both
    }
    assert seen == {*METHODS, None}


async def test_every_nullable_field_is_sometimes_null(both):
    nullable = set(FIELDS) - {"payment_id", "amount", "currency", "status", "created_at"}
    assert {name for record in both for name in FIELDS if record[name] is None} == nullable


async def test_only_a_final_payment_has_a_date_which_is_after_its_creation(both):
    dated = {
        record["status"]: record["payment_date"] is not None
        and record["payment_date"] > record["created_at"]
        for record in both
    }
    assert dated == {status: status in FINAL for status in STATUSES}


async def test_a_failed_payment_has_a_reason_and_a_successful_one_has_none(both):
    reasons = {
        status: {bool(r["failure_reason"]) for r in both if r["status"] == status}
        for status in ("failed", "success")
    }
    assert reasons == {"failed": {True}, "success": {False}}


async def test_amounts_are_positive_with_at_most_two_decimals(both):
    amounts = [Decimal(record["amount"]) for record in both]
    assert min(amounts) > 0
    assert min(amount.as_tuple().exponent for amount in amounts) == -2


async def test_amounts_are_numbers_whose_digits_a_float_would_change(serve):
    async with serve(payments=3000) as account:
        amounts = {str(record["amount"]) for record in await account.everything("sent")}
    assert amounts >= {"0.10", "1.10", "100", "100.00", "70368744177664.13"}


async def test_names_come_in_many_scripts_and_some_are_hostile(both):
    names = " ".join(record["payer_name"] or "" for record in both)
    assert [sample for sample in SAMPLES if sample not in names] == []


async def test_one_side_of_every_payment_is_the_account(records):
    own = {(record["payee_id"], record["payee_name"]) for record in records["received"]}
    also_own = {(record["payer_id"], record["payer_name"]) for record in records["sent"]}
    assert own == also_own
    assert len(own) == 1


async def test_a_million_payments_start_at_once():
    started = time.perf_counter()
    async with Emulator(hostile=True, payments=1_000_000):
        assert time.perf_counter() - started < 2


async def test_the_last_page_of_a_million_payments_is_served(serve):
    async with serve(payments=1_000_000) as deep, serve(payments=100) as shallow:
        last = await deep.page("received", 10_000)
        assert last.records == (await shallow.page("received", 1)).records


@pytest.mark.slow
async def test_a_long_history_that_is_read_through_is_not_kept_in_memory(serve):
    async with serve(payments=1_000_000) as account:
        await account.page("received", 1)
        tracemalloc.start()
        for page_no in range(2, 62):
            await account.page("received", page_no)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert kept < 3_000_000


async def test_text_is_written_unescaped(serve):
    async with serve(payments=100) as account:
        body = (await account.page("received", 1)).body
    assert b"\\u0" not in body.replace(b"\\\\u0", b"")
    assert json.loads(body)["success"] is True
