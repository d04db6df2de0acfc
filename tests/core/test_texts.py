"""A damaged text in a payment is repaired; a record that cannot be read is named by its place."""

from __future__ import annotations

import json
import pickle
import time
from decimal import Decimal
from typing import get_type_hints

import attrs
import msgspec
import pytest
from api_json import NEEDED, page_json, payment_json
from fault_server import PAGE, PAYMENT_ID, FaultServer, answer
from hypothesis import given
from hypothesis import strategies as st

from paywint_async import Payment, ResponseDecodeError
from paywint_async._codec import (
    _ENVELOPES,
    _RECORDS,
    ListEnvelope,
    Refusal,
    decode,
    decode_any,
    money_fields,
    record_of,
    refuse_ambiguity,
)
from paywint_async._record_json import refuse_text_money
from paywint_async._strict_json import Digits, repair_texts

PLAIN_MONEY = (Decimal, Decimal | None)

# The bytes between the quotes of a name in the answer, and the text that is read.
DAMAGED = [
    (rb"Ann \ud83d", "Ann \ufffd"),
    (rb"Ann \uD83D", "Ann \ufffd"),
    (rb"\udE00 Ann", "\ufffd Ann"),
    (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
    (rb"\ude00\ud83d", "\ufffd\ufffd"),
    (rb"\ud83dx\ude00", "\ufffdx\ufffd"),
    (rb"\\\ud83d", "\\\ufffd"),
    (b"Ren\xe9", "Ren\ufffd"),
    (b"Ann \xf0\x9f\x98", "Ann \ufffd"),
    (b"\xe2", "\ufffd"),
    (b"a\x00b", "a\x00b"),
    (b"two\nlines\ttab\x1f", "two\nlines\ttab\x1f"),
    (b"Ren\xe9 \\ud83d\n", "Ren\ufffd \ufffd\n"),
]
# Texts that look damaged and are not.
SOUND = [
    (rb"\ud83d\ude00", "\U0001f600"),
    (rb"\uD83D\uDE00", "\U0001f600"),
    (rb"\\ud83d", "\\ud83d"),
    (rb"\\\\ud83d", "\\\\ud83d"),
    (b"\xef\xbf\xbd", "\ufffd"),
    (rb"\u0000\uffff\ufffe", "\x00\uffff\ufffe"),
]


def named(text: bytes) -> bytes:
    return payment_json(payer_name="@").replace(b"@", b'"' + text + b'"')


class TestADamagedText:
    @pytest.mark.parametrize(("text", "read"), DAMAGED + SOUND, ids=repr)
    def test_is_read_and_nothing_else_is_changed(self, text, read):
        payment = decode(named(text), Payment)

        assert payment.payer_name == read
        assert payment == attrs.evolve(decode(payment_json(), Payment), payer_name=read)

    @pytest.mark.parametrize(("text", "read"), DAMAGED, ids=repr)
    async def test_fails_no_operation(self, text, read, connect):
        def damage(body: bytes) -> bytes:
            return body.replace(b'"USD"', b'"' + text + b'"')

        async with FaultServer(answer(body=damage, name="damage")) as server:
            client = connect(server)
            payment = await client.payments.get(PAYMENT_ID)
            (listed, *_) = await client.payments.received().collect(limit=1)
            (entry, *_) = await client.payments.history().collect(limit=1)
            page = await client.payments.page("sent", 1)

        found = {payment.currency, listed.currency, entry.payment.currency}
        assert found | {each.currency for each in page.records} == {read}

    @pytest.mark.parametrize(("text", "read"), DAMAGED, ids=repr)
    def test_may_be_in_an_error_answer(self, text, read):
        assert decode(b'{"message":"' + text + b'"}', Refusal).message == read

    @pytest.mark.parametrize(("text", "read"), DAMAGED, ids=repr)
    def test_may_be_a_key(self, text, read):
        assert decode_any(b'{"' + text + b'":1}') == {read: 1}

    def test_does_not_hide_an_amount_as_text(self):
        page = page_json(named(rb"\ud83d"), payment_json(amount='"1_000"'), total="2")

        with pytest.raises(ResponseDecodeError) as caught:
            refuse_ambiguity(page, Payment, 2)
        assert caught.value.path == "$.records[1].amount"

    def test_does_not_hide_a_duplicate_key(self):
        odd = named(rb"\ud83d").replace(b'"amount":', b'"amount":1,"amount":')

        with pytest.raises(ResponseDecodeError, match="comes twice"):
            refuse_ambiguity(page_json(odd, total="1"), Payment, 1)

    @pytest.mark.parametrize(
        "damage",
        [b'"amount":15\xff0.75', rb'"amount":15\ud83d0.75', b'"amount":15\n0.75', b'"amount":\xff'],
    )
    def test_is_an_error_outside_of_strings(self, damage):
        with pytest.raises(ResponseDecodeError):
            decode(payment_json().replace(b'"amount":150.75', damage), Payment)


class TestRepair:
    @given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none()))
    def test_does_not_change_a_valid_document(self, value):
        for is_ascii in (True, False):
            text = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
            expected = json.loads(
                json.dumps(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            )
            if not any("\ud800" <= c <= "\udfff" for c in json.dumps(value, ensure_ascii=False)):
                assert json.loads(repair_texts(text)) == expected

    @given(st.binary(max_size=40), st.decimals(allow_nan=False, allow_infinity=False, places=2))
    def test_never_changes_an_amount(self, damage, amount):
        before = f'{{"a":{amount},"b":"'.encode()
        data = before + damage.replace(b'"', b"") + b'","c":' + str(amount).encode() + b"}"
        try:
            value = decode_any(data)
        except ResponseDecodeError:
            return
        assert (value["a"], value["c"]) == (amount, amount)

    @given(st.binary())
    def test_never_raises(self, data):
        repair_texts(data)

    @pytest.mark.parametrize("end", [b"", b"\\", b'"'])
    def test_takes_linear_time(self, end):
        began = time.process_time()
        repair_texts(b'"' + b'\\"' * 32_000 + end)
        assert time.process_time() - began < 2  # 13 s if each quote is searched to the end


class TestARecordThatCannotBeRead:
    @staticmethod
    async def refusal(connect, **fault):
        async with FaultServer(answer(name="bad record", **fault)) as server:
            with pytest.raises(ResponseDecodeError) as caught:
                await connect(server).payments.received().collect()
        return caught.value

    async def test_is_named_by_direction_page_index_and_id(self, connect):
        records = (payment_json(), payment_json(created_at='"yesterday"'))
        error = await self.refusal(connect, body=page_json(*records, total="2"))

        assert (error.direction, error.page_no, error.index) == ("received", 1, 1)
        assert error.payment_id == json.loads(NEEDED["payment_id"])
        assert error.path == "$.records[1].created_at"
        assert "received payments, page 1, record 1 of the page, payment d42" in str(error)

    async def test_is_named_without_an_id_if_that_cannot_be_read(self, connect):
        records = (payment_json(payment_id='"d4"'), payment_json())
        error = await self.refusal(connect, body=page_json(*records, total="2"))

        assert (error.index, error.payment_id) == (0, None)

    async def test_is_named_if_its_json_is_broken(self, connect):
        broken = payment_json(amount="1.2.3")
        page = page_json(payment_json(), broken, payment_json(), total="3")
        error = await self.refusal(connect, body=page)

        assert (error.index, error.payment_id) == (1, json.loads(NEEDED["payment_id"]))

    async def test_is_named_if_its_amount_is_text(self, connect):
        page = page_json(payment_json(), payment_json(amount='"5"'), total="2")
        error = await self.refusal(connect, body=page)

        assert (error.index, error.path) == (1, "$.records[1].amount")

    async def test_is_not_named_if_the_page_itself_is_invalid(self, connect):
        error = await self.refusal(connect, body=b"[]")

        assert (error.direction, error.page_no, error.index) == ("received", 1, None)

    async def test_survives_pickling(self, connect):
        error = await self.refusal(connect, body=page_json(payment_json(amount="null"), total="1"))
        twin = pickle.loads(pickle.dumps(error))

        assert (str(twin), twin.index, twin.page_no) == (str(error), 0, 1)


class TestAnEmptyPage:
    @pytest.mark.parametrize("records", ["null", "[]"])
    @pytest.mark.parametrize("total", ['"totalRecords":null,', '"totalRecords":0,', ""])
    async def test_may_have_null_or_missing_fields(self, records, total, connect):
        body = f'{{{total}"records":{records},"success":true}}'.encode()
        async with FaultServer(answer(body=body, name="empty")) as server:
            client = connect(server)
            page = await client.payments.page("received", 1)
            assert (page.records, page.total_records) == ((), 0)
            assert await client.payments.received().collect() == []
            assert await client.payments.history().collect() == []

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            (PAGE.replace(b'"totalRecords":', b'"x":'), "$.totalRecords"),
            (b'{"records":null,"totalRecords":5}', "$.records"),
            (b'{"totalRecords":0}', "$"),
        ],
    )
    async def test_is_refused_if_its_parts_contradict_each_other(self, body, path, connect):
        async with FaultServer(answer(body=body, name="gap")) as server:
            with pytest.raises(ResponseDecodeError) as caught:
                await connect(server).payments.page("received", 1)
        assert caught.value.path == path


