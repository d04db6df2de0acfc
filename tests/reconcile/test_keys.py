"""Which descriptions contain an invoice number."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sample_payments import make_payment

from paywint_async.export._encoding import PAYMENTS, Format
from paywint_async.reconcile._keys import InvoiceNumbers, description_key, invoice_key
from paywint_async.reconcile._values import text_of


@pytest.mark.parametrize(
    ("invoice", "description"),
    [
        ("INV-12", "INV-12"),
        ("INV-12", "Invoice inv-12, June."),
        ("INV-12", "(INV-12)"),
        ("INV-12", "Invoice:INV-12;paid"),
        ("#12", "invoice 12"),
        ("2026/12", "for 2026/12!"),
        ("INV 12", "your INV  12 of June"),
        ("Rechnung Straße 7", "RECHNUNG STRASSE 7"),
        ("請求書12", "ご請求 請求書12 です"),
    ],
)
def test_the_description_contains_the_invoice_number(invoice: str, description: str) -> None:
    key = invoice_key(invoice)
    assert key is not None
    assert InvoiceNumbers([key]).within(description) == {key}


@pytest.mark.parametrize(
    ("invoice", "description"),
    [
        ("INV-12", "INV-123"),
        ("INV-12", "INV-12-B"),
        ("INV-12", "XINV-12"),
        ("INV-12", "INV 12"),
        ("INV-12", "INV-12/2026"),
        ("12", "12.50"),
        ("INV 12", "INV and 12"),
        ("INV-12", ""),
        ("INV-12", None),
    ],
)
def test_the_description_does_not_contain_the_invoice_number(
    invoice: str, description: str | None
) -> None:
    key = invoice_key(invoice)
    assert key is not None
    assert InvoiceNumbers([key]).within(description) == frozenset()


@pytest.mark.parametrize("text", [None, "", "  ", "---"])
def test_a_text_without_letters_and_digits_is_no_invoice_number(text: str | None) -> None:
    assert invoice_key(text) is None


def test_spaces_and_case_of_a_description_are_ignored() -> None:
    assert description_key(" Thank\tYOU \n") == description_key("thank you") == "thank you"
    assert description_key(" ") is None


@given(text=st.text("'=+-@\t\r\n ＝＋－＠\"ax", max_size=6))
@example(text="=x")
@example(text="'=x")
@example(text="\t+x")
@example(text="＝x")
@example(text="''-x")
@example(text='="x"')
def test_a_description_that_was_exported_for_a_spreadsheet_has_the_key_of_the_payment(
    text: str,
) -> None:
    encoding = PAYMENTS[Format.SPREADSHEET]
    written = encoding.header + encoding.encode([make_payment(1, description=text)])
    data = written.decode("utf-8-sig")

    (row,) = csv.DictReader(io.StringIO(data, newline=""))

    assert description_key(text_of(row["description"])) == description_key(text)
