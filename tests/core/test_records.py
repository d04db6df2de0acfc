"""Records as dicts, JSON, pydantic models and FastAPI answers: exact and in the API's order."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import aiohttp
import attrs
import fastapi
import pydantic
import pytest
from api_json import COLUMNS, payment_json
from record_samples import Place, amounts, path_of, record_classes, sample, with_value
from web_servers import serve_asgi

from paywint_async import (
    CheckoutToken,
    HistoryEntry,
    Payment,
    PaymentLink,
    PaymentPage,
    ResponseDecodeError,
    to_json_lines,
)
from paywint_async._codec import decode
from paywint_async._record_json import Record

AMOUNTS = ["150.75", "150.70", "5", "0.1", "12345678901234567.89", "0.000001", "100.00", "1E+20"]
LINK = PaymentLink.from_json(
    '{"payment_id":"d4211545-cfc9-4aa0-8fcc-e4c2639e8052","payment_link":"https://pay/x"}'
)
TOKEN = CheckoutToken.from_json('{"checkout_token":"t","expires_at":"2026-01-01T00:00:00Z"}')


def payment(**fields: str) -> Payment:
    return decode(payment_json(**fields), Payment)


class TestADict:
    def test_has_the_apis_fields_in_its_order(self):
        assert list(payment().to_dict()) == COLUMNS

    def test_has_the_values_themselves(self):
        assert payment(amount="150.70").to_dict()["amount"] == Decimal("150.70")
        assert payment().to_dict() == attrs.asdict(payment())

    def test_has_dicts_for_the_records_inside(self):
        page = PaymentPage(records=(payment(),), total_records=1, page_no=1, rows_per_page=10)
        entry = HistoryEntry(direction="sent", payment=payment())

        assert page.to_dict()["records"] == (payment().to_dict(),)
        assert entry.to_dict()["payment"] == payment().to_dict()


class TestJson:
    @pytest.mark.parametrize("amount", AMOUNTS)
    def test_has_the_digits_of_an_amount_as_a_number(self, amount):
        text = payment(amount=amount).to_json()

        assert json.loads(text, parse_float=str, parse_int=str)["amount"] == amount

    def test_equals_the_line_that_an_export_writes(self):
        made = payment(description=r'"a\u2028b"', created_at='"2025-06-16T12:00:00+02:00"')

        assert made.to_json().encode() + b"\n" == to_json_lines([made])

    @pytest.mark.parametrize("amount", AMOUNTS)
    def test_is_read_back_as_the_same_payment(self, amount):
        made = payment(amount=amount, payer_name=r'"Ann \ud83d\ude00"', status='"settling"')

        for text in (made.to_json(), made.to_json().encode()):
            again = Payment.from_json(text)
            assert (again, str(again.amount)) == (made, str(made.amount))

    def test_as_a_str_may_have_half_a_surrogate_pair(self):
        text = payment(payer_name='"@"').to_json().replace("@", "Ann \ud83d")

        assert Payment.from_json(text).payer_name == "Ann \ufffd"

    @pytest.mark.parametrize("record", [LINK, TOKEN])
    def test_round_trips_other_records(self, record):
        assert type(record).from_json(record.to_json()) == record

    def test_of_a_page_and_an_entry_is_read_back(self):
        page = PaymentPage(records=(payment(),), total_records=1, page_no=1, rows_per_page=10)
        entry = HistoryEntry(direction="sent", payment=payment())

        assert PaymentPage.from_json(page.to_json()) == page
        assert HistoryEntry.from_json(entry.to_json()) == entry

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            (payment_json(amount='"5"'), "$.amount"),
            (payment_json(amount="NaN"), "$"),
            (payment_json(amount='5,"amount":6'), "$"),
            (payment_json(created_at='"yesterday"'), "$.created_at"),
            (b"[]", "$"),
            (b"", "$"),
        ],
    )
    def test_that_is_not_a_payment_is_refused(self, text, path):
        with pytest.raises(ResponseDecodeError) as caught:
            Payment.from_json(text)
        assert caught.value.path == path


RECORDS = record_classes()
PLACES = [(record, place) for record in RECORDS for place in amounts(record)]
NOT_NUMBERS = ["1_000", "NaN", "Infinity", "5", ""]


class TestEveryRecord:
    """All records and all their amounts, as their types tell, so that a new one is not forgotten."""

    def test_is_known(self):
        assert {PaymentPage, HistoryEntry, Payment, PaymentLink, CheckoutToken} <= {*RECORDS}
        assert {Payment, HistoryEntry, PaymentPage} <= {record for record, _ in PLACES}

    @pytest.mark.parametrize("record", RECORDS)
    def test_is_read_from_json_and_back(self, record: type[Record]):
        read = record.from_json(json.dumps(sample(record)))
        assert record.from_json(read.to_json()) == read

    @pytest.mark.parametrize("text", NOT_NUMBERS)
    @pytest.mark.parametrize(("record", "place"), PLACES, ids=repr)
    def test_refuses_text_in_the_place_of_an_amount(
        self, record: type[Record], place: Place, text: str
    ):
        with pytest.raises(ResponseDecodeError) as caught:
            record.from_json(json.dumps(with_value(sample(record), place, text)))
        assert caught.value.path == path_of(place)


class Order(pydantic.BaseModel):
    number: int
    payment: Payment
    before: list[Payment] = []


class TestAModel:
    @pytest.mark.parametrize("amount", AMOUNTS)
    def test_writes_amounts_with_exactly_their_digits(self, amount):
        order = Order(number=1, payment=payment(amount=amount))

        assert json.loads(order.model_dump_json())["payment"]["amount"] == amount
        assert order.model_dump()["payment"]["amount"] == Decimal(amount)

    @pytest.mark.parametrize("amount", AMOUNTS)
    def test_reads_back_what_it_wrote(self, amount):
        order = Order(number=1, payment=payment(amount=amount), before=[payment()])

        assert Order.model_validate_json(order.model_dump_json()) == order
        assert Order.model_validate(order.model_dump()) == order

    def test_keeps_an_unknown_status(self):
        order = Order(number=1, payment=payment(status='"settling"'))

        assert Order.model_validate_json(order.model_dump_json()).payment.status == "settling"

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": "1_000"},
            {"amount": "NaN"},
            {"amount": 1234567890123456.7},
            {"amount": None},
            {"created_at": "2025-06-16T10:04:51"},
            {"payment_id": "d4"},
        ],
    )
    def test_refuses_an_invalid_payment(self, change):
        with pytest.raises(pydantic.ValidationError):
            Order.model_validate({"number": 1, "payment": payment().to_dict() | change})

    def test_documents_the_fields(self):
        schema = Order.model_json_schema(mode="serialization")["$defs"]["Payment"]

        assert list(schema["properties"]) == COLUMNS
        assert schema["required"] == ["payment_id", "amount", "created_at", "status"]


def make_app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.get("/payment")
    async def show() -> Payment:
        return payment(amount="150.70")

    @app.get("/payments")
    async def all_of_them() -> list[Payment]:
        return [payment(amount=amount) for amount in AMOUNTS]

    @app.get("/page")
    async def page() -> PaymentPage:
        return PaymentPage(records=(payment(),), total_records=1, page_no=1, rows_per_page=10)

    @app.get("/entry")
    async def entry() -> HistoryEntry:
        return HistoryEntry(direction="sent", payment=payment())

    @app.get("/link")
    async def link() -> PaymentLink:
        return LINK

    @app.get("/token")
    async def token() -> CheckoutToken:
        return TOKEN

    @app.get("/raw")
    async def raw() -> fastapi.Response:
        return fastapi.Response(payment(amount="150.70").to_json(), media_type="application/json")

    return app


@pytest.mark.real_time
class TestFastApi:
    async def ask(self, path: str) -> Any:
        async with (
            serve_asgi(make_app()) as url,
            aiohttp.ClientSession(url) as session,
            session.get(path) as answer,
        ):
            assert answer.status == 200
            return json.loads(await answer.text(), parse_float=str)

    async def test_returns_a_payment(self):
        shown = await self.ask("/payment")

        assert list(shown) == COLUMNS
        assert (shown["amount"], shown["status"]) == ("150.70", "success")
        assert shown["created_at"] == "2025-06-16T10:04:51.739761Z"

    async def test_returns_exact_amounts(self):
        assert [each["amount"] for each in await self.ask("/payments")] == AMOUNTS

    @pytest.mark.parametrize(
        ("path", "key"),
        [
            ("/page", "records"),
            ("/entry", "payment"),
            ("/link", "payment_link"),
            ("/token", "expires_at"),
        ],
    )
    async def test_returns_every_record(self, path, key):
        assert (await self.ask(path))[key]

    async def test_returns_the_apis_own_form_if_requested(self):
        assert (await self.ask("/raw"))["amount"] == "150.70"

    async def test_documents_a_payment(self):
        schemas = (await self.ask("/openapi.json"))["components"]["schemas"]

        assert list(schemas["Payment"]["properties"]) == COLUMNS
