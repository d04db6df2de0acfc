"""Validates the JSON bodies of the operations.

The limits are those of the published Payment section. "At most two decimals", the digits of a phone
number and "email or phone" are not in the OpenAPI file.
"""

import re
from decimal import Decimal

import attrs

from paywint_async.emulator._form import Form

PAGE_SIZES = (10, 20, 50, 100)
CHECKOUT_MAXIMUM = Decimal(100_000)

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"[0-9]{5,20}")


@attrs.frozen(kw_only=True)
class LinkRequest:
    """A valid body of Create Payment Link; `amount` has the digits of the request."""

    amount: str
    description: str | None
    invoice_number: str | None


@attrs.frozen(kw_only=True)
class PageRequest:
    """A valid body of a listing."""

    page_no: int
    rows_per_page: int


def link_request(body: bytes) -> LinkRequest:
    """Read the body of Create Payment Link.

    Raises:
        InvalidBody: It is invalid.
    """
    form = Form(body)
    amount = form.money("amount")
    description = form.text("description", longest=255)
    invoice_number = form.text("invoice_number", longest=20)
    form.check()
    return LinkRequest(amount=f"{amount:f}", description=description, invoice_number=invoice_number)


def page_request(body: bytes) -> PageRequest:
    """Read the body of a listing.

    Raises:
        InvalidBody: It is invalid.
    """
    form = Form(body)
    rows_per_page = form.integer("rows_per_page", among=PAGE_SIZES)
    page_no = form.integer("page_no", at_least=1)
    form.check()
    return PageRequest(page_no=page_no, rows_per_page=rows_per_page)


def check_token_request(body: bytes) -> None:
    """Validate the body of the checkout token operation.

    Raises:
        InvalidBody: It is invalid.
    """
    form = Form(body)
    form.money("amount", at_most=CHECKOUT_MAXIMUM)
    email = form.text("email", pattern=_EMAIL)
    phone = form.text("phone", pattern=_PHONE)
    country = form.text("phone_country_code", shortest=1, longest=10)
    form.text("currency", shortest=3, longest=10, nullable=False)
    if email is None and (phone is None or country is None):
        form.refuse((), "Value error, give email, or phone with phone_country_code", "value_error")
    form.check()
