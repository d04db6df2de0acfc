"""Decoding and encoding of records; a decode error has the path of the problem."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import msgspec
import pytest
from api_json import COLUMNS, NEEDED, page_json, payment_json, problem_of
from hypothesis import given
from hypothesis import strategies as st
from record_samples import amounts, sample, with_value

from paywint_async import (
    HistoryEntry,
    Payment,
    PaymentMethod,
    PaymentPage,
    ResponseDecodeError,
    make_converter,
    to_json_lines,
)
from paywint_async import _codec as codec_module
from paywint_async._codec import ListEnvelope, PaymentEnvelope, decode, encode


class TestDecoding:
    def test_fills_every_field(self):
        everything = payment_json(
            payer_id='"11111111-1111-4111-8111-111111111111"',
            payer_name='"Zoë"',
            payee_id='"22222222-2222-4222-8222-222222222222"',
            payee_name='"李"',
            currency='"USD"',
            description='"June"',
            payment_method='"WALLET"',
            receiving_method='"ACH"',
            payment_date='"2025-06-16T10:13:16+02:00"',
            failure_reason='"Insufficient wallet balance"',
        )
        assert decode(everything, Payment) == Payment(
            payment_id=UUID("d4211545-cfc9-4aa0-8fcc-e4c2639e8052"),
            payer_id=UUID("11111111-1111-4111-8111-111111111111"),
            payer_name="Zoë",
            payee_id=UUID("22222222-2222-4222-8222-222222222222"),
            payee_name="李",
            amount=Decimal("150.75"),
            currency="USD",
            description="June",
            payment_method="WALLET",
            receiving_method="ACH",
            created_at=datetime(2025, 6, 16, 10, 4, 51, 739761, tzinfo=UTC),
            payment_date=datetime(2025, 6, 16, 10, 13, 16, tzinfo=timezone(timedelta(hours=2))),
            status="success",
            failure_reason="Insufficient wallet balance",
        )

    @pytest.mark.parametrize("name", [name for name in COLUMNS if name not in NEEDED])
    def test_reads_null_as_none_in_an_optional_field(self, name):
        assert getattr(decode(payment_json(**{name: "null"}), Payment), name) is None

    @pytest.mark.parametrize("value", ["1", "null", '{"deep":[{}]}'])
    def test_ignores_fields_it_does_not_know(self, value):
        assert decode(payment_json(new=value), Payment) == decode(payment_json(), Payment)

    @pytest.mark.parametrize("field", ["status", "payment_method", "receiving_method"])
    def test_keeps_enum_values_it_does_not_know(self, field):
        payment = decode(payment_json(**{field: '"invented later"'}), Payment)
        assert getattr(pickle.loads(pickle.dumps(payment)), field) == "invented later"

    def test_reads_an_unknown_value_as_the_enums_type(self):
        payment = decode(payment_json(payment_method='"PIGEON"'), Payment)
        assert type(payment.payment_method) is PaymentMethod

    def test_reads_the_envelope_of_a_list(self):
        page = decode(b'{"records":[],"totalRecords":7,"queryGeneratedTime":1.5}', ListEnvelope)
        assert (page.records, page.total_records, page.query_generated_time) == ((), 7, 1.5)

    def test_reads_an_envelope_without_success_as_a_success(self):
        assert decode(page_json(), ListEnvelope).success is True


class TestTheErrorHasAPath:
    @pytest.mark.parametrize("name", list(NEEDED))
    def test_if_a_required_field_is_missing(self, name):
        error = problem_of(page_json(payment_json(**{name: None})), ListEnvelope)
        assert error.path == "$.records[0]"
        assert name in error.problem

    @pytest.mark.parametrize("name", list(NEEDED))
    def test_if_a_required_field_is_null(self, name):
        records = [payment_json()] * 3 + [payment_json(**{name: "null"})]
        assert problem_of(page_json(*records), ListEnvelope).path == f"$.records[3].{name}"

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("payment_id", '"no uuid"'),
            ("payer_id", "5"),
            ("payer_name", "5"),
            ("status", "5"),
            ("created_at", '"yesterday"'),
            ("created_at", '"2025-06-16T10:04:51.739761"'),
            ("payment_date", '"2025-06-16T10:04:51.739761"'),
            ("payment_date", "1750068291"),
        ],
    )
    def test_if_a_value_has_the_wrong_type(self, name, text):
        assert problem_of(payment_json(**{name: text})).path == f"$.{name}"

    @pytest.mark.parametrize("total", ["1.5", '"7"', "true", "[]"])
    def test_if_a_total_is_not_a_whole_number(self, total):
        assert problem_of(page_json(total=total), ListEnvelope).path == "$.totalRecords"

    def test_in_one_payment(self):
        data = b'{"data":%s}' % payment_json(amount="null")
        assert problem_of(data, PaymentEnvelope).path == "$.data.amount"

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"<html>",
            b"\xff\xfe",
            b'{"message":"\xff"}',
            b"{} {}",
            b"[" * 100_000,
            b'{"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        ],
    )
    def test_which_is_the_root_if_it_is_not_json(self, data):
        assert problem_of(data, PaymentEnvelope).path == "$"

    @given(st.binary(max_size=200))
    def test_whatever_the_bytes_are(self, data):
        assert problem_of(data, ListEnvelope).path.startswith("$")

    def test_and_no_cause_from_another_library(self):
        error = problem_of(b"{")
        assert (error.__cause__, error.__context__) == (None, None)


class TestMakeConverter:
    def test_returns_a_new_converter_each_time(self):
        assert make_converter() is not make_converter()

    @pytest.mark.parametrize("how", ["loads", "get_loads_hook"])
    def test_reads_payments(self, how):
        converter = make_converter()
        read = converter.get_loads_hook(Payment)
        data = payment_json(amount="12345678901234567.89")
        payment = read(data) if how == "get_loads_hook" else converter.loads(data, Payment)
        assert payment.amount == Decimal("12345678901234567.89")

    def test_writes_what_it_reads(self):
        converter = make_converter()
        payment = converter.loads(payment_json(amount="1.10"), Payment)
        assert converter.loads(converter.dumps(payment), Payment) == payment

    @pytest.mark.parametrize("digits", ["12345678901234567.89", "1.10", "5"])
    def test_reads_payments_exactly_inside_your_own_classes(self, digits):
        @attrs.frozen
        class Noted:
            payments: list[Payment]
            rate: float
            note: str | None = None

        data = b'{"payments":[%s],"rate":1.5,"note":"mine"}' % payment_json(amount=digits)
        noted = make_converter().loads(data, Noted)
        assert (noted.rate, noted.note) == (1.5, "mine")
        assert str(noted.payments[0].amount) == digits

    @pytest.mark.parametrize(
        "record", [payment_json(amount='"5"'), payment_json(created_at='"2025-06-16T10:04:51"')]
    )
    def test_refuses_invalid_payments_inside_your_own_classes(self, record):
        converter = make_converter()
        with pytest.raises(Exception, match="structuring") as caught:
            converter.loads(b"[%s]" % record, list[Payment])
        (error,) = caught.value.exceptions
        assert isinstance(error, ResponseDecodeError | msgspec.ValidationError)

    def test_accepts_hooks_for_your_own_classes(self):
        class Cents(int):
            pass

        converter = make_converter()
        converter.register_structure_hook(Cents, lambda value, _: Cents(value * 100))
        assert converter.loads(b"5", Cents) == 500

    def test_passes_on_the_options_of_cattrs(self):
        assert make_converter().loads(b"5", int, strict=False) == 5

    def test_passes_on_the_options_of_msgspec_for_payments_too(self):
        with pytest.raises(msgspec.ValidationError, match="Expected `int`, got `object`"):
            make_converter().loads(payment_json(), Payment, type=int)

    def test_hooks_do_not_reach_the_sdks_own_converter(self):
        converter = make_converter()
        converter.register_structure_hook(Payment, lambda _value, _type: None)
        assert decode(payment_json(), Payment) is not None


def shapes(wire_type: Any, value: Any) -> dict[str, tuple[Any, Any]]:
    """Types that hold a wire type, each with its JSON value."""
    own = attrs.make_class("Own", {"inner": attrs.field(type=wire_type)})
    return {
        "alone": (wire_type, value),
        "optional": (wire_type | None, value),
        "list": (list[wire_type], [value]),
        "list of optional": (list[wire_type | None], [None, value]),
        "tuple": (tuple[wire_type, ...], [value]),
        "pair": (tuple[int, wire_type], [1, value]),
        "dict": (dict[str, wire_type], {"a": value}),
        "own class": (own, {"inner": value}),
        "list of own class": (list[own], [{"inner": value}]),  # type: ignore[valid-type]
    }


SHAPES = list(shapes(Payment, {}))
READERS = {
    "loads": lambda data, cl: make_converter().loads(data, cl),
    "loads with an option": lambda data, cl: make_converter().loads(data, cl, strict=True),
    "hook": lambda data, cl: make_converter().get_loads_hook(cl)(data),
}
WITH_MONEY = [
    (wire_type, place)
    for wire_type in (*codec_module._RECORDS, *codec_module._ENVELOPES, PaymentPage, HistoryEntry)
    for place in amounts(wire_type)
]


def innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    return error


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("wire_type", "place"), WITH_MONEY, ids=repr)
class TestAnAmountInAnyShape:
    """`make_converter` reads the API's types alone, in containers and in classes of yours."""

    @pytest.mark.parametrize("text", ["1_000", "NaN", "5"])
    def test_is_refused_as_text(self, wire_type, place, shape, read, text):
        hint, value = shapes(wire_type, with_value(sample(wire_type), place, text))[shape]
        with pytest.raises((ResponseDecodeError, ExceptionGroup)) as caught:
            read(json.dumps(value).encode(), hint)
        error = innermost(caught.value)
        assert isinstance(error, ResponseDecodeError)
        assert (error.problem, error.path[-7:]) == ("Expected `number`, got `str`", ".amount")

    def test_keeps_all_digits(self, wire_type, place, shape, read):
        hint, value = shapes(wire_type, with_value(sample(wire_type), place, 123456))[shape]
        data = json.dumps(value).encode().replace(b"123456", b"12345678901234567.89")
        assert "Decimal('12345678901234567.89')" in repr(read(data, hint))


