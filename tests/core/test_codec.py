"""Bytes become records and records bytes; digits survive, and a problem has a path."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paywint_async import Payment, PaymentMethod, ResponseDecodeError, make_converter, to_json_lines
from paywint_async import codec as codec_module
from paywint_async.codec import ListEnvelope, PaymentEnvelope, decode, encode, refuse_ambiguity

COLUMNS = [
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
NEEDED = {
    "payment_id": '"d4211545-cfc9-4aa0-8fcc-e4c2639e8052"',
    "amount": "150.75",
    "created_at": '"2025-06-16T10:04:51.739761Z"',
    "status": '"success"',
}


def payment_json(**fields: str | None) -> bytes:
    """A payment with some fields as that JSON text; None leaves one out."""
    wanted = {name: text for name, text in {**NEEDED, **fields}.items() if text is not None}
    return ("{" + ",".join(f'"{name}":{text}' for name, text in wanted.items()) + "}").encode()


def page_json(*records: bytes, total: str = "100") -> bytes:
    return b'{"records":[%s],"totalRecords":%s}' % (b",".join(records), total.encode())


def problem_of(data: bytes, wire_type: type = Payment) -> ResponseDecodeError:
    with pytest.raises(ResponseDecodeError) as caught:
        decode(data, wire_type)
    return caught.value


amounts = st.from_regex(r"(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?", fullmatch=True)


class TestAmounts:
    @given(amounts)
    def test_keep_every_digit_on_the_way_in(self, digits):
        assert str(decode(payment_json(amount=digits), Payment).amount) == str(Decimal(digits))

    @given(amounts)
    def test_keep_every_digit_there_and_back(self, digits):
        payment = decode(payment_json(amount=digits), Payment)
        written = json.loads(to_json_lines([payment]), parse_float=str, parse_int=str)
        assert Decimal(written["amount"]).as_tuple() == Decimal(digits).as_tuple()

    @pytest.mark.parametrize("digits", ["0.10", "1.10", "5", "12345678901234567.89", "0.07"])
    def test_are_written_as_they_were_read(self, digits):
        payment = decode(payment_json(amount=digits), Payment)
        assert b'"amount":%s,' % digits.encode() in to_json_lines([payment])

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "01", "1.", "0x10", "1_000"])
    def test_that_are_no_json_number_are_refused(self, text):
        assert "no valid JSON" in problem_of(payment_json(amount=text)).problem

    @pytest.mark.parametrize("text", ["null", "true", "[]", "{}"])
    def test_of_another_type_are_refused(self, text):
        assert problem_of(payment_json(amount=text)).path == "$.amount"


class TestAmbiguity:
    """What the decoder would take in silence; a large page is looked through less closely."""

    @staticmethod
    def refusal(data: bytes, records: int | None = None) -> ResponseDecodeError:
        with pytest.raises(ResponseDecodeError) as caught:
            refuse_ambiguity(data, records)
        return caught.value

    @pytest.mark.parametrize("text", ['"5"', '"NaN"', '"1_000"', '""'])
    @pytest.mark.parametrize("size", [3, 100])
    def test_an_amount_as_text_is_refused_by_its_index(self, text, size):
        page = page_json(*[payment_json()] * (size - 1), payment_json(amount=text))
        assert self.refusal(page, size).path == f"$.records[{size - 1}].amount"

    @pytest.mark.parametrize("colon", [":", ": ", " :", " : ", ":\n\t"])
    def test_an_amount_as_text_is_refused_in_one_payment(self, colon):
        data = f'{{"data"{colon}{{"amount"{colon}"5"}}}}'.encode()
        assert self.refusal(data).path == "$.data.amount"

    @pytest.mark.parametrize("name", [r"\u0061mount", r"amoun\u0074", r"a\u006Dount"])
    @pytest.mark.parametrize("size", [1, 100])
    def test_an_amount_as_text_is_refused_under_an_escaped_name(self, name, size):
        odd = payment_json(amount=None, **{name: '"NaN"'})
        assert self.refusal(page_json(odd, *[payment_json()] * (size - 1)), size)

    @pytest.mark.parametrize("size", [1, 100])
    def test_a_second_amount_is_refused_under_an_escaped_name(self, size):
        odd = payment_json(**{r"\u0061mount": '"NaN"'})
        assert self.refusal(page_json(odd, *[payment_json()] * (size - 1)), size)

    @pytest.mark.parametrize(
        "data",
        [
            b'{"data":{"amount":5,"amount":6}}',
            b'{"data":{"amount":5,"status":"failed","status":"success"}}',
            b'{"success":false,"success":true,"data":{}}',
            b'{"data":{"new":{"a":1,"a":2}}}',
        ],
    )
    def test_a_key_that_comes_twice_is_refused(self, data):
        assert "comes twice in one object" in self.refusal(data).problem

    @pytest.mark.parametrize("size", [3, 100])
    @pytest.mark.parametrize("total", ['1,"totalRecords":100', '100,"success":true,"success":true'])
    def test_a_key_that_comes_twice_around_the_records_is_refused(self, size, total):
        assert (
            "comes twice"
            in self.refusal(page_json(*[payment_json()] * size, total=total), size).problem
        )

    @pytest.mark.parametrize(
        ("before", "behind"),
        [
            ('"records":[],', ""),
            ('"warnings":[{}],"totalRecords":1,', ""),
            ("", ',"warnings":[],"totalRecords":1'),
            ("", ',"warnings":[{"a":[]}],"totalRecords":1,"b":[]'),
        ],
    )
    @pytest.mark.parametrize("size", [3, 100])
    def test_it_is_so_though_another_list_stands_between(self, size, before, behind):
        page = page_json(*[payment_json()] * size).strip()
        odd = b"{" + before.encode() + page[1:-1] + behind.encode() + b"}"
        assert "comes twice" in self.refusal(odd, size).problem

    @pytest.mark.parametrize("size", [3, 100])
    def test_an_amount_that_comes_twice_is_refused(self, size):
        odd = payment_json(amount='5,"amount":6')
        assert (
            "comes twice"
            in self.refusal(page_json(*[payment_json()] * (size - 1), odd), size).problem
        )

    @pytest.mark.parametrize("first", ["5", '"5"'])
    @pytest.mark.parametrize("colon", [" :", ": ", "\t:\n"])
    @pytest.mark.parametrize("size", [3, 100])
    def test_it_is_so_however_its_spaces_are(self, size, colon, first):
        odd = payment_json(amount=f'{first},"amount"{colon}"6"')
        page = page_json(*[payment_json()] * (size - 1), odd)
        assert "comes twice" in self.refusal(page, size).problem

    @pytest.mark.parametrize("size", [3, 100])
    def test_a_page_may_have_spaces(self, size):
        page = page_json(*[payment_json()] * size).replace(b'":', b'" : ')
        assert refuse_ambiguity(page, size) is None

    @pytest.mark.parametrize(
        "data",
        [
            b'{"data":{"amount":5}}',
            b'{"data":null,"amount":"5"}',
            b'{"records":{"amount":"5"}}',
            b'{"records":[5,null]}',
        ],
    )
    def test_text_elsewhere_is_nobodys_amount(self, data):
        assert refuse_ambiguity(data) is None

    @pytest.mark.parametrize(
        "field",
        [
            {"description": r'"\"amount\":\"5\""'},
            {"description": r'"\u0061mount [1]"'},
            {"new": '{"amount":"5"}'},
            {"new": "[[]]"},
            {"fee_amount": '"5"', "description": '"amount"'},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("size", [3, 100])
    def test_a_page_may_say_odd_things(self, size, field):
        page = page_json(*[payment_json(**field)] * size, total='100,"message":"[5] done"')
        assert refuse_ambiguity(page, size) is None


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
    def test_takes_null_as_none_where_a_field_may_be_missing(self, name):
        assert getattr(decode(payment_json(**{name: "null"}), Payment), name) is None

    @pytest.mark.parametrize("value", ["1", "null", '{"deep":[{}]}'])
    def test_ignores_fields_it_does_not_know(self, value):
        assert decode(payment_json(new=value), Payment) == decode(payment_json(), Payment)

    @pytest.mark.parametrize("field", ["status", "payment_method", "receiving_method"])
    def test_keeps_enum_values_it_does_not_know(self, field):
        payment = decode(payment_json(**{field: '"invented later"'}), Payment)
        assert getattr(pickle.loads(pickle.dumps(payment)), field) == "invented later"

    def test_gives_an_unknown_value_the_enums_type(self):
        payment = decode(payment_json(payment_method='"PIGEON"'), Payment)
        assert type(payment.payment_method) is PaymentMethod

    def test_reads_the_envelope_of_a_list(self):
        page = decode(b'{"records":[],"totalRecords":7,"queryGeneratedTime":1.5}', ListEnvelope)
        assert (page.records, page.total_records, page.query_generated_time) == ((), 7, 1.5)

    def test_takes_an_envelope_for_a_success_where_it_does_not_say(self):
        assert decode(page_json(), ListEnvelope).success is True


class TestAProblemHasAPath:
    @pytest.mark.parametrize("name", list(NEEDED))
    def test_where_a_required_field_is_missing(self, name):
        error = problem_of(page_json(payment_json(**{name: None})), ListEnvelope)
        assert error.path == "$.records[0]"
        assert name in error.problem

    @pytest.mark.parametrize("name", list(NEEDED))
    def test_where_a_required_field_is_null(self, name):
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
    def test_where_a_value_is_of_the_wrong_kind(self, name, text):
        assert problem_of(payment_json(**{name: text})).path == f"$.{name}"

    @pytest.mark.parametrize("total", ["null", "1.5", '"7"', "true", "[]"])
    def test_where_a_total_is_no_whole_number(self, total):
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
    def test_which_is_the_root_where_it_is_no_json(self, data):
        assert problem_of(data, PaymentEnvelope).path == "$"

    @given(st.binary(max_size=200))
    def test_whatever_the_bytes_are(self, data):
        assert problem_of(data, ListEnvelope).path.startswith("$")

    def test_without_a_foreign_error_behind_it(self):
        error = problem_of(b"{")
        assert (error.__cause__, error.__context__) == (None, None)


class TestMakeConverter:
    def test_gives_a_new_one_each_time(self):
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
    def test_refuses_inside_your_own_classes_what_it_refuses_outside(self, record):
        converter = make_converter()
        with pytest.raises(Exception, match="structuring") as caught:
            converter.loads(b"[%s]" % record, list[Payment])
        (error,) = caught.value.exceptions
        assert isinstance(error, ResponseDecodeError | msgspec.ValidationError)

    def test_takes_hooks_for_your_own_classes(self):
        class Cents(int):
            pass

        converter = make_converter()
        converter.register_structure_hook(Cents, lambda value, _: Cents(value * 100))
        assert converter.loads(b"5", Cents) == 500

    def test_passes_the_options_of_cattrs_on(self):
        assert make_converter().loads(b"5", int, strict=False) == 5

    def test_hooks_do_not_reach_the_sdks_own_converter(self):
        converter = make_converter()
        converter.register_structure_hook(Payment, lambda _value, _type: None)
        assert decode(payment_json(), Payment) is not None


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

    def test_writes_nothing_for_nothing(self):
        assert to_json_lines([]) == b""

    def test_reads_back_as_the_same_payment(self):
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
