"""The values of a payment in each database: exact or refused; without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, Inexact, localcontext
from uuid import UUID

import attrs
import pytest
import sqlalchemy as sa
from sample_payments import make_payment

from paywint_async.export._database import _mysql_arguments
from paywint_async.export._dialects import (
    _mysql_rows,
    _mysql_value,
    _postgres_problem,
    _postgres_rows,
)


@pytest.mark.parametrize(
    "amount", ["150.75", "0", "-5", "12345678901234567.89", "1E+3", "0.000001", "1.50000000000000"]
)
def test_an_amount_is_passed_to_mysql_unchanged(amount: str) -> None:
    assert _mysql_value(Decimal(amount)) == Decimal(amount)


@pytest.mark.parametrize("amount", ["1E-40", "1E+80", "0." + 40 * "1"])
def test_an_amount_that_mysql_would_round_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"cannot hold .* exactly"):
        _mysql_value(Decimal(amount))


def test_the_callers_decimal_context_does_not_hide_that_mysql_would_round() -> None:
    with localcontext(prec=5), pytest.raises(ValueError, match=r"cannot hold .* exactly"):
        _mysql_value(Decimal("150.12345678901"))
    with localcontext(prec=5, traps=[Inexact]):
        assert _mysql_value(Decimal("150.1234567890")) == Decimal("150.123456789")


def test_other_values_are_passed_to_mysql_as_text_and_times_in_utc() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    assert _mysql_value(noon) == datetime(2026, 1, 1, 10)
    assert _mysql_value(UUID(int=1)) == str(UUID(int=1))
    assert _mysql_value(None) is None


def test_a_row_of_mysql_has_the_direction_first() -> None:
    (row,) = _mysql_rows([make_payment(1)], "sent")

    assert row[:2] == ["sent", str(make_payment(1).payment_id)]


@pytest.mark.parametrize("text", ["a\0b", "\0", "\0\0"])
def test_postgresql_gets_a_replacement_for_the_character_0(text: str) -> None:
    odd, plain = attrs.evolve(make_payment(1), description=text), make_payment(2)

    rows = _postgres_rows([odd, plain], "sent")

    assert text.replace("\0", "\ufffd") in rows[0]
    assert not any(isinstance(each, str) and "\0" in each for row in rows for each in row)


def test_a_time_beyond_the_calendar_is_refused_for_postgresql() -> None:
    last = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))

    assert _postgres_problem([last]) is not None
    assert _postgres_problem([datetime(2026, 1, 1, tzinfo=UTC), "text"]) is None


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        ("mysql://user:password@localhost/books", set()),
        ("mysql://user@localhost/books", {"password"}),
        ("mysql://user:password@localhost/books?ssl=true", {"ssl"}),
        ("mysql://user:password@localhost/books?ssl=false", set()),
    ],
)
def test_mysql_is_strict_and_takes_its_password_from_the_environment(
    url: str, keys: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSQL_PWD", "s3cret")

    arguments = _mysql_arguments(sa.make_url(url))

    assert "STRICT_ALL_TABLES" in arguments["init_command"]
    assert arguments.keys() - {"charset", "init_command"} == keys