@pytest.mark.parametrize("read", ["loads", "hook"])
@pytest.mark.parametrize(
    ("wire_type", "data"),
    [
        (Payment, payment_json(amount='5,"amount":6')),
        (Payment, payment_json(status='"failed","status":"success"')),
        (PaymentEnvelope, b'{"data":%s}' % payment_json(amount='5,"amount" :6')),
        (ListEnvelope, page_json(payment_json(**{r"\u0061mount": "6"}))),
    ],
)
def test_a_converter_refuses_a_repeated_key_in_a_wire_type(read, wire_type, data):
    with pytest.raises(ResponseDecodeError, match="comes twice in one object"):
        READERS[read](data, wire_type)


class TestToJsonLines:
    def test_writes_one_object_a_line(self):
        payments = [decode(payment_json(amount=str(n)), Payment) for n in (1, 2, 3)]
        lines = to_json_lines(payments).splitlines(keepends=True)
        assert [json.loads(line)["amount"] for line in lines] == [1, 2, 3]
        assert all(line.endswith(b"}\n") for line in lines)

    def test_keeps_the_apis_order_of_fields(self):
        assert list(json.loads(to_json_lines([decode(payment_json(), Payment)]))) == COLUMNS

    def test_puts_a_direction_first(self):
        line = json.loads(to_json_lines([decode(payment_json(), Payment)], "sent"))
        assert list(line) == ["direction", *COLUMNS]
        assert line["direction"] == "sent"

    def test_writes_nothing_for_no_payments(self):
        assert to_json_lines([]) == b""

    def test_round_trips_a_payment(self):
        payment = decode(payment_json(payer_name='"Zoë\\n李"', status='"later"'), Payment)
        assert decode(to_json_lines([payment]), Payment) == payment


def test_encoding_writes_decimals_as_numbers():
    assert encode({"amount": Decimal("1.10"), "text": "ü"}) == '{"amount":1.10,"text":"ü"}'.encode()


@attrs.frozen
class Aliased:
    field: int = attrs.field(alias="other")


@attrs.frozen
class Private:
    _field: int = attrs.field(alias="_field")


@attrs.frozen
class Converted:
    field: int = attrs.field(converter=int)


@pytest.mark.parametrize("record", [Aliased, Private, Converted])
def test_a_record_that_msgspec_would_misread_is_refused(record):
    with pytest.raises(TypeError, match=f"{record.__name__}._?field: msgspec would misread"):
        codec_module._refuse_misread(record)
