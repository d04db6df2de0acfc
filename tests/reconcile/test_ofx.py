"""The currency of a transaction of OFX: the statement's, unless its amount is in another."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ledger_reading import Write, read, refusal

CARD = "<CURRATE>1.1{end}<CURSYM>EUR{end}"


def statement(middle: str) -> str:
    return (
        "<OFX><STMTRS><CURDEF>USD<BANKTRANLIST><STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260131"
        f"<TRNAMT>12.50<FITID>1{middle}<NAME>a</STMTTRN>"
        "<STMTTRN><DTPOSTED>20260131<TRNAMT>5.00<FITID>2<NAME>b</STMTTRN></BANKTRANLIST></STMTRS></OFX>"
    )


@pytest.mark.parametrize("end", ["", "</X>", "\n"])
def test_an_amount_that_was_converted_is_in_the_currency_of_the_statement(
    write: Write, end: str
) -> None:
    text = statement(f"<ORIGCURRENCY>{CARD.format(end=end)}</ORIGCURRENCY>")

    assert [row.amount for row in read(write(text, "a.ofx"))] == [Decimal("12.50"), Decimal("5.00")]


@pytest.mark.parametrize("end", ["", "</X>", "\n"])
def test_an_amount_in_another_currency_is_refused(write: Write, end: str) -> None:
    text = statement(f"<CURRENCY>{CARD.format(end=end)}</CURRENCY>")

    assert "'EUR' is not USD" in refusal(write(text, "a.ofx"))


def test_the_currency_of_an_amount_is_that_of_one_transaction(write: Write) -> None:
    text = statement("<CURRENCY><CURSYM>USD</CURRENCY>").replace("<CURDEF>USD", "<CURDEF>EUR")

    assert ", entry 2, column 'currency': 'EUR' is not USD" in refusal(write(text, "a.ofx"))
