"""The variants for what Paywint's documentation leaves open or contradicts."""

import json

import pytest

from paywint_async.emulator import Emulator

PLATFORM_FIELDS = {
    "processing_fee",
    "delivery_fee",
    "invoice_no",
    "transaction_id",
    "card_id",
    "bank_id",
}


@pytest.mark.parametrize(
    ("unit", "amount", "written"),
    [
        ("cents", "5.99", b'"amount":599'),
        ("cents", "45.5", b'"amount":4550'),
        ("dollars", "5.99", b'"amount":5.99'),
        ("dollars", "45.0", b'"amount":45.0'),
        ("dollars", "9007199254740993.37", b'"amount":9007199254740993.37'),
        ("text", "100", b'"amount":"100.00","currency":"USD"'),
        ("text", "0.5", b'"amount":"0.50","currency":"USD"'),
        ("text", "9007199254740993.37", b'"amount":"9007199254740993.37","currency":"USD"'),
    ],
)
async def test_a_webhook_has_its_amount_in_the_chosen_unit(serve, receiver, unit, amount, written):
    async with serve(webhook_url=receiver.url, webhook_amounts=unit) as account:
        await account.emulator.pay(await account.link(amount))
        await account.emulator.delivered()
    assert written in receiver.seen[0][1]


@pytest.mark.parametrize("records", ["list", "null"])
@pytest.mark.parametrize("total", ["zero", "null", "absent"])
async def test_an_empty_account_answers_in_the_chosen_form(serve, records, total):
    async with serve(empty_records=records, empty_total=total) as account:
        answer = (await account.page("received", 1)).json
    assert answer["records"] == {"list": [], "null": None}[records]
    assert answer.get("totalRecords", "absent") == {"zero": 0, "null": None}.get(total, "absent")


async def test_an_account_with_payments_has_its_list_and_its_total(serve):
    async with serve(payments=1, empty_records="null", empty_total="absent") as account:
        answer = (await account.page("received", 1)).json
        behind = (await account.page("received", 2)).json
    assert (len(answer["records"]), answer["totalRecords"]) == (1, 1)
    assert (behind["records"], behind["totalRecords"]) == (None, 1)


async def test_the_list_of_sent_payments_has_the_given_path(serve):
    path = "/api/user-api/payment/list/payments-sent"
    async with serve(payments=3, sent_path=path) as account:
        found = await account.send(path, {"rows_per_page": 10, "page_no": 1})
        assumed = await account.page("sent", 1)
    assert (found.status, len(found.records), assumed.status) == (200, 3, 404)


async def test_extra_fields_are_in_payments_and_webhooks(serve, receiver):
    async with serve(payments=3, extra_fields=True, webhook_url=receiver.url) as account:
        payment_id = await account.link()
        await account.emulator.pay(payment_id)
        await account.emulator.delivered()
        rows = (await account.page("received", 1)).records
        one = (await account.get(payment_id)).json["data"]
    assert [PLATFORM_FIELDS - set(row) for row in [*rows, one]] == [set()] * 5
    data = json.loads(receiver.seen[0][1])["data"]
    assert data["transaction_id"] == one["transaction_id"]


async def test_failed_deliveries_are_repeated_after_one_minute_and_five(serve, receiver):
    receiver.answers = [500]
    async with serve(webhook_url=receiver.url) as account:
        await account.emulator.pay(await account.link())
        await account.emulator.delivered()
        (delivery,) = account.emulator.deliveries
    first, second, third = delivery.attempted_us
    assert (second - first) / 60e6 == pytest.approx(1, abs=0.05)
    assert (third - second) / 60e6 == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize(
    "arguments",
    [
        {"sent_path": "/sent"},
        {"sent_path": "/api/{x}"},
        {"sent_path": "/api/../x y"},
        {"empty_records": []},
        {"empty_total": 0},
        {"extra_fields": 1},
        {"webhook_amounts": "euros"},
    ],
)
def test_an_unknown_form_is_refused_by_the_arguments_name(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Emulator(**arguments)
