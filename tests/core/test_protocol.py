"""What each operation sends, which arguments it refuses, and how it reads a success."""

from __future__ import annotations

import decimal
import json
from decimal import Decimal
from uuid import UUID

import pytest
from fault_server import GOT, LINK, PAGE, PAYMENT_ID, TOKEN
from hypothesis import given
from hypothesis import strategies as st

from paywint_async import (
    Direction,
    InvalidRequestError,
    PaymentPage,
    PaymentStatus,
    Request,
    Response,
    ResponseDecodeError,
    _protocol,
)

EMAIL = {"email": "a@example.com", "phone": None, "phone_country_code": None}
PHONE = {"email": None, "phone": "5551234567", "phone_country_code": "+1"}


def link(amount: object = Decimal(5), description: object = None, invoice_number: object = None):
    return _protocol.create_link(amount, description, invoice_number)


def token(amount: object = 5, currency: object = "USD", **payer: object):
    return _protocol.create_checkout_token(amount, **{**EMAIL, **payer}, currency=currency)


def refused(call, *args, **kwargs) -> tuple[str, str]:
    """The field and the message of the error."""
    with pytest.raises(InvalidRequestError) as caught:
        call(*args, **kwargs)
    return caught.value.field, str(caught.value)


def read_page(body: bytes) -> PaymentPage:
    return _protocol.page(Direction.SENT, 3, 50).read(Response(status=200, body=body))


def page_error(body: bytes) -> ResponseDecodeError:
    with pytest.raises(ResponseDecodeError) as caught:
        read_page(body)
    return caught.value


class TestAmounts:
    @pytest.mark.parametrize(
        ("amount", "digits"),
        [
            (Decimal("150.75"), b"150.75"),
            (Decimal("1E+2"), b"100"),
            (Decimal("1.50E+3"), b"1500"),
            (Decimal("0.01"), b"0.01"),
            (Decimal("0.10"), b"0.10"),
            (Decimal("1.10"), b"1.10"),
            (Decimal("12345678901234567.89"), b"12345678901234567.89"),
            (Decimal("9" * 30 + ".99"), b"9" * 30 + b".99"),
            (Decimal("1.1000"), b"1.1000"),
            (7, b"7"),
            (10**29, b"1" + b"0" * 29),
        ],
    )
    def test_are_sent_as_plain_numbers_with_their_digits(self, amount, digits):
        body = b'{"amount":%s,"description":null,"invoice_number":null}' % digits
        assert link(amount).request.body == body

    @pytest.mark.parametrize(
        "amount",
        [
            1.5,
            float("nan"),
            float("inf"),
            True,
            False,
            "5",
            None,
            b"5",
            5j,
            Decimal("NaN"),
            Decimal("sNaN"),
            Decimal("Infinity"),
            Decimal("-Infinity"),
            0,
            Decimal("0.00"),
            Decimal("-0"),
            -1,
            Decimal("-0.01"),
            Decimal("0.001"),
            Decimal("1.999"),
            Decimal("0.0010"),
            Decimal("5.0010"),
            Decimal("1E-400"),
            Decimal("1E-999999999"),
            Decimal("1E+30"),
            Decimal("1E+999999999"),
            10**30,
            10**5000,
            -(10**5000),
            Decimal("1." + "1" * 100),
            Decimal("1." + "0" * 32),
        ],
        ids=lambda amount: type(amount).__name__,
    )
    def test_that_are_not_a_valid_sum_of_money_are_refused(self, amount):
        assert refused(link, amount)[0] == "amount"

    def test_that_are_floats_are_refused_with_an_alternative(self):
        assert "Decimal('150.75')" in refused(link, 150.75)[1]

    @given(st.decimals(allow_nan=True, allow_infinity=True))
    def test_any_decimal_is_sent_exactly_or_refused(self, amount):
        try:
            sent = link(amount).request.body
        except InvalidRequestError:
            return
        assert json.loads(sent, parse_float=Decimal)["amount"] == amount

    def test_are_checked_whatever_the_callers_decimal_context_is(self):
        with decimal.localcontext(decimal.Context(prec=3, traps=[decimal.Inexact])):
            assert link(Decimal("12345.67")).asked["amount"] == Decimal("12345.67")

    def test_of_a_checkout_may_be_100_000(self):
        assert token(100_000).asked["amount"] == 100_000

    def test_of_a_checkout_may_not_be_more(self):
        assert refused(token, Decimal("100000.01"))[0] == "amount"


