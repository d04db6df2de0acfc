"""Records are values; enums are open."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import attrs
import pytest

from paywint_async import (
    CheckoutToken,
    Direction,
    HistoryEntry,
    Payment,
    PaymentLink,
    PaymentMethod,
    PaymentPage,
    PaymentStatus,
)
from paywint_async._record_json import Record

ID = UUID("d4211545-cfc9-4aa0-8fcc-e4c2639e8052")
MOMENT = datetime(2025, 6, 16, 10, 4, 51, 739761, tzinfo=UTC)
PAYMENT = Payment(
    payment_id=ID,
    amount=Decimal("150.75"),
    created_at=MOMENT,
    status=PaymentStatus("invented later"),
    payment_method=PaymentMethod.WALLET,
)
RECORDS = [
    PAYMENT,
    PaymentLink(payment_id=ID, payment_link="https://pay.example/1"),
    CheckoutToken(checkout_token="token", expires_at=MOMENT),
    PaymentPage(records=(PAYMENT,), total_records=1, page_no=1, rows_per_page=10),
    HistoryEntry(direction=Direction.SENT, payment=PAYMENT),
]


def test_the_examples_include_each_record():
    assert {*Record.__subclasses__()} == {type(record) for record in RECORDS}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
class TestEveryRecord:
    def test_is_frozen(self, record):
        name = attrs.fields(type(record))[0].name
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(record, name, None)

    def test_has_no_other_attributes(self, record):
        with pytest.raises((AttributeError, attrs.exceptions.FrozenInstanceError)):
            record.anything = 1

    def test_pickles(self, record):
        assert pickle.loads(pickle.dumps(record)) == record

    def test_hashes_as_it_compares(self, record):
        assert hash(copy.deepcopy(record)) == hash(record)

    def test_takes_keyword_arguments_only(self, record):
        with pytest.raises(TypeError):
            type(record)(*attrs.astuple(record, recurse=False))


def test_a_payment_needs_only_what_the_api_always_sends():
    payment = Payment(
        payment_id=ID, amount=Decimal(1), created_at=MOMENT, status=PaymentStatus.PENDING
    )
    given = {"payment_id", "amount", "created_at", "status"}
    assert set(attrs.asdict(payment, filter=lambda _field, value: value is not None)) == given


def test_payments_that_differ_in_one_field_differ():
    assert attrs.evolve(PAYMENT, amount=Decimal("150.76")) != PAYMENT


@pytest.mark.parametrize("enum", [PaymentStatus, PaymentMethod])
class TestAnUnknownEnumValue:
    def test_is_kept_as_it_came(self, enum):
        assert enum("invented later") == "invented later"

    def test_is_an_instance_of_the_enum(self, enum):
        assert type(enum("invented later")) is enum

    def test_hashes_as_its_string(self, enum):
        assert hash(enum("invented later")) == hash("invented later")

    def test_equals_the_same_unknown_value(self, enum):
        assert enum("invented later") == enum("invented later")

    def test_prints_as_its_string(self, enum):
        assert f"{enum('invented later')}" == "invented later"

    def test_has_a_name_and_a_value(self, enum):
        value = enum("invented later")
        assert (value.name, value.value) == ("invented later", "invented later")

    def test_is_not_listed(self, enum):
        enum("invented later")
        assert "invented later" not in list(enum)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles(self, enum, protocol):
        back = pickle.loads(pickle.dumps(enum("invented later"), protocol))
        assert (type(back), back) == (enum, "invented later")

    def test_copies(self, enum):
        assert copy.deepcopy(enum("invented later")) == enum("invented later")

    @pytest.mark.parametrize("value", [None, 5, True, b"success"])
    def test_must_be_a_string(self, enum, value):
        with pytest.raises(ValueError, match="is not a valid"):
            enum(value)


def test_a_known_value_is_the_member_itself():
    assert PaymentStatus("success") is PaymentStatus.SUCCESS


@pytest.mark.parametrize(
    "status",
    ["success", "failed", "rejected", "expired", "retried", "refunded", "partially_refunded"],
)
def test_these_statuses_are_final(status):
    assert PaymentStatus(status).is_final


@pytest.mark.parametrize(
    "status", ["initiated", "opened", "processing", "pending", "settling", "invented later"]
)
def test_these_statuses_are_not_final(status):
    assert not PaymentStatus(status).is_final


def test_there_are_two_directions():
    assert list(Direction) == ["sent", "received"]
