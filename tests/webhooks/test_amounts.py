"""An amount is exact dollars or None: never a guess, never rounded, never a reason to lose an event."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_deliveries import clock, delivery
from webhook_posting import make, post

from paywint_async import ConfigurationError
from paywint_async.webhooks import parse_event

CONTEXT = Context(prec=100)
CURRENCY = b'"currency": "%s", "amount"'


def parse(written, *, amounts=None, currency=None):
    """Parse an event whose body has this text as its amount."""
    body = delivery(amount=0).replace(b'"amount": 0', b'"amount": ' + written.encode())
    if currency is not None:
        body = body.replace(b'"amount"', CURRENCY % currency.encode())
    return parse_event(body, {}, clock=clock, amounts=amounts)


def read(written, **options):
    event = parse(written, **options)
    return event.amount_sent, None if event.amount is None else str(event.amount)


class TestWithoutAUnit:
    @pytest.mark.parametrize(
        "written", ["150.75", "0.01", "5.9", "-5.99", "150.750", "12345678901234567890.12"]
    )
    def test_a_fraction_of_a_dollar_is_dollars(self, written):
        assert read(written) == (written, written)

    def test_a_fraction_with_an_exponent_is_dollars(self):
        assert read("15075e-2") == ("15075e-2", "150.75")

    @pytest.mark.parametrize("written", ["100.00", "0.00", "5.9", "-1.00"])
    def test_text_with_a_point_is_dollars(self, written):
        assert read(f'"{written}"') == (written, written)

    @pytest.mark.parametrize(
        "written", ["599", "0", "-599", "599.0", "100.00", "1e2", "5.99e2", "-0"]
    )
    def test_an_integer_does_not_show_the_unit(self, written):
        assert read(written) == (written, None)

    @pytest.mark.parametrize("written", ["599", "0599", "1.5e1"])
    def test_text_without_a_point_does_not_show_the_unit(self, written):
        assert read(f'"{written}"') == (written, None)

    @pytest.mark.parametrize("written", ["1998.9999999999998", "0.125", '"100.000"', "5e-3"])
    def test_more_than_two_decimals_do_not_show_the_unit(self, written):
        """Some programs convert 19.99 dollars to 1998.9999999999998 cents."""
        assert read(written)[1] is None


class TestInCents:
    @pytest.mark.parametrize(
        ("written", "dollars"),
        [
            ("599", "5.99"),
            ("0", "0.00"),
            ("1", "0.01"),
            ("-10", "-0.10"),
            ("599.0", "5.99"),
            ("599.00", "5.99"),
            ("1e2", "1.00"),
            ("5.99e2", "5.99"),
            ('"599"', "5.99"),
            ("900719925474099337", "9007199254740993.37"),
            ("123456789012345678901234567890123", "1234567890123456789012345678901.23"),
        ],
    )
    def test_is_converted_to_dollars_exactly(self, written, dollars):
        assert read(written, amounts="cents") == (written.strip('"'), dollars)

    @given(st.integers(min_value=-(10**60), max_value=10**60))
    def test_is_never_rounded(self, cents):
        amount = parse(str(cents), amounts="cents").amount
        assert (int(amount.scaleb(2, CONTEXT)), amount.as_tuple().exponent) == (cents, -2)

    @pytest.mark.parametrize(
        "written", ["150.75", '"100.00"', '"5.9"', "0.5", "1998.9999999999998"]
    )
    def test_that_contradicts_the_digits_is_none(self, written):
        assert read(written, amounts="cents") == (written.strip('"'), None)


class TestInDollars:
    @pytest.mark.parametrize(
        ("written", "dollars"),
        [
            ("599", "599"),
            ("599.0", "599.0"),
            ("150.75", "150.75"),
            ('"100.00"', "100.00"),
            ('"599"', "599"),
            ("1e2", "100"),
            ("0.125", "0.125"),
            ("1" * 50 + ".01", "1" * 50 + ".01"),
        ],
    )
    def test_is_the_value_of_the_digits(self, written, dollars):
        assert read(written, amounts="dollars") == (written.strip('"'), dollars)

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=2))
    def test_is_exact(self, dollars):
        assert parse(f"{dollars:f}", amounts="dollars").amount == dollars


class TestAnInvalidAmount:
    @pytest.mark.parametrize("amounts", [None, "cents", "dollars"])
    @pytest.mark.parametrize(
        "written",
        [
            "null",
            "true",
            "[599]",
            "{}",
            "NaN",
            "Infinity",
            "-Infinity",
            '"$5.99"',
            '"1,234.56"',
            '"５９９"',
            '""',
            '" 599"',
            '"NaN"',
            '"1_000"',
            '"0x257"',
            '"+5"',
            '"5\\n"',
        ],
    )
    def test_gives_none_and_the_event_is_kept(self, written, amounts):
        assert read(written, amounts=amounts) == (None, None)

    @pytest.mark.parametrize("amounts", [None, "cents", "dollars"])
    @pytest.mark.parametrize(
        "written",
        ["1e9999", "1e-9999", "1e99999999999999999999", "1e-99999999999999999999", "1e1000"],
    )
    def test_too_large_for_money_is_none(self, written, amounts):
        assert read(written, amounts=amounts) == (written, None)

    @pytest.mark.parametrize("written", ["9" * 60_000, "0." + "9" * 60_000, "1" + "0" * 5_000])
    def test_of_any_length_is_exact(self, written):
        event = parse(written, amounts="dollars")
        assert (event.amount_sent, event.amount) == (written, Decimal(written))
        assert event.data["amount"] == Decimal(written)

    def test_absent_is_none(self):
        event = parse_event(delivery(without=["amount"]), {}, clock=clock)
        assert (event.amount_sent, event.amount) == (None, None)

    @pytest.mark.parametrize(
        ("currency", "amount"), [("EUR", None), ("jpy", None), ("usd", 5), ("", 5)]
    )
    def test_in_another_currency_is_no_amount_in_dollars(self, currency, amount):
        assert parse("5", amounts="dollars", currency=currency).amount == amount


class TestTheUnit:
    @pytest.mark.parametrize("amounts", ["", "Cents", "cent", b"cents", 100, True, ["cents"]])
    def test_that_is_unknown_is_a_configuration_error(self, amounts, handler):
        with pytest.raises(ConfigurationError, match="amounts must be"):
            parse("5", amounts=amounts)
        with pytest.raises(ConfigurationError, match="amounts must be"):
            make(handler, amounts=amounts)

    @pytest.mark.parametrize(
        ("amounts", "amount"), [(None, None), ("cents", "5.99"), ("dollars", "599")]
    )
    async def test_is_an_argument_of_a_receiver(self, handler, amounts, amount):
        await post(make(handler, amounts=amounts))
        (event,) = handler.events
        assert event.amount == (None if amount is None else Decimal(amount))