class TestCreateLink:
    def test_is_a_post_that_may_not_be_repeated(self):
        assert link(5, "June", "INV-12").request == Request(
            operation="create_link",
            method="POST",
            path="/api/user-api/payment/create-payment-link",
            body=b'{"amount":5,"description":"June","invoice_number":"INV-12"}',
            repeatable=False,
        )

    def test_keeps_the_arguments_of_the_call(self):
        assert link(5, "June", "INV-12").asked == {
            "amount": Decimal(5),
            "description": "June",
            "invoice_number": "INV-12",
        }

    @pytest.mark.parametrize(("name", "longest"), [("description", 255), ("invoice_number", 20)])
    def test_accepts_texts_up_to_their_maximum_length(self, name, longest):
        assert link(**{name: "ü" * longest}).asked[name] == "ü" * longest

    @pytest.mark.parametrize(("name", "longest"), [("description", 255), ("invoice_number", 20)])
    def test_refuses_longer_texts(self, name, longest):
        expected = (name, f"{name}: must have at most {longest} characters, not {longest + 1}")
        assert refused(link, **{name: "x" * (longest + 1)}) == expected

    @pytest.mark.parametrize("name", ["description", "invoice_number"])
    @pytest.mark.parametrize("value", [5, b"bytes", ["list"], True])
    def test_refuses_values_that_are_not_text(self, name, value):
        assert refused(link, **{name: value})[0] == name

    @pytest.mark.parametrize("name", ["description", "invoice_number"])
    @pytest.mark.parametrize("value", ["\ud800", "a\udfff"])
    def test_refuses_half_a_surrogate_pair(self, name, value):
        assert refused(link, **{name: value})[0] == name

    @pytest.mark.parametrize("text", ["", 'quote " and \\', "line\r\nbreak", "\0", "李", "👩‍👩‍👧"])
    def test_sends_any_text_as_json(self, text):
        assert json.loads(link(description=text).request.body)["description"] == text

    def test_reads_the_link(self):
        answer = link().read(Response(status=200, body=LINK))
        assert (str(answer.payment_id), answer.payment_link) == (
            PAYMENT_ID,
            "https://pay.example/1",
        )


