"""Amounts keep every digit, and ambiguous JSON that a decoder would accept silently is refused."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from api_json import COLUMNS, page_json, payment_json, problem_of
from hypothesis import given
from hypothesis import strategies as st
from record_samples import sample

from paywint_async import Payment, ResponseDecodeError, to_json_lines
from paywint_async._codec import ListEnvelope, decode, money_fields, refuse_ambiguity

SAMPLE = {name: json.dumps(value) for name, value in sample(Payment).items()}
amounts = st.from_regex(r"(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?", fullmatch=True)


class TestAmounts:
    @given(amounts)
    def test_keep_every_digit_when_decoded(self, digits):
        assert str(decode(payment_json(amount=digits), Payment).amount) == str(Decimal(digits))

    @given(amounts)
    def test_keep_every_digit_in_a_round_trip(self, digits):
        payment = decode(payment_json(amount=digits), Payment)
        written = json.loads(to_json_lines([payment]), parse_float=str, parse_int=str)
        assert Decimal(written["amount"]).as_tuple() == Decimal(digits).as_tuple()

    @pytest.mark.parametrize("digits", ["0.10", "1.10", "5", "12345678901234567.89", "0.07"])
    def test_are_written_as_they_were_read(self, digits):
        payment = decode(payment_json(amount=digits), Payment)
        assert b'"amount":%s,' % digits.encode() in to_json_lines([payment])

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "01", "1.", "0x10", "1_000"])
    def test_that_are_not_json_numbers_are_refused(self, text):
        assert "no valid JSON" in problem_of(payment_json(amount=text)).problem

    @pytest.mark.parametrize("text", ["null", "true", "[]", "{}"])
    def test_of_another_type_are_refused(self, text):
        assert problem_of(payment_json(amount=text)).path == "$.amount"


class TestAmbiguity:
    """JSON that the decoder would accept silently; only part of a large page is checked."""

    @staticmethod
    def refusal(data: bytes, records: int | None = None) -> ResponseDecodeError:
        with pytest.raises(ResponseDecodeError) as caught:
            refuse_ambiguity(data, Payment, records)
        return caught.value

    @pytest.mark.parametrize("text", ['"5"', '"NaN"', '"1_000"', '""'])
    @pytest.mark.parametrize("size", [3, 100])
    def test_an_amount_as_text_in_a_page_is_refused_with_its_index(self, text, size):
        page = page_json(*[payment_json()] * (size - 1), payment_json(amount=text))
        assert self.refusal(page, size).path == f"$.records[{size - 1}].amount"

    @pytest.mark.parametrize("colon", [":", ": ", " :", " : ", ":\n\t"])
    def test_an_amount_as_text_in_a_single_payment_is_refused(self, colon):
        data = f'{{"data"{colon}{{"amount"{colon}"5"}}}}'.encode()
        assert self.refusal(data).path == "$.data.amount"

    @pytest.mark.parametrize("name", [r"\u0061mount", r"amoun\u0074", r"a\u006Dount"])
    @pytest.mark.parametrize("size", [1, 100])
    def test_an_amount_as_text_under_an_escaped_name_is_refused(self, name, size):
        odd = payment_json(amount=None, **{name: '"NaN"'})
        assert self.refusal(page_json(odd, *[payment_json()] * (size - 1)), size)

    @pytest.mark.parametrize("size", [1, 100])
    def test_a_second_amount_under_an_escaped_name_is_refused(self, size):
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
    def test_a_duplicate_key_is_refused(self, data):
        assert "comes twice in one object" in self.refusal(data).problem

    @pytest.mark.parametrize("name", COLUMNS)
    @pytest.mark.parametrize("filling", [0, 5_000])
    def test_each_repeated_key_of_a_single_payment_is_refused_whatever_its_size(
        self, name, filling
    ):
        odd = payment_json(
            **{name: f'{SAMPLE[name]},"{name}":{SAMPLE[name]}', "new": f'"{"-" * filling}"'}
        )
        assert "comes twice" in self.refusal(b'{"data":%s}' % odd).problem

    @pytest.mark.parametrize("name", COLUMNS)
    def test_each_repeated_key_of_a_small_page_is_refused(self, name):
        odd = payment_json(**{name: f'{SAMPLE[name]},"{name}":{SAMPLE[name]}'})
        assert "comes twice" in self.refusal(page_json(payment_json(), odd), 2).problem

    @pytest.mark.parametrize(
        "name", [name for name in COLUMNS if name not in money_fields(Payment)]
    )
    def test_of_another_repeated_key_of_a_large_page_the_last_value_is_read(self, name):
        """Only its amounts and its own keys are looked at: each key more takes 7 % of the decoding."""
        odd = payment_json(**{name: f'null,"{name}":{SAMPLE[name]}'})
        page = page_json(*[payment_json()] * 99, odd)
        assert refuse_ambiguity(page, Payment, 100) is None

    @pytest.mark.parametrize("name", [*money_fields(Payment)])
    def test_a_repeated_money_field_of_a_large_page_is_refused(self, name):
        odd = payment_json(**{name: f'5,"{name}":5'})
        assert "comes twice" in self.refusal(page_json(*[payment_json()] * 99, odd), 100).problem

    @pytest.mark.parametrize("size", [3, 100])
    @pytest.mark.parametrize("name", [*ListEnvelope.__struct_encode_fields__, "status_code", "new"])
    def test_each_repeated_key_of_a_page_itself_is_refused(self, size, name):
        values = {"records": "[]", "success": "true"}
        twice = f'"{name}":{values.get(name, "100")},'
        page = page_json(*[payment_json()] * size)
        assert "comes twice" in self.refusal(b"{" + 2 * twice.encode() + page[1:], size).problem

    @pytest.mark.parametrize("size", [3, 100])
    @pytest.mark.parametrize("total", ['1,"totalRecords":100', '100,"success":true,"success":true'])
    def test_a_duplicate_key_outside_the_records_is_refused(self, size, total):
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
    def test_a_duplicate_key_is_refused_if_another_list_stands_between(self, size, before, behind):
        page = page_json(*[payment_json()] * size).strip()
        odd = b"{" + before.encode() + page[1:-1] + behind.encode() + b"}"
        assert "comes twice" in self.refusal(odd, size).problem

    @pytest.mark.parametrize("size", [3, 100])
    def test_a_duplicate_amount_is_refused(self, size):
        odd = payment_json(amount='5,"amount":6')
        assert (
            "comes twice"
            in self.refusal(page_json(*[payment_json()] * (size - 1), odd), size).problem
        )

    @pytest.mark.parametrize("first", ["5", '"5"'])
    @pytest.mark.parametrize("colon", [" :", ": ", "\t:\n"])
    @pytest.mark.parametrize("size", [3, 100])
    def test_a_duplicate_amount_is_refused_whatever_its_whitespace(self, size, colon, first):
        odd = payment_json(amount=f'{first},"amount"{colon}"6"')
        page = page_json(*[payment_json()] * (size - 1), odd)
        assert "comes twice" in self.refusal(page, size).problem

    @pytest.mark.parametrize("size", [3, 100])
    def test_a_page_may_have_whitespace(self, size):
        page = page_json(*[payment_json()] * size).replace(b'":', b'" : ')
        assert refuse_ambiguity(page, Payment, size) is None

    @pytest.mark.parametrize(
        "data",
        [
            b'{"data":{"amount":5}}',
            b'{"data":null,"amount":"5"}',
            b'{"records":{"amount":"5"}}',
            b'{"records":[5,null]}',
        ],
    )
    def test_text_outside_of_records_is_not_an_amount(self, data):
        assert refuse_ambiguity(data, Payment) is None

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
    def test_unusual_but_valid_pages_are_accepted(self, size, field):
        page = page_json(*[payment_json(**field)] * size, total='100,"message":"[5] done"')
        assert refuse_ambiguity(page, Payment, size) is None