class Owner(msgspec.Struct, rename={"total_share": "totalShare"}):
    total_share: Decimal
    total_name: str


@attrs.frozen
class Inner:
    owners: list[Owner] | None


@attrs.frozen
class Wallet:
    balance: Decimal
    limits: tuple[Decimal, ...]
    available: Decimal | None
    name: str
    inner: Inner | None


class TestMoney:
    """Every Decimal field of every record is checked, whatever its name."""

    def test_fields_are_found_by_their_type(self):
        assert money_fields(Wallet) == ("balance", "limits", "available", "totalShare")

    @pytest.mark.parametrize("record", _RECORDS)
    @pytest.mark.parametrize("text", ['"1_000"', '"NaN"', '"5"'])
    def test_as_text_is_refused_in_each_record(self, record, text):
        for name in money_fields(record):
            for data in (b'{"data":{"%s":%s}}', b'{"records":[{"%s":%s}]}'):
                with pytest.raises(ResponseDecodeError):
                    refuse_ambiguity(data % (name.encode(), text.encode()), record)

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            ({"balance": "5"}, "$.balance"),
            ({"balance": None, "limits": [1, "NaN"]}, "$.limits[1]"),
            ({"available": "1_000"}, "$.available"),
            ({"inner": {"owners": [{}, {"totalShare": "1"}]}}, "$.inner.owners[1].totalShare"),
        ],
    )
    def test_as_text_is_refused_at_any_depth(self, value, path):
        with pytest.raises(ResponseDecodeError) as caught:
            refuse_text_money(value, Wallet, "$")
        assert caught.value.path == path

    def test_as_text_is_no_matter_in_other_fields(self):
        inner = {"owners": [{"total_name": "5"}], "other": "5"}
        value = {"name": "5", "other": "5", "balance": Digits("5"), "inner": inner}

        assert refuse_text_money(value, Wallet, "$") is None

    @pytest.mark.parametrize("record", _RECORDS)
    def test_is_directly_in_each_record_of_the_wire(self, record):
        """The fast check of a page looks for fields of its records, not for fields deeper down."""
        plain = {name for name, hint in get_type_hints(record).items() if hint in PLAIN_MONEY}
        assert {*money_fields(record)} == plain

    def test_fields_of_a_payment_are_found(self):
        assert money_fields(Payment) == ("amount",)

    @pytest.mark.parametrize("envelope", [each for each in _ENVELOPES if each is not Refusal])
    def test_each_envelope_knows_its_record(self, envelope):
        assert record_of(envelope) in _RECORDS

    def test_the_list_envelope_has_payments(self):
        assert record_of(ListEnvelope) is Payment