class TestCreateCheckoutToken:
    def test_is_a_post_that_may_not_be_repeated(self):
        assert token(5).request == Request(
            operation="create_checkout_token",
            method="POST",
            path="/api/checkout/token/developer",
            body=b'{"amount":5,"email":"a@example.com","currency":"USD"}',
            repeatable=False,
        )

    def test_may_be_for_a_phone_number(self):
        body = b'{"amount":5,"phone":"5551234567","phone_country_code":"+1","currency":"USD"}'
        assert token(5, **PHONE).request.body == body

    @pytest.mark.parametrize(
        ("payer", "field"),
        [
            ({"email": None}, "email"),
            ({"email": "a@example.com", "phone": "55512"}, "email"),
            ({"email": None, "phone": "55512"}, "phone_country_code"),
            ({"phone_country_code": "+1"}, "phone_country_code"),
        ],
    )
    def test_needs_either_an_email_or_a_phone_number(self, payer, field):
        assert refused(token, **payer)[0] == field

    def test_with_neither_or_both_says_to_give_one(self):
        expected = ("email", "email: give either an email or a phone number")
        assert refused(token, email=None) == expected
        assert refused(token, phone="55512", phone_country_code="+1") == expected

    def test_of_a_phone_without_a_country_code_says_so(self):
        expected = ("phone_country_code", "phone_country_code: goes with phone, and phone with it")
        assert refused(token, email=None, phone="55512") == expected

    @pytest.mark.parametrize(
        ("phone", "code"), [("5" * 5, "1"), ("5" * 20, "1" * 10)], ids=["shortest", "longest"]
    )
    def test_accepts_phones_and_codes_of_each_length(self, phone, code):
        asked = token(5, email=None, phone=phone, phone_country_code=code).asked
        assert (asked["phone"], asked["phone_country_code"]) == (phone, code)

    @pytest.mark.parametrize("currency", ["USD", "x" * 10])
    def test_accepts_currencies_of_each_length(self, currency):
        assert token(currency=currency).asked["currency"] == currency

    @pytest.mark.parametrize("email", ["a@b", "x" * 252 + "@b"], ids=["shortest", "longest"])
    def test_accepts_email_addresses_of_each_length(self, email):
        assert token(email=email).asked["email"] == email

    def test_refuses_an_email_address_of_255_characters(self):
        assert refused(token, email="x" * 253 + "@b")[0] == "email"

    @pytest.mark.parametrize(
        "email", ["", "a@", "@b", "no at", "a b@c", "a@b@c", "a@b\n", "x" * 254 + "@b", 5]
    )
    def test_refuses_an_invalid_email_address(self, email):
        assert refused(token, email=email)[0] == "email"

    @pytest.mark.parametrize("phone", ["1234", "1" * 21, 5551234567, ""])
    def test_refuses_an_invalid_phone_number(self, phone):
        assert refused(token, **{**PHONE, "phone": phone})[0] == "phone"

    @pytest.mark.parametrize("code", ["", "1" * 11, 1])
    def test_refuses_an_invalid_country_code(self, code):
        assert refused(token, **{**PHONE, "phone_country_code": code})[0] == "phone_country_code"

    @pytest.mark.parametrize("currency", ["", "US", "x" * 11, 5])
    def test_refuses_an_invalid_currency(self, currency):
        assert refused(token, currency=currency)[0] == "currency"

    def test_reads_the_token(self):
        answer = token().read(Response(status=200, body=TOKEN))
        assert (answer.checkout_token, answer.expires_at.isoformat()) == (
            "token",
            "2025-06-16T11:00:00+00:00",
        )


class TestGet:
    @pytest.mark.parametrize("payment_id", [PAYMENT_ID, PAYMENT_ID.upper(), UUID(PAYMENT_ID)])
    def test_is_a_get_without_a_body(self, payment_id):
        assert _protocol.get(payment_id).request == Request(
            operation="get",
            method="GET",
            path=f"/api/user-api/payment/get/{PAYMENT_ID}",
            expects=PAYMENT_ID.encode(),
        )

    @pytest.mark.parametrize(
        "payment_id",
        [
            "",
            "x",
            None,
            5,
            PAYMENT_ID.encode(),
            PAYMENT_ID.replace("-", ""),
            f"{{{PAYMENT_ID}}}",
            f"{PAYMENT_ID}\n",
            f"{PAYMENT_ID}\r\nX-Evil: 1",
            f"../{PAYMENT_ID}",
            PAYMENT_ID[:-1] + "４",
        ],
    )
    def test_refuses_an_invalid_uuid(self, payment_id):
        assert refused(_protocol.get, payment_id)[0] == "payment_id"

    def test_says_what_was_given_instead_of_a_uuid(self):
        expected = ("payment_id", "payment_id: must be a UUID, not 'x'")
        assert refused(_protocol.get, "x") == expected

    def test_refuses_an_answer_about_another_payment(self):
        other = "11111111-1111-4111-8111-111111111111"
        with pytest.raises(ResponseDecodeError) as caught:
            _protocol.get(other).read(Response(status=200, body=GOT))
        assert caught.value.path == "$.data.payment_id"
        assert caught.value.problem == (f"it is of payment {PAYMENT_ID}, and {other} was asked for")

    @pytest.mark.parametrize("payment_id", [PAYMENT_ID, PAYMENT_ID.upper(), UUID(PAYMENT_ID)])
    def test_accepts_an_answer_about_the_requested_payment(self, payment_id):
        payment = _protocol.get(payment_id).read(Response(status=200, body=GOT))
        assert str(payment.payment_id) == PAYMENT_ID


