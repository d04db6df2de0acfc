"""The codec's parts: finding amounts in bytes, locating a broken record, and writing times."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from api_json import NEEDED, payment_json

from paywint_async import Payment, ResponseDecodeError, make_converter
from paywint_async._codec import _Guard, decode, decode_any, find_record
from paywint_async._record_json import escape_separators, time_text
from paywint_async._strict_json import Digits

FIRST = "11111111-1111-4111-8111-111111111111"
SECOND = "22222222-2222-4222-8222-222222222222"


class TestAGuardOfTwoFields:
    @pytest.fixture
    def guard(self) -> _Guard:  # in each test: `nox -s mutants` changes the class after the import
        return _Guard(("amount", "fee"))

    @pytest.mark.parametrize("data", [b'"amount":"5"', b'"fee": \t"5"', b'{"x":1,"fee":"5"}'])
    def test_finds_text_in_each_field(self, guard, data):
        assert guard.text.search(data)

    @pytest.mark.parametrize("data", [b'"amount":5', b'"tip_fee":"5"', b'"fees":"5"', b'"x":"fee"'])
    def test_finds_no_text_elsewhere(self, guard, data):
        assert not guard.text.search(data)

    @pytest.mark.parametrize("letter", "amountfe")
    def test_finds_each_escaped_letter_of_its_names(self, guard, letter):
        assert guard.escaped.search(rb"\u00%02X" % ord(letter))
        assert guard.escaped.search(rb"\u00%02x" % ord(letter))

    @pytest.mark.parametrize("letter", "bXz|")
    def test_finds_no_other_escaped_letter(self, guard, letter):
        assert not guard.escaped.search(rb"\u00%02x" % ord(letter))

    def test_distinguishes_numbers_from_text_whatever_the_whitespace(self, guard):
        _, fee = guard.spaced
        assert fee.findall(b'"fee" :\n5,"fee": "5","fee":5,"tip_fee":5') == [b"", b'"', b""]

    def test_has_its_names_as_json_keys(self, guard):
        assert guard.keys == [b'"amount"', b'"fee"']


class TestAGuardOfNoField:
    @pytest.fixture
    def guard(self) -> _Guard:
        return _Guard(())

    @pytest.mark.parametrize("data", [b"", b'"":"5"', rb"\u0061", b"XX"])
    def test_finds_nothing(self, guard, data):
        assert not guard.text.search(data)
        assert not guard.escaped.search(data)


def page_of(*records: bytes, tail: bytes = b'"totalRecords":2') -> bytes:
    return b'{"records":[%s],%s}' % (b",".join(records), tail)


class TestABrokenPage:
    def test_names_the_broken_record(self):
        page = page_of(
            payment_json(payment_id=f'"{FIRST}"'),
            payment_json(payment_id=f'"{SECOND}"', amount="1.2.3"),
        )
        assert find_record(page, "$") == (1, SECOND)

    def test_names_no_record_if_the_fault_follows_them(self):
        page = page_of(payment_json(), tail=b'"totalRecords":')
        assert find_record(page, "$") == (None, None)

    def test_names_no_id_if_the_record_has_none(self):
        page = page_of(payment_json(payment_id=f'"{FIRST}"'), b'{"amount":1.2.3}')
        assert find_record(page, "$") == (1, None)


def test_an_amount_as_text_inside_your_own_classes_has_its_path() -> None:
    with pytest.raises(Exception, match="structuring") as caught:
        make_converter().loads(b"[%s]" % payment_json(amount='"5"'), list[Payment])
    (error,) = caught.value.exceptions
    assert isinstance(error, ResponseDecodeError)
    assert error.path == "$.amount"


def test_the_options_of_msgspec_are_passed_on() -> None:
    decoded = make_converter().loads(b"[1.10]", list, type=list[Decimal])
    assert [str(each) for each in decoded] == ["1.10"]


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_that_is_not_json_is_named(constant: str) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        decode_any(b'{"a":%s}' % constant.encode())
    assert caught.value.problem == f"no valid JSON ({constant} is no JSON number)"


def test_a_number_shows_its_digits() -> None:
    assert repr(Digits("1.50")) == "1.50"


class TestATime:
    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
    def test_is_written_in_utc_in_any_time_zone(self, monkeypatch, zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            moment = datetime(2025, 6, 16, 12, 0, tzinfo=timezone(timedelta(hours=2)))
            assert time_text(moment) == "2025-06-16T10:00:00.000000Z"
        finally:
            monkeypatch.undo()
            time.tzset()

    def test_before_the_first_year_in_utc_keeps_its_offset(self):
        moment = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
        assert time_text(moment) == "0001-01-01T00:00:00.000000+14:00"

    def test_has_six_decimals(self):
        assert time_text(datetime(2025, 6, 16, tzinfo=UTC)) == "2025-06-16T00:00:00.000000Z"


class TestLineSeparators:
    @pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
    def test_are_each_escaped(self, separator):
        escaped = escape_separators(f'"a{separator}b{separator}"'.encode())
        assert escaped == f'"a\\u{ord(separator):04x}b\\u{ord(separator):04x}"'.encode()

    @pytest.mark.parametrize("text", ["a", "\u2013", "\u00e9", "\x84", "\u202a"])
    def test_are_the_only_characters_that_are_escaped(self, text):
        assert escape_separators(f'"{text}"'.encode()) == f'"{text}"'.encode()

    def test_do_not_split_a_payment_into_lines(self):
        text = "one\x85two\u2028three\u2029four"
        payment = decode(payment_json(description=json.dumps(text)), Payment)
        assert len(payment.to_json().splitlines()) == 1
        assert Payment.from_json(payment.to_json()).description == text


def test_the_id_is_reported_as_written_in_the_record() -> None:
    page = page_of(payment_json(created_at='"yesterday"'))
    assert find_record(page, "$.records[0].created_at") == (0, json.loads(NEEDED["payment_id"]))
