"""Invalid arguments are refused before anything is sent, with a message that gives the reason."""

from __future__ import annotations

import sys
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from fault_server import FaultServer

from paywint_async import Direction, InvalidRequestError
from paywint_async._arguments import (
    check_amount,
    check_direction,
    check_payment_id,
    check_rows_per_page,
    check_seconds,
    check_text,
    check_whole,
)
from paywint_async._raw_request import raw_request


def refused(check, *args, **kwargs) -> tuple[str, str]:
    """The field and the message of the error."""
    with pytest.raises(InvalidRequestError) as caught:
        check(*args, **kwargs)
    return caught.value.field, str(caught.value)


@pytest.mark.parametrize(
    ("amount", "problem"),
    [
        (1.5, "a float loses cents: use Decimal('1.5')"),
        ("5", "must be a Decimal or int, not str"),
        (True, "must be a Decimal or int, not bool"),
        (Decimal("NaN"), "must be finite, not NaN"),
        (10**30, "has more than 30 digits"),
        (Decimal(0), "must be above zero, not 0"),
        (Decimal("1.001"), "has more than two decimals: 1.001"),
        (101, "must be at most 100, not 101"),
    ],
)
def test_an_amount_is_refused_with_the_reason(amount: object, problem: str) -> None:
    expected = ("amount", f"amount: {problem}")
    assert refused(check_amount, amount, at_most=Decimal(100)) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (5, "must be a string, not int"),
        ("", "must have 1 to 3 characters, not 0"),
        ("four", "must have 1 to 3 characters, not 4"),
        ("\ud800", "has half a surrogate pair, which is no text"),
    ],
)
def test_a_text_is_refused_with_the_reason(text: object, problem: str) -> None:
    assert refused(check_text, "name", text, 1, 3) == ("name", f"name: {problem}")


@pytest.mark.parametrize("code", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_a_text_with_half_a_surrogate_pair_is_refused(code: int) -> None:
    assert refused(check_text, "name", chr(code), 1, 3)[0] == "name"


@pytest.mark.parametrize("text", ["\ud7ff", "\ue000", "a", "abc"])
def test_a_text_without_surrogates_is_accepted(text: str) -> None:
    assert check_text("name", text, 1, 3) == text


def test_an_invalid_id_is_refused_with_the_name_of_its_field() -> None:
    assert refused(check_payment_id, 5) == ("payment_id", "payment_id: must be a UUID, not 5")
    assert refused(check_payment_id, "x", "first") == ("first", "first: must be a UUID, not 'x'")


def test_an_id_is_accepted_as_text_and_as_a_uuid() -> None:
    payment_id = UUID("d4211545-cfc9-4aa0-8fcc-e4c2639e8052")
    assert check_payment_id(str(payment_id).upper()) == payment_id
    assert check_payment_id(payment_id) is payment_id


def test_a_refused_value_is_in_the_message() -> None:
    assert refused(check_direction, "both")[1] == (
        "direction: must be 'sent' or 'received', not 'both'"
    )
    assert refused(check_whole, "limit", -1, low=0)[1] == (
        "limit: must be a whole number, at least 0, not -1"
    )
    assert refused(check_seconds, "timeout", 0)[1] == "timeout: must be seconds above 0, not 0"
    assert refused(check_rows_per_page, 11)[1] == (
        "rows_per_page: must be 10, 20, 50 or 100, not 11"
    )


@pytest.mark.parametrize("seconds", [0.001, 5, sys.float_info.max])
def test_any_finite_seconds_are_accepted(seconds: float) -> None:
    assert check_seconds("timeout", seconds) == seconds


def test_a_whole_number_may_be_the_minimum() -> None:
    assert check_whole("limit", 0, low=0) == 0


@pytest.mark.parametrize("direction", ["sent", "received", Direction.SENT])
def test_a_direction_has_one_of_two_names(direction):
    assert check_direction(direction) is Direction(direction)


@pytest.mark.parametrize("direction", ["", "SENT", "both", None, 5, ["sent"]])
def test_another_direction_is_refused(direction):
    assert refused(check_direction, direction)[0] == "direction"


@pytest.mark.parametrize("rows", [10, 20, 50, 100])
def test_a_page_has_one_of_four_sizes(rows):
    assert check_rows_per_page(rows) == rows


@pytest.mark.parametrize("rows", [0, 1, 11, 101, -10, 10.0, "10", True, None, Decimal(10)])
def test_another_size_is_refused(rows):
    assert refused(check_rows_per_page, rows)[0] == "rows_per_page"


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None])
def test_a_page_number_is_a_whole_number(value):
    assert refused(check_whole, "page_no", value, low=1)[0] == "page_no"


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), 10**400, True, "1", None])
def test_seconds_are_finite_and_above_zero(value):
    assert refused(check_seconds, "timeout", value)[0] == "timeout"


class SafeString(str):
    """As Django's: `str` of it is the same object."""

    def __str__(self) -> str:
        return self


class Cents(Decimal):
    pass


class Count(int):
    def __str__(self) -> str:
        return "many"


class Colour(StrEnum):
    RED = "red"


def test_a_text_of_a_subclass_becomes_an_exact_string() -> None:
    texts = [check_text("name", text, 1, 9) for text in (SafeString("Ann"), Colour.RED)]
    assert [(type(text), text) for text in texts] == [(str, "Ann"), (str, "red")]


def test_an_amount_of_a_subclass_becomes_an_exact_decimal() -> None:
    amounts = [check_amount(amount) for amount in (Cents("1.10"), Count(5))]
    assert [(type(amount), str(amount)) for amount in amounts] == [
        (Decimal, "1.10"),
        (Decimal, "5"),
    ]


def test_values_of_subclasses_are_sent_as_plain_json() -> None:
    json = {
        SafeString("text"): SafeString("a<b"),
        "enum": Colour.RED,
        "whole": Count(5),
        "exact": Cents("1.10"),
        "flag": True,
        "none": None,
        "list": (Cents("2"), [Count(1)]),
    }
    call = raw_request(SafeString("post"), SafeString("/x"), json, None)
    assert call.request.body == (
        b'{"text":"a<b","enum":"red","whole":5,"exact":1.10,"flag":true,"none":null,"list":[2,[1]]}'
    )
    assert [type(text) for text in (call.request.method, call.request.path)] == [str, str]
    assert call.asked["json"] == {**json, "list": [Cents("2"), [1]]}


def test_a_key_that_is_twice_in_plain_text_is_refused() -> None:
    class Apart(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = str.__hash__

    json = {Apart("a"): 1, Apart("a"): 2}
    assert refused(raw_request, "POST", "/x", json, None)[1] == "json: has the key 'a' twice @ $"


async def test_a_link_may_be_described_by_a_subclass_of_str(connect) -> None:
    async with FaultServer() as server:
        await connect(server).payments.create_link(
            Cents("1.10"), description=SafeString("a<b"), invoice_number=SafeString("7")
        )
    assert server.requests[0].body == b'{"amount":1.10,"description":"a<b","invoice_number":"7"}'