class TestPage:
    @pytest.mark.parametrize("direction", Direction)
    def test_is_a_post_that_may_be_repeated(self, direction):
        assert _protocol.page(direction, 3, 50).request == Request(
            operation=direction.value,
            method="POST",
            path=f"/api/user-api/payment/list/payment-{direction}",
            body=b'{"rows_per_page":50,"page_no":3}',
        )

    @pytest.mark.parametrize("is_bounded", [False, True])
    def test_says_whether_its_listing_bounds_its_concurrency(self, is_bounded):
        request = _protocol.page_request(Direction.SENT, 1, 10, is_bounded=is_bounded)
        assert request.is_bounded is is_bounded

    def test_of_sent_payments_may_have_another_path(self):
        page = _protocol.page(Direction.SENT, 1, 10, sent_path="/other")
        received = _protocol.page(Direction.RECEIVED, 1, 10, sent_path="/other")
        assert (page.request.path, received.request.path) == (
            "/other",
            "/api/user-api/payment/list/payment-received",
        )

    def test_has_the_page_number_and_size_of_the_request(self):
        page = _protocol.page(Direction.SENT, 3, 50).read(Response(status=200, body=PAGE))
        assert (page.page_no, page.rows_per_page, page.total_records) == (3, 50, 1)
        assert page.query_generated_time == 1750068291.5
        assert [payment.status for payment in page.records] == [PaymentStatus.SUCCESS]

    @pytest.mark.parametrize("records", ["null", "[]"])
    @pytest.mark.parametrize("total", ["", '"totalRecords":null,', '"totalRecords":0,'])
    def test_may_be_empty_with_null_or_missing_fields(self, records, total):
        page = read_page(f'{{{total}"records":{records}}}'.encode())
        assert (page.records, page.total_records) == ((), 0)

    def test_may_have_a_total_below_its_number_of_records(self):
        page = read_page(PAGE.replace(b'"totalRecords":1', b'"totalRecords":0'))
        assert (len(page.records), page.total_records) == (1, 0)

    def test_beyond_the_end_of_a_list_is_empty_and_has_its_total(self):
        page = read_page(b'{"records":[],"totalRecords":1}')
        assert (page.records, page.total_records) == ((), 1)

    @pytest.mark.parametrize(
        ("body", "path", "problem"),
        [
            (b'{"records":[],"totalRecords":-1}', "$.totalRecords", "Expected `int` >= 0"),
            (b'{"records":null,"totalRecords":5}', "$.records", "Expected `array`, got `null`"),
            (
                PAGE.replace(b'"totalRecords":1', b'"totalRecords":null'),
                "$.totalRecords",
                "Object has records, but no `totalRecords`",
            ),
        ],
        ids=["negative", "no records", "no total"],
    )
    def test_whose_parts_contradict_each_other_is_refused(self, body, path, problem):
        error = page_error(body)
        assert (error.path, error.problem) == (path, problem)

    def test_that_cannot_be_read_is_reported_with_direction_number_index_and_id(self):
        error = page_error(PAGE.replace(b"2025-06-16", b"yesterday", 1))
        assert (error.direction, error.page_no, error.index, error.payment_id) == (
            "sent",
            3,
            0,
            PAYMENT_ID,
        )

    def test_that_is_large_is_searched_for_amounts_as_text(self):
        record = PAGE[PAGE.index(b"[") + 1 : PAGE.index(b"]")]
        bad = record.replace(b"150.75", b'"150.75"')
        body = b'{"records":[%s],"totalRecords":51}' % b",".join([record] * 50 + [bad])
        assert page_error(body).path == "$.records[50].amount"
